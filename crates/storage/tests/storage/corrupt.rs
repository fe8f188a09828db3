//! Rows that nobody wrote: reported with their table, never judged, never a panic.

use otpost_ports::{Claim, LeaseToken, Outbox, SessionStore, StoreError};
use otpost_testkit::sample::{self, NOON};

use crate::counted::{opening, project, quotas, wrong_guess};
use crate::support::{Place, open, run, value};

#[tokio::test]
async fn a_corrupt_row_is_reported_and_not_judged() {
    for (table, change) in [
        ("sessions", "UPDATE sessions SET attempts = 6"),
        ("sessions", "UPDATE sessions SET attempts = -1"),
        ("sessions", "UPDATE sessions SET attempts = 'secret'"),
        ("sessions", "UPDATE sessions SET attempts = 70000"),
        ("sessions", "UPDATE sessions SET state = 9"),
        ("sessions", "UPDATE sessions SET state = 1"),
        ("sessions", "UPDATE sessions SET generation = NULL"),
        ("sessions", "UPDATE sessions SET generation = 4294967296"),
        ("sessions", "UPDATE sessions SET resend_policy = 2"),
        ("sessions", "UPDATE sessions SET code_length = 9"),
        ("sessions", "UPDATE sessions SET hard_end = opened_at"),
        ("sessions", "UPDATE sessions SET template = 'No Name'"),
        ("sessions", "UPDATE sessions SET recipient = x'00'"),
        ("sessions", "UPDATE sessions SET secret_kid = NULL"),
        ("sessions", "UPDATE sessions SET secret_nonce = x'00'"),
        ("deliveries", "UPDATE deliveries SET message = x'00'"),
        ("deliveries", "UPDATE deliveries SET state = 3"),
        ("deliveries", "UPDATE deliveries SET tries = -1"),
        ("deliveries", "DELETE FROM deliveries"),
    ] {
        let place = Place::new();
        let storage = place.storage().await;
        let (opening, right) = place.open(&storage, 1).await;
        let id = opening.session.id();
        let other = place.other().await;
        run(&other, change).await;
        let version: i64 = value(&other, "PRAGMA data_version").await;

        let found = storage.find(&sample::owner(), id).await;
        assert_corrupt(found, table, change);
        let applied = storage.apply(id, sample::submit(&right, NOON)).await;
        assert_corrupt(applied, table, change);

        let after: i64 = value(&other, "PRAGMA data_version").await;
        assert_eq!(after, version, "nothing was written: {change}");
    }
}

#[tokio::test]
async fn counters_that_nobody_wrote_are_reported_and_nothing_is_opened_or_judged() {
    for change in [
        "UPDATE counters SET failures = -1",
        "UPDATE counters SET failures = 4294967296",
        "UPDATE counters SET paid_2 = 'secret'",
    ] {
        let place = Place::new();
        let storage = place.storage().await;
        let quotas = quotas(9);
        let opened = opening(&place, 1, &quotas);
        open(&storage, opened.clone()).await;
        let other = place.other().await;
        run(&other, change).await;
        let version: i64 = value(&other, "PRAGMA data_version").await;

        let refused = storage.open(opening(&place, 2, &quotas)).await;
        assert_corrupt(refused, "counters", change);
        let guess = wrong_guess(&place, &opened, &quotas);
        let applied = storage.apply(opened.session.id(), guess).await;
        assert_corrupt(applied, "counters", change);
        let ledger = storage.ledger(&[project()].into()).await;
        assert_corrupt(ledger, "counters", change);

        let after: i64 = value(&other, "PRAGMA data_version").await;
        assert_eq!(after, version, "nothing was written: {change}");
    }
}

#[track_caller]
fn assert_corrupt<T>(answer: Result<T, StoreError>, expected: &str, change: &str) {
    match answer {
        Err(StoreError::Corrupt { table, reason }) => {
            assert_eq!(table, expected, "{change}");
            assert!(!reason.contains("secret'"), "{change}: {reason}");
        }
        Err(error) => panic!("{change}: another error: {error:?}"),
        Ok(_) => panic!("{change}: an answer"),
    }
}

#[tokio::test]
async fn a_broken_row_does_not_hold_up_the_mails_of_others() {
    for broken in [
        "UPDATE sessions SET attempts = 6 WHERE id = (SELECT MIN(id) FROM sessions)",
        "DELETE FROM sessions WHERE id = (SELECT MIN(id) FROM sessions)",
    ] {
        let place = Place::new();
        let storage = place.storage().await;
        place.open(&storage, 1).await;
        let (good, _) = place.open(&storage, 2).await;
        let other = place.other().await;
        run(&other, broken).await;

        let claim = Claim {
            token: LeaseToken([1; 16]),
            now: NOON,
            until: NOON.plus_secs(60),
            limit: 9,
        };
        let claimed = storage.claim(claim).await.unwrap();

        let ids: Vec<_> = claimed.iter().map(|one| *one.session.id()).collect();
        assert_eq!(ids, [*good.session.id()], "{broken}");
    }
}

#[tokio::test]
async fn a_corrupt_session_is_purged_like_any_other() {
    let place = Place::new();
    let storage = place.storage().await;
    let (opening, _) = place.open(&storage, 1).await;
    let other = place.other().await;
    run(&other, "UPDATE sessions SET attempts = 6").await;

    let end = opening.session.hard_end();
    assert_eq!(storage.purge(end, 9).await.unwrap().closed, 1);
    let secrets = "SELECT COUNT(*) FROM sessions WHERE secret_nonce IS NOT NULL";
    assert_eq!(value::<i64>(&other, secrets).await, 0);

    let forgotten = end.plus_secs(otpost_ports::RETENTION_SECS);
    assert_eq!(storage.purge(forgotten, 9).await.unwrap().deleted, 1);
    for rows in [
        "SELECT COUNT(*) FROM sessions",
        "SELECT COUNT(*) FROM deliveries",
    ] {
        assert_eq!(value::<i64>(&other, rows).await, 0, "{rows}");
    }
}
