//! A partition for each day: made ahead, filled, and dropped when nothing in it is retained.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use otpost_domain::{Terms, TermsRecord, Timestamp};
use otpost_ports::{Outbox, Purged, RETENTION_SECS, SessionStore, Settlement};
use otpost_storage::Partitions;
use otpost_testkit::sample::{self, NOON};
use tokio::task::JoinSet;

use super::{claim, cluster, opening, place};
use crate::support::{Place, find, judged, open, value};

const DAY_SECS: u32 = 86_400;

/// The end of the day of [`NOON`].
const MIDNIGHT: Timestamp = NOON.plus_secs(DAY_SECS / 2);

/// In which partition the only session and its mail lie.
async fn lies_in(place: &Place) -> [String; 2] {
    let other = place.other().await;
    let of = async |table| {
        let query = format!("SELECT tableoid::regclass::text FROM {table}");
        value::<String>(&other, &query).await
    };
    [of("sessions").await, of("deliveries").await]
}

#[tokio::test]
async fn the_partitions_of_a_week_are_made_once() {
    let Some(place) = Place::server().await else {
        return;
    };
    let storage = place.storage().await;

    let made = storage.keep_partitions(NOON).await.unwrap();

    let names = |table| (9..=16).map(move |day| format!("{table}_202601{day:02}"));
    let expected = Partitions {
        made: names("sessions").chain(names("deliveries")).collect(),
        dropped: Vec::new(),
    };
    assert_eq!(made, expected);
    let again = storage.keep_partitions(NOON).await.unwrap();
    assert_eq!(again, Partitions::default());
    let tomorrow = storage.keep_partitions(MIDNIGHT).await.unwrap();
    assert_eq!(tomorrow.made, ["sessions_20260117", "deliveries_20260117"]);
}

#[tokio::test]
async fn a_session_lies_in_the_partition_of_the_day_of_its_creation() {
    let Some(place) = Place::server().await else {
        return;
    };
    for (at, day) in [
        (NOON, "20260109"),
        (sample::just_before(MIDNIGHT), "20260109"),
        (MIDNIGHT, "20260110"),
    ] {
        let place = place.another().await;
        let storage = place.storage().await;
        storage.keep_partitions(NOON).await.unwrap();
        open(
            &storage,
            sample::opening_at(&*place.vault, 1, sample::terms(), at),
        )
        .await;
        let expected = [format!("sessions_{day}"), format!("deliveries_{day}")];
        assert_eq!(lies_in(&place).await, expected);
    }
}

#[tokio::test]
async fn a_session_from_before_its_partition_is_moved_into_it() {
    let Some(place) = Place::server().await else {
        return;
    };
    let storage = place.storage().await;
    let (opening, right) = place.open(&storage, 1).await;
    let id = opening.session.id();
    let before = find(&storage, id).await;
    assert_eq!(
        lies_in(&place).await,
        ["sessions_default", "deliveries_default"]
    );

    storage.keep_partitions(NOON).await.unwrap();

    assert_eq!(
        lies_in(&place).await,
        ["sessions_20260109", "deliveries_20260109"]
    );
    assert_eq!(find(&storage, id).await, before);
    judged(storage.apply(id, sample::submit(&right, NOON)).await);
}

/// The longest that a session can be found by a command, or is retained.
#[tokio::test]
async fn a_partition_is_dropped_when_its_last_possible_session_is_past_its_retention() {
    let Some(place) = Place::server().await else {
        return;
    };
    let storage = place.storage().await;
    storage.keep_partitions(NOON).await.unwrap();
    let longest = TermsRecord {
        lifetime_secs: Terms::LIFETIME_SECS_MAX,
        code_lifetime_max_secs: Terms::CODE_LIFETIME_SECS_MAX,
        ..sample::terms()
    };
    let last = sample::just_before(MIDNIGHT);
    let opening = sample::opening_at(&*place.vault, 1, longest, last);
    open(&storage, opening.clone()).await;
    let id = opening.session.id();
    let over = opening.session.hard_end().plus_secs(RETENTION_SECS);

    let kept = storage
        .keep_partitions(sample::just_before(over))
        .await
        .unwrap();
    assert_eq!(kept.dropped, Vec::<String>::new());
    find(&storage, id).await;

    let in_time = over.plus_secs(2 * Terms::LIFETIME_SECS_MAX);
    let kept = storage.keep_partitions(in_time).await.unwrap();
    let dropped = ["sessions_20260109", "deliveries_20260109"];
    assert!(
        dropped
            .iter()
            .all(|one| kept.dropped.contains(&(*one).to_owned())),
        "{kept:?}"
    );
    assert_eq!(storage.find(&sample::owner(), id).await.unwrap(), None);
    let mails = "SELECT COUNT(*) FROM deliveries";
    assert_eq!(value::<i64>(&place.other().await, mails).await, 0);
}

