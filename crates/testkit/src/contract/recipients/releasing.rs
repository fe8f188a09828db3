//! Releasing recipients.

use otpost_domain::{Mode, Verdict};
use otpost_ports::{Admitted, Command, Opening, Outcome, Scope, Subject};
use tokio::task::JoinSet;

use super::{
    acme, entries, guess, look_up, open, opening_of, other, owner, recipient, release, tests,
};
use crate::contract::quotas::{assert_open, counters, everyone, fail, fail_as, failures, strict};
use crate::contract::{CALLERS, Storage};
use crate::sample;

/// A release over the installation ends the hold in every project; what was mailed stays counted.
pub async fn a_release_over_the_installation_ends_every_hold(storage: &Storage) {
    let strict = strict(sample::mail_quotas(&[("recipient_per_day", 90)]));
    assert_open(&open(storage, 1, "acme", &strict).await);
    fail(storage, 100, 100).await;
    for project in ["acme", "other"] {
        let held = open(storage, 2, project, &strict).await;
        assert_eq!(held, Admitted::OnHold, "{project}");
    }
    let subject = Subject::recipient(&recipient(storage));
    let buckets = counters(storage, &subject).await.buckets;

    assert!(release(storage, &Scope::Installation).await);

    let released = counters(storage, &subject).await;
    assert_eq!((released.failures, released.buckets), (0, buckets));
    assert_open(&open(storage, 3, "acme", &strict).await);
    assert_open(&open(storage, 4, "other", &strict).await);
}

/// A release in a project ends the hold there, and nowhere else.
pub async fn a_release_in_a_project_ends_the_hold_there_alone(storage: &Storage) {
    let strict = strict(sample::mail_quotas(&[]));
    fail(storage, 100, 100).await;

    assert!(release(storage, &acme()).await);

    assert_open(&open(storage, 1, "acme", &strict).await);
    for project in ["other", "acme2"] {
        let held = open(storage, 2, project, &strict).await;
        assert_eq!(held, Admitted::OnHold, "{project}");
    }
    assert_eq!(failures(storage).await, 100, "the installation keeps them");
}

/// After a release in a project failures count from 0 there, over all projects; elsewhere the
/// ladder goes on.
pub async fn after_a_release_failures_count_anew_there(storage: &Storage) {
    fail(storage, 100, 50).await;
    assert!(release(storage, &acme()).await);
    let here = opening_of(storage, 1, sample::owner());
    let there = opening_of(storage, 2, owner("other", Mode::Live));
    let (here, there) = (storage.keep(here).await, storage.keep(there).await);

    assert_eq!(
        guessed(storage, &here).await,
        4,
        "nothing is held against it"
    );
    assert_eq!(guessed(storage, &there).await, 0, "a single guess");
    assert_eq!(look_up(storage, &acme(), 0).await.failures, 2);

    fail(storage, 200, 8).await;
    let narrowed = storage.keep(opening_of(storage, 3, sample::owner())).await;
    assert_eq!(guessed(storage, &narrowed).await, 2, "of three guesses");
    assert_eq!(look_up(storage, &other(), 0).await.failures, 61);
}

/// After a success in another project nothing is forgiven any more: failures since then count in
/// full, also once they are as many as were forgiven, and wherever they were.
pub async fn after_a_success_elsewhere_nothing_is_forgiven(storage: &Storage) {
    fail(storage, 100, 5).await;
    assert!(release(storage, &acme()).await);
    let there = opening_of(storage, 1, owner("other", Mode::Live));
    let there = storage.keep(there).await;
    let right = sample::code(&*storage.vault, &there, 0);
    let right = Command {
        action: sample::submit(&right, sample::NOON).action,
        ..guess(storage, &there)
    };
    let judged = storage.apply(there.session.id(), right).await;
    assert_eq!(judged.outcome, Outcome::Submitted(Verdict::Verified));
    assert_eq!(look_up(storage, &acme(), 0).await.failures, 0);

    let elsewhere = owner("other", Mode::Live);
    for expected in 1..=7_u8 {
        let at = sample::NOON.plus_secs(10 + u32::from(expected));
        fail_as(storage, &elsewhere, 110 + expected, 1, at).await;
        let found = look_up(storage, &acme(), 0).await;
        assert_eq!(found.failures, u32::from(expected));
    }
}

/// To release one who has no failures, or has them no more, changes nothing, says so, and leaves
/// no entry.
pub async fn a_release_of_one_without_failures_changes_nothing(storage: &Storage) {
    for scope in [Scope::Installation, acme(), tests()] {
        assert!(!release(storage, &scope).await, "{scope:?}");
    }
    assert_eq!(entries(storage).await, []);

    fail(storage, 100, 3).await;
    let before = everyone(storage).await;
    assert!(!release(storage, &tests()).await, "tests count nothing");
    assert_eq!(everyone(storage).await, before);
    assert!(release(storage, &acme()).await);
    let before = everyone(storage).await;
    assert!(!release(storage, &acme()).await, "they are forgiven");
    assert_eq!(everyone(storage).await, before);
    assert_eq!(entries(storage).await.len(), 1);
}

/// Of any number of parallel releases one finds failures, and is written down.
pub async fn parallel_releases_release_once(storage: &Storage) {
    fail(storage, 100, 3).await;
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let storage = storage.clone();
        callers.spawn(async move { release(&storage, &acme()).await });
    }
    let answers = callers.join_all().await;

    let released = answers.iter().filter(|is_released| **is_released);
    assert_eq!((released.count(), answers.len()), (1, CALLERS));
    assert_eq!(entries(storage).await.len(), 1);
    assert_eq!(look_up(storage, &acme(), 0).await.failures, 0);
}

/// Guesses wrong, and says how many guesses are left.
async fn guessed(storage: &Storage, opening: &Opening) -> u8 {
    let guess = guess(storage, opening);
    let judged = storage.apply(opening.session.id(), guess).await;
    match judged.outcome {
        Outcome::Submitted(Verdict::WrongCode { attempts_remaining }) => attempts_remaining,
        other => panic!("a wrong code was answered {other:?}"),
    }
}
