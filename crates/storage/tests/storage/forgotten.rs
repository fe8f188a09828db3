//! Counters that owe nothing any more: deleted by the purge, but never a failure.

use otpost_ports::{Counters, Purged, SessionStore};
use otpost_testkit::sample::NOON;

use crate::counted::{counters, opening, project, quotas, recipient, wrong_guess};
use crate::support::{Place, judged, open, run, value};

const ROWS: &str = "SELECT COUNT(*) FROM counters";
const TWO_DAYS_SECS: u32 = 172_800;

#[tokio::test]
async fn counters_are_forgotten_after_two_days_and_failures_never() {
    let place = Place::new();
    let storage = place.storage().await;
    let quotas = quotas(9);
    let first = opening(&place, 1, &quotas);
    open(&storage, first.clone()).await;
    let guess = wrong_guess(&place, &first, &quotas);
    judged(storage.apply(first.session.id(), guess).await);
    let other = place.other().await;
    assert_eq!(value::<i64>(&other, ROWS).await, 2);
    // The session goes first, so that only counters are left to purge.
    let before = NOON.plus_secs(TWO_DAYS_SECS - 1);
    let (closed, deleted) = (1, 1);
    let purged = storage.purge(before, 9).await.unwrap();
    assert_eq!(purged, Purged { closed, deleted });
    assert_eq!(value::<i64>(&other, ROWS).await, 2, "not before its time");

    for years in [0, 1, 9] {
        let later = NOON.plus_secs(TWO_DAYS_SECS + years * 31_536_000);
        assert_eq!(storage.purge(later, 9).await.unwrap(), Purged::default());
        assert_eq!(value::<i64>(&other, ROWS).await, 1);
    }

    let of_project = counters(&storage, &project()).await;
    assert_eq!(of_project, Counters::default());
    assert_eq!(counters(&storage, &recipient(&place)).await.failures, 1);
}

#[tokio::test]
async fn counters_are_forgotten_a_bounded_number_at_once() {
    let place = Place::new();
    let storage = place.storage().await;
    let other = place.other().await;
    let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20) \
                INSERT INTO counters SELECT CAST(i AS BLOB), 0, 0, 0, 0, 0 FROM n";
    run(&other, many).await;

    // Three for each session that the purge may delete.
    for left in [14, 8, 2, 0] {
        storage.purge(NOON, 2).await.unwrap();
        assert_eq!(value::<i64>(&other, ROWS).await, left);
    }
}