#[tokio::test]
async fn a_partition_is_dropped_at_an_instant_and_not_before() {
    let Some(place) = Place::server().await else {
        return;
    };
    let storage = place.storage().await;
    storage.keep_partitions(NOON).await.unwrap();
    let life = 2 * Terms::LIFETIME_SECS_MAX + RETENTION_SECS;
    let over = MIDNIGHT.plus_secs(life);

    let before = storage
        .keep_partitions(sample::just_before(over))
        .await
        .unwrap();
    assert_eq!(before.dropped, Vec::<String>::new());
    let then = storage.keep_partitions(over).await.unwrap();
    assert_eq!(then.dropped, ["sessions_20260109", "deliveries_20260109"]);
}

#[tokio::test]
async fn the_purge_closes_in_partitions_and_deletes_from_the_default_one_alone() {
    let Some(place) = Place::server().await else {
        return;
    };
    let storage = place.storage().await;
    storage.keep_partitions(NOON).await.unwrap();
    place.open(&storage, 1).await;
    let early = Timestamp::from_millis(NOON.as_millis() - i64::from(DAY_SECS) * 1_000);
    let early = sample::opening_at(&*place.vault, 2, sample::terms(), early);
    open(&storage, early.clone()).await;

    let later = NOON.plus_secs(2 * RETENTION_SECS);
    let purged = storage.purge(later, 9).await.unwrap();

    let (closed, deleted, is_full) = (2, 1, false);
    assert_eq!(
        purged,
        Purged {
            closed,
            deleted,
            is_full
        }
    );
    assert_eq!(
        lies_in(&place).await,
        ["sessions_20260109", "deliveries_20260109"]
    );
    let secrets = "SELECT COUNT(*) FROM sessions WHERE secret_nonce IS NOT NULL";
    assert_eq!(value::<i64>(&place.other().await, secrets).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_nodes_that_make_partitions_at_once_one_does() {
    let Some(place) = Place::server().await else {
        return;
    };
    let (one, two) = (place.storage().await, place.connect().await);

    let (first, second) = tokio::join!(one.keep_partitions(NOON), two.keep_partitions(NOON));

    let made = [first.unwrap().made, second.unwrap().made].concat();
    assert_eq!(made.len(), 16, "{made:?}");
}

#[tokio::test]
async fn without_partitions_none_are_made() {
    let Some(place) = Place::server_without_partitions().await else {
        return;
    };
    let storage = place.storage().await;
    assert_eq!(
        storage.keep_partitions(NOON).await.unwrap(),
        Partitions::default()
    );
}

/// Requests and couriers go on while days are made and dropped one after the other.
#[tokio::test(flavor = "multi_thread")]
async fn traffic_meets_no_error_while_partitions_come_and_go() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let place = Arc::new(place(&cluster));
    let (one, two) = (place.storage().await, place.connect().await);
    let is_over = Arc::new(AtomicBool::new(false));
    let mut traffic = JoinSet::new();
    for task in 0..4_u16 {
        let (place, storage, is_over) = (place.clone(), two.clone(), is_over.clone());
        traffic.spawn(async move {
            let mut number = task;
            while !is_over.load(Ordering::Relaxed) {
                let opening = opening(&place, number);
                let (id, at) = (*opening.session.id(), opening.at);
                open(&storage, opening).await;
                judged(storage.apply(&id, sample::resend(1, at.plus_secs(2))).await);
                let token = claim(u8::try_from(task).unwrap(), 5);
                for stored in storage.claim(token).await.unwrap() {
                    let id = stored.session.id();
                    storage
                        .settle(id, token.lease.token, Settlement::Sent)
                        .await
                        .unwrap();
                }
                storage.purge(NOON, 9).await.unwrap();
                number += 4;
            }
            number / 4
        });
    }

    let (mut made, mut dropped) = (0, 0);
    // From the past, so that what is dropped is never what is in use.
    for day in (1..=20).rev() {
        let millis = i64::from(DAY_SECS) * 1_000 * (day + 8);
        let now = Timestamp::from_millis(NOON.as_millis() - millis);
        let kept = one.keep_partitions(now).await.unwrap();
        made += kept.made.len();
        dropped += kept.dropped.len();
    }
    is_over.store(true, Ordering::Relaxed);
    let turns = traffic.join_all().await;

    assert!(
        made == 54 && dropped >= 20,
        "{made} made, {dropped} dropped"
    );
    assert!(turns.iter().all(|turns| *turns > 5), "{turns:?}");
    let log = cluster.log();
    assert!(!log.contains("deadlock detected"), "{log}");
}
