//! Rows that nobody wrote: reported with their table, never judged, never a panic.

use otpost_ports::{
    AuditAction, AuditEntry, AuditLog, Claim, Command, KeyRecord, KeyStore, Lease, LeaseToken,
    Opening, Outbox, OutboxQuery, RecipientStore, Scope, SessionStore, StoreError, VaultError,
};
use otpost_testkit::sample::{self, NOON};

use crate::counted::{opening, project, quotas, wrong_guess};
use crate::support::{Place, is_written, on_both, open, run, value, version};

on_both! {
    a_corrupt_row_is_reported_and_not_judged
    counters_that_nobody_wrote_are_reported_and_nothing_is_opened_or_judged
    an_answer_that_nobody_kept_is_reported_and_neither_said_nor_replaced
    an_entry_that_nobody_wrote_is_reported
    a_key_whose_ranges_cannot_be_read_is_not_accepted_from_anywhere
    a_key_that_does_not_convert_is_revoked_and_the_log_names_its_project
    a_recipient_with_a_corrupt_row_is_neither_shown_nor_written_down_as_shown
    a_broken_row_neither_holds_up_nor_hides_the_mails_of_others
    a_corrupt_session_is_purged_like_any_other
}

async fn a_corrupt_row_is_reported_and_not_judged(place: Place) {
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
        ("deliveries", "UPDATE deliveries SET state = 4"),
        ("deliveries", "UPDATE deliveries SET tries = -1"),
        ("deliveries", "DELETE FROM deliveries"),
    ] {
        let place = place.another().await;
        let storage = place.storage().await;
        let (opening, right) = place.open(&storage, 1).await;
        let id = opening.session.id();
        let other = place.other().await;
        if !is_written(&other, change).await {
            continue;
        }
        let before = version(&other).await;

        let found = storage.find(&sample::owner(), id).await;
        assert_corrupt(found, table, change);
        let applied = storage.apply(id, sample::submit(&right, NOON)).await;
        assert_corrupt(applied, table, change);

        let after = version(&other).await;
        assert_eq!(after, before, "nothing was written: {change}");
    }
}

async fn counters_that_nobody_wrote_are_reported_and_nothing_is_opened_or_judged(place: Place) {
    for change in [
        "UPDATE counters SET failures = -1",
        "UPDATE counters SET failures = 4294967296",
        "UPDATE counters SET paid_2 = 'secret'",
    ] {
        let place = place.another().await;
        let storage = place.storage().await;
        let quotas = quotas(9);
        let opened = opening(&place, 1, &quotas);
        open(&storage, opened.clone()).await;
        let other = place.other().await;
        if !is_written(&other, change).await {
            continue;
        }
        let before = version(&other).await;

        let refused = storage.open(opening(&place, 2, &quotas)).await;
        assert_corrupt(refused, "counters", change);
        let guess = wrong_guess(&place, &opened, &quotas);
        let applied = storage.apply(opened.session.id(), guess).await;
        assert_corrupt(applied, "counters", change);
        let ledger = storage.ledger(&[project()].into()).await;
        assert_corrupt(ledger, "counters", change);

        let after = version(&other).await;
        assert_eq!(after, before, "nothing was written: {change}");
    }
}

async fn an_answer_that_nobody_kept_is_reported_and_neither_said_nor_replaced(place: Place) {
    let once = |place: &Place| {
        Some(sample::once(
            &*place.vault,
            "key",
            "body",
            NOON.plus_secs(9),
        ))
    };
    for change in [
        "UPDATE kept_answers SET request = x'00'",
        "UPDATE kept_answers SET session_id = x'00'",
        "UPDATE kept_answers SET until_at = 'secret'",
        "UPDATE kept_answers SET conflicts = -1",
        "UPDATE kept_answers SET conflicts = 256",
        "UPDATE kept_answers SET answer = x'00'",
    ] {
        let place = place.another().await;
        let storage = place.storage().await;
        let opened = Opening {
            once: once(&place),
            ..sample::opening(&*place.vault, 1)
        };
        open(&storage, opened.clone()).await;
        let other = place.other().await;
        if !is_written(&other, change).await {
            continue;
        }
        let before = version(&other).await;

        let again = Opening {
            once: once(&place),
            ..sample::opening(&*place.vault, 2)
        };
        let guess = Command {
            once: once(&place),
            ..sample::submit_typed("000000", NOON)
        };
        let refused = storage.open(again).await.map(|_| ());
        let unjudged = storage.apply(opened.session.id(), guess).await.map(|_| ());
        for answer in [refused, unjudged] {
            if change.contains("answer = ") {
                let error = answer.expect_err(change);
                assert!(
                    matches!(error, StoreError::Vault(VaultError::Tampered)),
                    "{error:?}"
                );
            } else {
                assert_corrupt(answer, "kept_answers", change);
            }
        }

        let after = version(&other).await;
        assert_eq!(after, before, "nothing was written: {change}");
    }
}

async fn an_entry_that_nobody_wrote_is_reported(place: Place) {
    for change in [
        "UPDATE audit_log SET actor_kind = 2",
        "UPDATE audit_log SET actor_kind = 1",
        "UPDATE audit_log SET action = 'secret'",
        "UPDATE audit_log SET project = 'No Name'",
        "UPDATE audit_log SET key_id = 'secret'",
        "UPDATE audit_log SET recipient = x'00'",
        "UPDATE audit_log SET at = 'secret'",
    ] {
        let place = place.another().await;
        let storage = place.storage().await;
        let (project, entry) = (
            sample::project_record("acme"),
            sample::project_entry("acme"),
        );
        assert!(storage.create_project(project, entry).await.unwrap());
        assert_eq!(storage.entries(None, 9).await.unwrap().len(), 1);
        if !is_written(&place.other().await, change).await {
            continue;
        }

        let entries = storage.entries(None, 9).await;
        assert_corrupt(entries, "audit_log", change);
    }
}

