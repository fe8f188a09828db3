//! What a purge forgets of what was counted, and what it does not.

use otpost_domain::Timestamp;
use otpost_ports::{AuditAction, Counters, FAILURES_RETENTION_SECS, Scope, Subject};

use super::{TWO_DAYS_SECS, counters, everyone, fail, failures, recipient};
use crate::contract::Storage;
use crate::sample::{self, NOON, just_before};

/// The first instant at which failures of [`NOON`] are forgotten.
const OVER: Timestamp = NOON.plus_secs(FAILURES_RETENTION_SECS);

/// What was counted outlives the sessions for which it was counted.
pub async fn a_purge_forgets_no_failure(storage: &Storage) {
    fail(storage, 100, 10).await;
    let before = everyone(storage).await;

    let over = NOON.plus_secs(TWO_DAYS_SECS);
    let purged = storage.sessions.purge(over, 99).await.unwrap();
    assert!(purged.closed + purged.deleted > 0, "{purged:?}");
    storage.sessions.purge(over, 99).await.unwrap();

    assert!(!storage.is_there(&sample::session_id(100, NOON)).await);
    assert_eq!(everyone(storage).await, before);
}

/// Failures that nobody added to are forgotten after a year, and not before.
pub async fn a_purge_forgets_failures_after_a_year(storage: &Storage) {
    fail(storage, 100, 99).await;

    purge(storage, just_before(OVER)).await;
    assert_eq!(failures(storage).await, 99);

    purge(storage, OVER).await;
    assert_eq!(failures(storage).await, 0);
}

/// A hold outlasts every purge: only a release, a success or an erasure ends it.
pub async fn a_purge_ends_no_hold(storage: &Storage) {
    fail(storage, 100, 100).await;

    purge(storage, OVER.plus_secs(FAILURES_RETENTION_SECS)).await;

    assert_eq!(failures(storage).await, 100);
}

/// What a project has forgiven is forgotten after a year, however much it was.
pub async fn a_purge_forgets_what_was_forgiven_after_a_year(storage: &Storage) {
    fail(storage, 100, 100).await;
    let project = sample::owner().project;
    let recipient = recipient(storage);
    let forgiven = Subject::recipient_of(&project, &recipient);
    let scope = Scope::Project(project);
    let entry = sample::recipient_entry(AuditAction::RecipientReleased, &scope, Some(recipient));
    let released = storage.recipients.release(&recipient, &scope, entry).await;
    assert!(released.unwrap());

    purge(storage, just_before(OVER)).await;
    assert_eq!(counters(storage, &forgiven).await.failures, 100);

    purge(storage, OVER).await;
    assert_eq!(counters(storage, &forgiven).await, Counters::default());
    assert_eq!(failures(storage).await, 100);
}

/// Purges more often than there is anything to forget.
async fn purge(storage: &Storage, now: Timestamp) {
    for _ in 0..9 {
        storage.sessions.purge(now, 99).await.unwrap();
    }
}
