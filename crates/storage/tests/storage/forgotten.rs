//! What the purge deletes besides sessions: counters, failures, answers and entries of the audit
//! log.

use otpost_ports::{
    AUDIT_RETENTION_SECS, AuditEntry, Counters, FAILURES_RETENTION_SECS, KeyStore, Purged,
    SessionStore,
};
use otpost_testkit::sample::{self, NOON};

use crate::counted::{counters, opening, project, quotas, recipient, wrong_guess};
use crate::support::{Place, judged, on_both, open, run, value};

on_both! {
    counters_are_forgotten_after_two_days_and_failures_are_not
    a_hold_is_never_forgotten_and_what_a_project_forgave_is
    entries_of_the_audit_log_are_forgotten_after_two_years_a_bounded_number_at_once
    answers_are_forgotten_when_their_time_is_over_a_bounded_number_at_once
    counters_are_forgotten_a_bounded_number_at_once
}

/// One that was only locked is as if never used.
const ROWS: &str = "SELECT COUNT(*) FROM counters WHERE used_at > 0";
const TWO_DAYS_SECS: u32 = 172_800;

/// A purge of no session, after which more is over, or is not.
const fn full(is_full: bool) -> Purged {
    Purged {
        closed: 0,
        deleted: 0,
        is_full,
    }
}

async fn counters_are_forgotten_after_two_days_and_failures_are_not(place: Place) {
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
    assert_eq!(
        purged,
        Purged {
            closed,
            deleted,
            is_full: false
        }
    );
    assert_eq!(value::<i64>(&other, ROWS).await, 2, "not before its time");

    for later in [TWO_DAYS_SECS, FAILURES_RETENTION_SECS - 1] {
        let later = NOON.plus_secs(later);
        assert_eq!(storage.purge(later, 9).await.unwrap(), Purged::default());
        assert_eq!(value::<i64>(&other, ROWS).await, 1);
    }

    let of_project = counters(&storage, &project()).await;
    assert_eq!(of_project, Counters::default());
    assert_eq!(counters(&storage, &recipient(&place)).await.failures, 1);

    let year = NOON.plus_secs(FAILURES_RETENTION_SECS);
    assert_eq!(storage.purge(year, 9).await.unwrap(), Purged::default());
    assert_eq!(value::<i64>(&other, ROWS).await, 0);
}

async fn a_hold_is_never_forgotten_and_what_a_project_forgave_is(place: Place) {
    let storage = place.storage().await;
    let other = place.other().await;
    // The shared rows of two recipients, and both as one project knows them.
    for (subject, failures) in [
        ("x'02aa'", 100),
        ("x'02bb'", 99),
        ("x'03aa61'", 100),
        ("x'03bb61'", 4_000_000_000_u32),
    ] {
        let used_at = NOON.as_millis();
        let row = format!(
            "INSERT INTO counters VALUES ({subject}, 0, 0, 0, {failures}, {used_at}, NULL)"
        );
        run(&other, &row).await;
    }

    let year = NOON.plus_secs(FAILURES_RETENTION_SECS);
    storage.purge(year.minus_secs(1), 9).await.unwrap();
    assert_eq!(value::<i64>(&other, ROWS).await, 4, "not before its time");
    for later in [0, FAILURES_RETENTION_SECS] {
        storage.purge(year.plus_secs(later), 9).await.unwrap();
        let hold = "SELECT COUNT(*) FROM counters WHERE subject = x'02aa'";
        assert_eq!(value::<i64>(&other, hold).await, 1);
        assert_eq!(value::<i64>(&other, ROWS).await, 1);
    }
}

async fn entries_of_the_audit_log_are_forgotten_after_two_years_a_bounded_number_at_once(
    place: Place,
) {
    let storage = place.storage().await;
    let other = place.other().await;
    for seconds in 0..5 {
        let entry = AuditEntry {
            at: NOON.plus_secs(seconds),
            ..sample::project_entry("acme")
        };
        let name = format!("acme-{seconds}");
        let project = sample::project_record(&name);
        assert!(storage.create_project(project, entry).await.unwrap());
    }

    let entries = "SELECT COUNT(*) FROM audit_log";
    let last = NOON.plus_secs(AUDIT_RETENTION_SECS + 3);
    for (now, limit, left, is_full) in [
        (last.minus_secs(4), 9, 5, false),
        (last, 3, 2, true),
        (last, 3, 1, false),
        (last, 3, 1, false),
        (last.plus_secs(1), 3, 0, false),
    ] {
        let purged = storage.purge(now, limit).await.unwrap();
        assert_eq!(value::<i64>(&other, entries).await, left);
        assert_eq!(purged, full(is_full), "{left}");
    }
}

async fn answers_are_forgotten_when_their_time_is_over_a_bounded_number_at_once(place: Place) {
    let storage = place.storage().await;
    let other = place.other().await;
    let until = NOON.as_millis();
    let many = (1..=20).map(|key| format!("(x'{key:02x}', x'00', x'00', x'00', {until}, 0)"));
    let many: Vec<_> = many.collect();
    let many = format!("INSERT INTO kept_answers VALUES {}", many.join(", "));
    run(&other, &many).await;

    let answers = "SELECT COUNT(*) FROM kept_answers";
    let before = sample::just_before(NOON);
    // Eight for each session that the purge may delete.
    for (now, left) in [(before, 20), (NOON, 12), (NOON, 4), (NOON, 0)] {
        let purged = storage.purge(now, 1).await.unwrap();
        assert_eq!(value::<i64>(&other, answers).await, left);
        let is_full = now == NOON && left > 0;
        assert_eq!(purged, full(is_full), "{left}");
    }
}

async fn counters_are_forgotten_a_bounded_number_at_once(place: Place) {
    let storage = place.storage().await;
    let other = place.other().await;
    let many = (1..=20).map(|subject| format!("(x'{subject:02x}', 0, 0, 0, 0, 1, NULL)"));
    let many: Vec<_> = many.collect();
    let many = format!("INSERT INTO counters VALUES {}", many.join(", "));
    run(&other, &many).await;

    // Three for each session that the purge may delete.
    for left in [14, 8, 2, 0] {
        let purged = storage.purge(NOON, 2).await.unwrap();
        assert_eq!(value::<i64>(&other, ROWS).await, left);
        assert_eq!(purged, full(left > 0), "{left}");
    }
}