async fn a_key_whose_ranges_cannot_be_read_is_not_accepted_from_anywhere(place: Place) {
    let storage = place.storage().await;
    let (project, entry) = (
        sample::project_record("acme"),
        sample::project_entry("acme"),
    );
    assert!(storage.create_project(project, entry).await.unwrap());
    let key = KeyRecord {
        allowed_from: vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()],
        ..sample::key_record(1)
    };
    let entry = sample::key_entry(AuditAction::KeyCreated, &key);
    assert!(storage.insert_key(key.clone(), entry).await.unwrap());
    let found = storage.find_key(&key.id).await.unwrap().unwrap();
    assert_eq!(found.allowed_from, key.allowed_from);
    let change = "UPDATE api_keys SET allowed_from = '10.0.0.0/8 secret'";
    run(&place.other().await, change).await;

    let found = storage.find_key(&key.id).await;
    assert_corrupt(found, "api_keys", change);
}

async fn a_key_that_does_not_convert_is_revoked_and_the_log_names_its_project(place: Place) {
    for change in [
        "UPDATE api_keys SET allowed_from = '10.0.0.0/8 secret'",
        "UPDATE api_keys SET created_at = 'secret'",
        "UPDATE api_keys SET mode = 'secret'",
        "UPDATE api_keys SET digest = 7",
    ] {
        let place = place.another().await;
        let storage = place.storage().await;
        let (project, entry) = (
            sample::project_record("acme"),
            sample::project_entry("acme"),
        );
        let is_new = storage.create_project(project, entry).await.unwrap();
        assert!(is_new, "{change}");
        let key = sample::key_record(1);
        let entry = |action| sample::key_entry(action, &key);
        let created = entry(AuditAction::KeyCreated);
        let is_kept = storage.insert_key(key.clone(), created).await.unwrap();
        assert!(is_kept, "{change}");
        let other = place.other().await;
        if !is_written(&other, change).await {
            continue;
        }
        assert_corrupt(storage.find_key(&key.id).await, "api_keys", change);

        let revoked = entry(AuditAction::KeyRevoked);
        let of_no_project = AuditEntry {
            project: None,
            ..revoked.clone()
        };
        for _ in 0..2 {
            let entry = of_no_project.clone();
            let is_known = storage.revoke_key(&key.id, entry).await;
            assert!(is_known.expect(change), "{change}");
        }

        let since: i64 = value(&other, "SELECT revoked_at FROM api_keys").await;
        assert_eq!(since, NOON.as_millis(), "{change}");
        let entries = storage.entries(None, 9).await.unwrap();
        assert_eq!(entries.len(), 3, "{change}");
        assert_eq!(entries[0], revoked, "{change}");
    }
}

async fn a_recipient_with_a_corrupt_row_is_neither_shown_nor_written_down_as_shown(place: Place) {
    for (table, change) in [
        ("sessions", "UPDATE sessions SET attempts = 6"),
        ("deliveries", "DELETE FROM deliveries"),
    ] {
        let place = place.another().await;
        let storage = place.storage().await;
        place.open(&storage, 1).await;
        if !is_written(&place.other().await, change).await {
            continue;
        }
        let (recipient, scope) = (sample::recipient(&*place.vault), Scope::Installation);
        let shown = AuditAction::RecipientShown;
        let entry = sample::recipient_entry(shown, &scope, Some(recipient));

        let record = storage.look_up(&recipient, &scope, 9, entry).await;

        assert_corrupt(record, table, change);
        assert_eq!(storage.entries(None, 9).await.unwrap(), []);
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

async fn a_broken_row_neither_holds_up_nor_hides_the_mails_of_others(place: Place) {
    for broken in [
        "UPDATE sessions SET attempts = 6 WHERE id = (SELECT id FROM sessions ORDER BY id LIMIT 1)",
        "DELETE FROM sessions WHERE id = (SELECT id FROM sessions ORDER BY id LIMIT 1)",
    ] {
        let place = place.another().await;
        let storage = place.storage().await;
        place.open(&storage, 1).await;
        let (good, _) = place.open(&storage, 2).await;
        let other = place.other().await;
        run(&other, broken).await;
        let first = "UPDATE deliveries SET due_at = due_at - 1 WHERE session_id = \
                     (SELECT session_id FROM deliveries ORDER BY session_id LIMIT 1)";
        run(&other, first).await;

        let mut ids = Vec::new();
        for number in 1..=2 {
            let claim = Claim {
                lease: Lease {
                    token: LeaseToken([number; 16]),
                    until: NOON.plus_secs(60),
                },
                now: NOON,
                limit: 1,
            };
            let claimed = storage.claim(claim).await.unwrap();
            ids.extend(claimed.iter().map(|one| *one.session.id()));
        }

        // The first that was handed out is the broken one, and leased like any other.
        assert_eq!(ids, [*good.session.id()], "{broken}");
        let listed = storage.list(OutboxQuery::any(9)).await.unwrap();
        let ids: Vec<_> = listed.iter().map(|one| *one.session.id()).collect();
        assert_eq!(ids, [*good.session.id()], "{broken}");
    }
}

async fn a_corrupt_session_is_purged_like_any_other(place: Place) {
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
