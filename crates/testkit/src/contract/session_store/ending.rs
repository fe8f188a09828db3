//! What is left of a session that ended: its secret is not.

use otpost_domain::{ExpiryCause, Refusal, Resend, State, TermsRecord, Verdict};
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

/// So is that of a session which a refused resend finds over.
pub async fn a_refused_resend_that_ends_a_session_hurries_its_mail(storage: &Storage) {
    let opening = waiting(storage).await;
    let id = opening.session.id();
    let over = opening.session.hard_end();
    assert!(storage.claim(2, over, 1).await.is_empty(), "not yet due");

    let judged = storage.apply(id, sample::resend(9, over)).await;

    let ended = Resend::Refuse(Refusal::Ended);
    assert_eq!(judged.outcome, Outcome::Resent(ended));
    assert!(storage.find(id).await.secret.is_none());
    let claimed = storage.claim_messages(2, over, 9).await;
    assert_eq!(
        claimed,
        [opening.delivery.message],
        "the last mail, and no other"
    );
}

/// However a session ends, the variables of its template are erased in that commit; until then
/// they are there.
pub async fn an_ended_session_has_no_variables(storage: &Storage) {
    let one_attempt = TermsRecord {
        attempts_max: 1,
        ..sample::terms()
    };
    let verified = storage.open(1).await;
    let exhausted = sample::opening_at(&*storage.vault, 2, one_attempt, NOON);
    let exhausted = storage.keep(exhausted).await;
    let (refused, purged) = (storage.open(3).await, storage.open(4).await);
    let over = purged.session.hard_end();
    let right = sample::code(&*storage.vault, &verified, 0);
    let wrong = sample::wrong(&sample::code(&*storage.vault, &exhausted, 0));

    for opening in [&verified, &exhausted, &refused, &purged] {
        let id = opening.session.id();
        storage.apply(id, sample::submit_typed("12", NOON)).await;
        let kept = storage.find(id).await.context.variables;
        assert_eq!(kept, opening.context.variables, "it goes on");
    }
    for (opening, command) in [
        (verified, sample::submit(&right, NOON)),
        (exhausted, sample::submit(&wrong, NOON)),
        (refused, sample::resend(9, over)),
    ] {
        let judged = storage.apply(opening.session.id(), command).await;
        assert!(judged.stored.session.pending().is_none());
        let stored = storage.find(opening.session.id()).await;
        assert_eq!(stored.context.variables, None, "{:?}", judged.outcome);
    }
    let closed = storage.sessions.purge(over, 9).await.unwrap().closed;
    assert_eq!(closed, 1);
    let stored = storage.find(purged.session.id()).await;
    assert_eq!(stored.context.variables, None, "purged");
}

/// A session whose mail was tried once and waits for a day.
pub(super) async fn waiting(storage: &Storage) -> Opening {
    let opening = storage.open(1).await;
    let later = Settlement::Retry {
        due_at: NOON.plus_secs(86_400),
        was_due_at: NOON,
        reply: None,
    };
    storage.deliver(opening.session.id(), NOON, later).await;
    opening
}
