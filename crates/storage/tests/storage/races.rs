//! Many callers at once: no guess too many, no second success.

use otpost_domain::{SessionId, Verdict};
use otpost_ports::{Command, Outcome, SessionStore};
use otpost_storage::Storage;
use otpost_testkit::sample::{self, NOON};
use tokio::task::JoinSet;

use crate::support::{Place, find, judged, on_both, version};

on_both! {
    of_300_parallel_wrong_guesses_exactly_5_are_judged
    of_300_parallel_right_codes_exactly_one_verifies
    two_programs_on_one_database_judge_no_guess_too_many
    a_command_that_changes_nothing_writes_nothing
}

const CALLERS: usize = 100;
const GUESSES_EACH: usize = 3;

/// The verdicts of 300 submissions over 100 callers, in turn over `programs`.
pub(crate) async fn guess(programs: &[&Storage], id: SessionId, command: &Command) -> Vec<Verdict> {
    let mut callers = JoinSet::new();
    for (_, &storage) in (0..CALLERS).zip(programs.iter().cycle()) {
        let (storage, command) = (storage.clone(), command.clone());
        callers.spawn(async move {
            let mut verdicts = Vec::new();
            for _ in 0..GUESSES_EACH {
                match judged(storage.apply(&id, command.clone()).await).outcome {
                    Outcome::Submitted(verdict) => verdicts.push(verdict),
                    Outcome::Resent(_) => panic!("no resend was asked for"),
                }
            }
            verdicts
        });
    }
    callers.join_all().await.into_iter().flatten().collect()
}

pub(crate) fn count(verdicts: &[Verdict], which: impl Fn(&Verdict) -> bool) -> usize {
    verdicts.iter().filter(|verdict| which(verdict)).count()
}

async fn of_300_parallel_wrong_guesses_exactly_5_are_judged(place: Place) {
    let storage = place.storage().await;
    let (opening, right) = place.open(&storage, 1).await;
    let id = *opening.session.id();

    let wrong = sample::submit(&sample::wrong(&right), NOON);
    let verdicts = guess(&[&storage], id, &wrong).await;

    assert_eq!(verdicts.len(), CALLERS * GUESSES_EACH);
    let judged = count(&verdicts, |one| matches!(one, Verdict::WrongCode { .. }));
    let refused = count(&verdicts, |one| *one == Verdict::TooManyAttempts);
    assert_eq!((judged, refused), (5, 295));
    assert_eq!(find(&storage, &id).await.session.attempts(), 5);
}

async fn of_300_parallel_right_codes_exactly_one_verifies(place: Place) {
    let storage = place.storage().await;
    let (opening, right) = place.open(&storage, 1).await;
    let id = *opening.session.id();

    let verdicts = guess(&[&storage], id, &sample::submit(&right, NOON)).await;

    let verified = count(&verdicts, |one| *one == Verdict::Verified);
    let refused = count(&verdicts, |one| *one == Verdict::AlreadyVerified);
    assert_eq!((verified, refused), (1, 299));
    assert_eq!(find(&storage, &id).await.session.attempts(), 1);
}

async fn two_programs_on_one_database_judge_no_guess_too_many(place: Place) {
    let (one, two) = (place.storage().await, place.connect().await);
    let (opening, right) = place.open(&one, 1).await;
    let id = *opening.session.id();

    let wrong = sample::submit(&sample::wrong(&right), NOON);
    let mut callers = JoinSet::new();
    for number in 0..20 {
        let storage = if number % 2 == 0 { &one } else { &two }.clone();
        let wrong = wrong.clone();
        callers.spawn(async move { judged(storage.apply(&id, wrong).await).outcome });
    }
    let outcomes = callers.join_all().await;

    let judged = outcomes
        .iter()
        .filter(|one| matches!(one, Outcome::Submitted(Verdict::WrongCode { .. })));
    assert_eq!(judged.count(), 5);
    assert_eq!(find(&two, &id).await.session.attempts(), 5);
}

async fn a_command_that_changes_nothing_writes_nothing(place: Place) {
    let storage = place.storage().await;
    let (opening, _) = place.open(&storage, 1).await;
    let id = opening.session.id();
    let other = place.other().await;
    let before = version(&other).await;

    let malformed = sample::submit_typed("12", NOON);
    let too_early = sample::resend(2, NOON);
    for command in [malformed, too_early] {
        judged(storage.apply(id, command).await);
        assert_eq!(version(&other).await, before);
    }

    place.open(&storage, 2).await;
    assert_ne!(version(&other).await, before);
}
