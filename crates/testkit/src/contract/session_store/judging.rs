//! Guesses: each is counted, none is judged twice.

use otpost_domain::Verdict;
use otpost_ports::{CodeSecret, Opening, Outcome, StoreError, VaultError};

use crate::contract::{CALLERS, Storage};
use crate::sample::{self, NOON};

/// When a wrong guess is answered it is in the storage.
pub async fn a_wrong_guess_is_counted_before_it_is_answered(storage: &Storage) {
    let opening = storage.open(1).await;
    let id = opening.session.id();
    let wrong = sample::wrong(&sample::code(&*storage.vault, &opening, 0));

    for attempts in 1..=2 {
        let applied = storage.apply(id, sample::submit(&wrong, NOON)).await;
        let attempts_remaining = 5 - attempts;
        assert_eq!(
            applied.outcome,
            Outcome::Submitted(Verdict::WrongCode { attempts_remaining })
        );
        assert_eq!(storage.find(id).await.session.attempts(), attempts);
    }
}

/// Of any number of parallel wrong guesses no more are judged than the session has attempts.
pub async fn parallel_wrong_guesses_are_judged_attempts_max_times(storage: &Storage) {
    let opening = storage.open(1).await;
    let id = *opening.session.id();
    let wrong = sample::wrong(&sample::code(&*storage.vault, &opening, 0));

    let mut outcomes = storage.apply_all(id, sample::submit(&wrong, NOON)).await;

    let refused = Outcome::Submitted(Verdict::TooManyAttempts);
    let all = outcomes.len();
    outcomes.retain(|outcome| *outcome != refused);
    let mut remaining: Vec<_> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Outcome::Submitted(Verdict::WrongCode { attempts_remaining }) => *attempts_remaining,
            other => panic!("a wrong code was answered {other:?}"),
        })
        .collect();
    remaining.sort_unstable();
    assert_eq!(remaining, [0, 1, 2, 3, 4], "each attempt is spent once");
    assert_eq!(all, CALLERS, "everyone was answered");
    assert_eq!(storage.find(&id).await.session.attempts(), 5);
}

/// However many submit the right code at once, one of them is the first.
pub async fn parallel_right_codes_verify_once(storage: &Storage) {
    let opening = storage.open(1).await;
    let id = *opening.session.id();
    let right = sample::code(&*storage.vault, &opening, 0);

    let outcomes = storage.apply_all(id, sample::submit(&right, NOON)).await;

    let count = |verdict| {
        let outcome = Outcome::Submitted(verdict);
        outcomes.iter().filter(|one| **one == outcome).count()
    };
    assert_eq!(count(Verdict::Verified), 1, "verified once");
    assert_eq!(count(Verdict::AlreadyVerified), CALLERS - 1);
    assert_eq!(storage.find(&id).await.session.attempts(), 1);
}

/// What an answer shows of the session is what the storage has.
pub async fn the_answer_shows_the_session_as_it_is_stored(storage: &Storage) {
    let opening = storage.open(1).await;
    let id = opening.session.id();
    let right = sample::code(&*storage.vault, &opening, 0);

    for command in [
        sample::submit_typed("12", NOON),
        sample::resend(2, NOON.plus_secs(40)),
        sample::submit(&right, NOON.plus_secs(41)),
    ] {
        let applied = storage.apply(id, command.clone()).await;
        assert_eq!(applied.stored, storage.find(id).await, "{command:?}");
    }
}

/// Where the vault cannot say the code nothing is judged: no success, no attempt.
pub async fn a_guess_that_cannot_be_judged_is_not_counted(storage: &Storage) {
    let kid = u32::MAX;
    let opening = sample::opening(&*storage.vault, 1);
    let right = sample::code(&*storage.vault, &opening, 0);
    let secret = opening.secret.map(|secret| CodeSecret { kid, ..secret });
    let opening = storage.keep(Opening { secret, ..opening }).await;
    let id = opening.session.id();

    let submit = sample::submit(&right, NOON);
    let refused = storage.sessions.apply(id, submit).await;

    assert!(
        matches!(
            refused,
            Err(StoreError::Vault(VaultError::UnknownKey(u32::MAX)))
        ),
        "{refused:?}"
    );
    assert_eq!(storage.find(id).await.session, opening.session);
}
