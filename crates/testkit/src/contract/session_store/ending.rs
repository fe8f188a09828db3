//! What is left of a session that ended: its secret is not.

use otpost_domain::{ExpiryCause, State, TermsRecord, Verdict};
use otpost_ports::{DeliveryState, Opening, Outcome, Settlement};

use crate::contract::Storage;
use crate::sample::{self, NOON};

/// The secret of a session is erased in the commit that verifies it.
pub async fn a_verified_session_has_no_secret(storage: &Storage) {
    let opening = storage.open(1).await;
    let id = opening.session.id();
    let right = sample::code(&*storage.vault, &opening, 0);

    let applied = storage.apply(id, sample::submit(&right, NOON)).await;

    assert_eq!(applied.outcome, Outcome::Submitted(Verdict::Verified));
    let stored = storage.find(id).await;
    assert_eq!(stored.session.state(), &State::Verified { at: NOON });
    assert!(stored.secret.is_none(), "{stored:?}");
}

/// The secret of a session is erased in the commit that uses its last attempt.
pub async fn an_exhausted_session_has_no_secret(storage: &Storage) {
    let one_attempt = TermsRecord {
        attempts_max: 1,
        ..sample::terms()
    };
    let opening = sample::opening_at(&*storage.vault, 1, one_attempt, NOON);
    let opening = storage.keep(opening).await;
    let id = opening.session.id();
    let wrong = sample::wrong(&sample::code(&*storage.vault, &opening, 0));

    storage.apply(id, sample::submit(&wrong, NOON)).await;

    let stored = storage.find(id).await;
    let cause = ExpiryCause::AttemptsExhausted;
    assert_eq!(stored.session.state(), &State::Expired { at: NOON, cause });
    assert!(stored.secret.is_none(), "{stored:?}");
}

/// The secret of a session is erased in the commit of a command that finds its hard end past.
pub async fn a_session_found_over_has_no_secret(storage: &Storage) {
    let opening = storage.open(1).await;
    let id = opening.session.id();
    let over = opening.session.hard_end();
    let right = sample::code(&*storage.vault, &opening, 0);

    let applied = storage.apply(id, sample::submit(&right, over)).await;

    assert_eq!(applied.outcome, Outcome::Submitted(Verdict::Expired));
    let stored = storage.find(id).await;
    assert!(stored.session.pending().is_none(), "{stored:?}");
    assert!(stored.secret.is_none(), "{stored:?}");
}

/// The mail of a session that just ended is due at once: somebody takes it up, and drops it.
pub async fn a_session_that_ends_has_its_mail_taken_up_at_once(storage: &Storage) {
    let opening = waiting(storage).await;
    let id = opening.session.id();
    let right = sample::code(&*storage.vault, &opening, 0);
    let now = NOON.plus_secs(5);
    assert!(storage.claim(2, now, 1).await.is_empty(), "not yet due");

    storage.apply(id, sample::submit(&right, now)).await;

    assert_eq!(storage.find(id).await.delivery.state, DeliveryState::Queued);
    let claimed = storage.claim(2, now, 1).await;
    let sessions: Vec<_> = claimed.iter().map(|one| one.session.pending()).collect();
    assert_eq!(sessions, [None], "its mail is due, and it has ended");
}

/// A session whose mail was tried once and waits for an hour.
pub(super) async fn waiting(storage: &Storage) -> Opening {
    let opening = storage.open(1).await;
    let later = Settlement::Retry {
        due_at: NOON.plus_secs(3600),
        was_due_at: NOON,
        reply: None,
    };
    storage.deliver(opening.session.id(), NOON, later).await;
    opening
}
