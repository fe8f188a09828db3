//! Storage out of reach: told in time, nothing counted, and healed without a restart. One lock for
//! all writers and a file that cannot be written are for `SQLite` alone.

use std::time::Instant;

use otpost_ports::{Claim, Lease, LeaseToken, Outbox, Purged, Readiness, SessionStore};
use otpost_testkit::sample::{self, NOON};
use sea_orm::{
    DatabaseConnection, DatabaseTransaction, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};
use tokio::task::JoinSet;

use crate::support::{Place, TOLD, assert_unavailable, find, judged, on_both, value};

on_both! {
    a_closed_storage_says_so
    an_identifier_that_is_taken_opens_nothing_and_is_not_in_the_error
}

/// The write lock, until it is dropped.
async fn lock(other: &DatabaseConnection) -> DatabaseTransaction {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..Default::default()
    };
    other.begin_with_options(options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_lock_is_told_in_time_and_no_guess_is_counted() {
    let place = Place::file();
    let storage = place.storage().await;
    let (opening, right) = place.open(&storage, 1).await;
    let id = *opening.session.id();
    let wrong = sample::submit(&sample::wrong(&right), NOON);
    let other = place.other().await;
    let lock = lock(&other).await;

    let mut callers = JoinSet::new();
    for _ in 0..100 {
        let (storage, wrong) = (storage.clone(), wrong.clone());
        callers.spawn(async move {
            let start = Instant::now();
            let answer = storage.apply(&id, wrong).await;
            (answer, start.elapsed())
        });
    }
    for (answer, elapsed) in callers.join_all().await {
        assert_unavailable(answer);
        assert!(elapsed < TOLD, "told after {elapsed:?}");
    }
    assert_unavailable(storage.open(sample::opening(&*place.vault, 2)).await);
    assert_eq!(
        find(&storage, &id).await.session,
        opening.session,
        "reads go on"
    );

    lock.rollback().await.unwrap();
    assert_eq!(
        judged(storage.apply(&id, wrong).await)
            .stored
            .session
            .attempts(),
        1
    );
    assert_eq!(
        value::<i64>(&other, "SELECT COUNT(*) FROM sessions").await,
        1
    );
}

#[tokio::test]
async fn an_idle_poll_takes_no_write_lock() {
    let place = Place::file();
    let storage = place.storage().await;
    let other = place.other().await;
    let lock = lock(&other).await;

    let claim = Claim {
        lease: Lease {
            token: LeaseToken([1; 16]),
            until: NOON.plus_secs(60),
        },
        now: NOON,
        limit: 9,
    };
    assert_eq!(storage.claim(claim).await.unwrap(), []);
    assert_eq!(storage.purge(NOON, 9).await.unwrap(), Purged::default());
    assert!(storage.ready().await.is_ok());
    drop(lock);
}

#[tokio::test]
async fn a_read_only_database_refuses_and_stays_as_it_is() {
    let place = Place::file();
    let storage = place.storage().await;
    let (opening, right) = place.open(&storage, 1).await;
    let id = opening.session.id();
    let before = find(&storage, id).await;
    storage.close().await;

    let storage = place.connect_with(place.file_settings("ro")).await;
    assert_unavailable(storage.apply(id, sample::submit(&right, NOON)).await);
    assert_unavailable(storage.open(sample::opening(&*place.vault, 2)).await);

    assert_eq!(find(&storage, id).await, before);
    let other = place.other().await;
    assert_eq!(
        value::<i64>(&other, "SELECT COUNT(*) FROM sessions").await,
        1
    );
}

async fn a_closed_storage_says_so(place: Place) {
    let storage = place.storage().await;
    let (opening, right) = place.open(&storage, 1).await;
    let id = opening.session.id();

    storage.close().await;

    assert_unavailable(storage.find(&sample::owner(), id).await);
    assert_unavailable(storage.apply(id, sample::submit(&right, NOON)).await);
    assert_unavailable(storage.ready().await);
}

async fn an_identifier_that_is_taken_opens_nothing_and_is_not_in_the_error(place: Place) {
    let storage = place.storage().await;
    let (opening, _) = place.open(&storage, 1).await;
    let id = opening.session.id();
    let before = find(&storage, id).await;

    let mut again = sample::opening(&*place.vault, 1);
    again.delivery.tries = 7;
    let reason = assert_unavailable(storage.open(again).await);

    assert!(!reason.contains(&id.to_string()), "{reason}");
    assert_eq!(find(&storage, id).await, before);
}
