//! Purges: closed at the hard end, gone after the retention, a bounded number at a time.

use otpost_domain::{ExpiryCause, State, Timestamp};
use otpost_ports::{OutboxQuery, Purged, RETENTION_SECS};

use crate::contract::Storage;
use crate::sample::{self, NOON, just_before};

/// A purge closes a session and erases its secret from its hard end on.
pub async fn a_purge_closes_at_the_hard_end_and_not_before(storage: &Storage) {
    let opening = storage.open(1).await;
    let id = opening.session.id();
    let hard_end = opening.session.hard_end();

    assert_eq!(purge(storage, just_before(hard_end), 9).await, (0, 0));
    assert_eq!(storage.find(id).await.secret, opening.secret);

    assert_eq!(purge(storage, hard_end, 9).await, (1, 0));
    let stored = storage.find(id).await;
    let cause = ExpiryCause::HardEndReached;
    let expired = State::Expired {
        at: hard_end,
        cause,
    };
    assert_eq!(stored.session.state(), &expired);
    assert!(stored.secret.is_none(), "{stored:?}");
    assert_eq!(purge(storage, hard_end, 9).await, (0, 0), "it is closed");
}

/// What was verified stays verified, and is not counted as closed.
pub async fn a_purge_leaves_a_verified_session_verified(storage: &Storage) {
    let opening = storage.open(1).await;
    let id = opening.session.id();
    let right = sample::code(&*storage.vault, &opening, 0);
    storage.apply(id, sample::submit(&right, NOON)).await;

    assert_eq!(purge(storage, opening.session.hard_end(), 9).await, (0, 0));
    let stored = storage.find(id).await;
    assert_eq!(stored.session.state(), &State::Verified { at: NOON });
}

/// A purge deletes a session when its retention is over.
pub async fn a_purge_deletes_after_the_retention_and_not_before(storage: &Storage) {
    let opening = storage.open(1).await;
    let id = opening.session.id();
    let over = closed(storage, opening.session.hard_end()).await;

    assert_eq!(purge(storage, just_before(over), 9).await, (0, 0));
    assert!(storage.is_there(id).await, "it is retained");

    assert_eq!(purge(storage, over, 9).await, (0, 1));
    assert!(!storage.is_there(id).await, "it is gone");
}

/// With a session its mail goes.
pub async fn a_deleted_session_leaves_no_mail(storage: &Storage) {
    let opening = storage.open(1).await;
    let over = closed(storage, opening.session.hard_end()).await;
    let listed = async || storage.outbox.list(OutboxQuery::any(9)).await.unwrap();
    assert_eq!(listed().await.len(), 1);

    purge(storage, over, 9).await;

    assert_eq!(listed().await, []);
    assert_eq!(storage.claim(2, over, 9).await, []);
}

/// A purge does no more at a time than it is asked for, and says whether more may be over.
pub async fn a_purge_is_bounded(storage: &Storage) {
    let mut hard_end = NOON;
    for number in 1..=3 {
        hard_end = storage.open(number).await.session.hard_end();
    }
    let over = hard_end.plus_secs(RETENTION_SECS);
    for (now, closed, deleted, is_full) in [
        (hard_end, 2, 0, true),
        (hard_end, 1, 0, false),
        (over, 0, 2, true),
        (over, 0, 1, false),
    ] {
        let expected = Purged {
            closed,
            deleted,
            is_full,
        };
        let purged = storage.sessions.purge(now, 2).await.unwrap();
        assert_eq!(purged, expected, "{now:?}");
    }
}

/// Closes what is open at `hard_end`, and says when the retention is over.
async fn closed(storage: &Storage, hard_end: Timestamp) -> Timestamp {
    purge(storage, hard_end, 9).await;
    hard_end.plus_secs(RETENTION_SECS)
}

async fn purge(storage: &Storage, now: Timestamp, limit: u32) -> (u64, u64) {
    let purged = storage.sessions.purge(now, limit).await.unwrap();
    (purged.closed, purged.deleted)
}
