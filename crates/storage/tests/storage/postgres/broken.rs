//! Servers and connections that go away: told in time, counted once, and healed without a restart.

use std::sync::Arc;
use std::time::{Duration, Instant};

use otpost_cluster::Stop;
use otpost_ports::{Applied, Outbox, Readiness, SessionStore, StoreError};
use otpost_storage::Settings;
use otpost_testkit::sample::{self, NOON};
use sea_orm::DatabaseConnection;
use tokio::task::JoinSet;

use super::{claim, cluster, cluster_with, opening, place};
use crate::cancelled::polled;
use crate::counted::{charges, quotas};
use crate::support::{Place, TOLD, assert_unavailable, find, judged, run, value};

/// Within which everything works again.
const HEALED: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_crashes_is_told_in_time_and_works_again_by_itself() {
    let Some(mut cluster) = cluster().await else {
        return;
    };
    let place = place(&cluster);
    let storage = place.storage().await;
    let (opening, right) = place.open(&storage, 1).await;
    let id = *opening.session.id();
    let wrong = sample::submit(&sample::wrong(&right), NOON);
    judged(storage.apply(&id, wrong.clone()).await);

    let mut cluster = tokio::task::spawn_blocking(move || {
        cluster.stop(Stop::Immediate).unwrap();
        cluster
    })
    .await
    .unwrap();
    for _ in 0..3 {
        let start = Instant::now();
        assert_unavailable(storage.apply(&id, wrong.clone()).await);
        assert_unavailable(storage.find(&sample::owner(), &id).await);
        assert_unavailable(storage.claim(claim(1, 9)).await);
        assert_unavailable(storage.ready().await);
        let elapsed = start.elapsed() / 4;
        assert!(elapsed < TOLD, "told after {elapsed:?}");
    }

    let cluster = tokio::task::spawn_blocking(move || {
        cluster.resume().unwrap();
        cluster
    })
    .await
    .unwrap();
    let start = Instant::now();
    while storage.ready().await.is_err() {
        assert!(start.elapsed() < HEALED, "{}", cluster.log());
    }
    let stored = judged(storage.apply(&id, wrong).await).stored;
    assert_eq!(stored.session.attempts(), 2);
}

/// Cuts off whatever the nodes have open.
async fn cut_off(other: &DatabaseConnection) -> i64 {
    let cut = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE application_name = 'otpost' AND datname = current_database()";
    value(other, cut).await
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_off_cost_an_answer_and_never_a_second_attempt() {
    let Some(place) = Place::server().await else {
        return;
    };
    let place = Arc::new(place);
    let storage = place.storage().await;
    let other = place.other().await;
    let mut callers = JoinSet::new();
    for task in 0..6_u16 {
        let (place, storage) = (place.clone(), storage.clone());
        callers.spawn(async move {
            let (mut told, mut failed) = (0, 0);
            for turn in 0..20 {
                let opening = opening(&place, task * 100 + turn);
                let (id, at) = (*opening.session.id(), opening.at);
                match storage.open(opening).await {
                    Ok(_) => told += 1,
                    Err(StoreError::Unavailable(_)) => {
                        failed += 1;
                        continue;
                    }
                    Err(other) => panic!("{other:?}"),
                }
                let guess = sample::submit_typed("000000", at);
                let answer = storage.apply(&id, guess).await;
                let attempts = loop {
                    match storage.find(&sample::owner(), &id).await {
                        Ok(found) => break found.expect("it was opened").session.attempts(),
                        Err(StoreError::Unavailable(_)) => failed += 1,
                        Err(other) => panic!("{other:?}"),
                    }
                };
                match answer {
                    Ok(Applied::Judged(_)) => assert_eq!(attempts, 1),
                    Ok(other) => panic!("{other:?}"),
                    Err(StoreError::Unavailable(_)) => {
                        failed += 1;
                        assert!(attempts <= 1, "{attempts}");
                    }
                    Err(other) => panic!("{other:?}"),
                }
            }
            (told, failed)
        });
    }
    let mut cuts = 0;
    while !callers.is_empty() {
        cuts += cut_off(&other).await;
        // A pause between the faults, not a race to win.
        let pause = tokio::time::sleep(Duration::from_millis(100));
        tokio::select! {
            () = pause => {}
            Some(ended) = callers.join_next() => {
                let (told, failed) = ended.unwrap();
                // Where nothing was committed, it is done again on another connection.
                assert!(told > failed, "{told} told, {failed} failed");
            }
        }
    }
    assert!(cuts > 5, "{cuts}");
    let start = Instant::now();
    while storage.ready().await.is_err() {
        assert!(start.elapsed() < HEALED);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_connection_is_left_those_who_have_one_go_on() {
    let settings = &[("max_connections", "12")];
    let Some(cluster) = cluster_with(settings).await else {
        return;
    };
    let place = place(&cluster);
    let storage = place.storage().await;
    let (opening, right) = place.open(&storage, 1).await;
    let id = *opening.session.id();
    let mut others = Vec::new();
    while let Ok(other) = sea_orm::Database::connect(one_connection(&place)).await {
        others.push(other);
    }
    assert!(!others.is_empty());

    let refused = otpost_storage::Storage::connect(&place.settings(), place.vault.clone()).await;
    assert!(refused.is_err());
    let start = Instant::now();
    let wrong = sample::submit(&sample::wrong(&right), NOON);
    let mut callers = JoinSet::new();
    for _ in 0..20 {
        let (storage, wrong) = (storage.clone(), wrong.clone());
        callers.spawn(async move { storage.apply(&id, wrong).await });
    }
    for answer in callers.join_all().await {
        if answer.is_err() {
            assert_unavailable(answer);
        }
    }
    assert!(start.elapsed() < TOLD, "{:?}", start.elapsed());
    assert_eq!(find(&storage, &id).await.session.attempts(), 5);

    for other in others {
        other.close().await.unwrap();
    }
    let start = Instant::now();
    while otpost_storage::Storage::connect(&place.settings(), place.vault.clone())
        .await
        .is_err()
    {
        assert!(start.elapsed() < HEALED);
    }
}

fn one_connection(place: &Place) -> sea_orm::ConnectOptions {
    let mut options = sea_orm::ConnectOptions::new(place.settings().url);
    options
        .max_connections(1)
        .acquire_timeout(Duration::from_millis(500))
        .sqlx_logging(false);
    options
}

#[tokio::test]
async fn a_server_that_only_reads_refuses_and_stays_as_it_is() {
    let Some(place) = Place::server().await else {
        return;
    };
    let storage = place.storage().await;
    let (opening, right) = place.open(&storage, 1).await;
    let id = opening.session.id();
    let before = find(&storage, id).await;
    let other = place.other().await;
    let name: String = value(&other, "SELECT current_database()::text").await;
    let only_reads = |setting| {
        format!("ALTER DATABASE \"{name}\" SET default_transaction_read_only = {setting}")
    };
    run(&other, &only_reads("on")).await;
    cut_off(&other).await;

    assert_unavailable(storage.apply(id, sample::submit(&right, NOON)).await);
    assert_unavailable(storage.open(sample::opening(&*place.vault, 2)).await);
    assert_unavailable(storage.claim(claim(1, 9)).await);
    assert_unavailable(storage.purge(NOON.plus_secs(86_400), 9).await);
    // What is read from a server that does not write may be older than what was answered.
    assert_unavailable(storage.find(&sample::owner(), id).await);

    run(&other, &only_reads("off")).await;
    let start = Instant::now();
    while storage.ready().await.is_err() {
        assert!(start.elapsed() < HEALED);
    }
    assert_eq!(find(&storage, id).await, before);
    let sessions = "SELECT COUNT(*) FROM sessions";
    assert_eq!(value::<i64>(&other, sessions).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_who_leave_leave_no_transaction_open() {
    let Some(place) = Place::server().await else {
        return;
    };
    let storage = place
        .connect_with(Settings {
            connections_max: 3,
            ..place.settings()
        })
        .await;
    storage.migrate().await.unwrap();
    let quota = 1_000;
    let mut callers = JoinSet::new();
    for number in 0..120 {
        let storage = storage.clone();
        let opening = crate::counted::opening(&place, number, &quotas(quota));
        let polls = u32::from(number % 9);
        callers.spawn(async move { polled(storage.open(opening), polls).await.is_some() });
    }
    callers.join_all().await;

    let other = place.other().await;
    let busy = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
                AND application_name = 'otpost' AND state <> 'idle'";
    let start = Instant::now();
    while value::<i64>(&other, busy).await > 0 {
        assert!(start.elapsed() < HEALED);
    }
    let sessions: i64 = value(&other, "SELECT COUNT(*) FROM sessions").await;
    assert_eq!(i64::from(charges(&storage, quota).await), sessions);
    for number in 200..210 {
        place.open(&storage, number).await;
    }
}
