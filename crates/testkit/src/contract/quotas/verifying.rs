//! Limits of verifications: counted before anything is judged.

use std::time::Duration;

use otpost_domain::{SessionId, Timestamp, Verdict};
use otpost_ports::{Applied, CodeSecret, Opening, Outcome, Owner, StoreError, Subject};
use tokio::task::JoinSet;

use super::{
    CALLERS, assert_limited, carry_out, counted, counters, everyone, failures, limited, used,
};
use crate::contract::Storage;
use crate::sample::{self, NOON};

const VERIFIES: &str = "project_verifies_per_minute";

/// Every verification is counted for its project, whatever comes of it, and also where there is
/// no such session.
pub async fn a_verification_charges_its_project_whatever_comes_of_it(storage: &Storage) {
    let quotas = sample::verify_quotas(&[(VERIFIES, 600)]);
    let opening = storage.open(1).await;
    let known = *opening.session.id();
    let right = sample::code(&*storage.vault, &opening, 0);
    let foreign = foreign(storage, 2).await;
    let unknown = sample::session_id(3, NOON);
    let verified = Outcome::Submitted(Verdict::Verified);
    let again = Outcome::Submitted(Verdict::AlreadyVerified);
    let malformed = Outcome::Submitted(Verdict::Malformed {
        attempts_remaining: 5,
    });

    let mut instants = Vec::new();
    for (id, typed, outcome) in [
        (known, "12", Some(malformed)),
        (unknown, "123456", None),
        (foreign, "123456", None),
        (known, right.reveal(), Some(verified)),
        (known, right.reveal(), Some(again)),
    ] {
        instants.push(NOON);
        let command = counted(sample::submit_typed(typed, NOON), &quotas);
        match (carry_out(storage, &id, command).await, outcome) {
            (Applied::Judged(judged), Some(outcome)) => {
                assert_eq!(judged.outcome, outcome);
                let left: Vec<_> = judged.counted.iter().collect();
                assert_eq!(left.len(), 1, "{left:?}");
                let remaining = usize::try_from(left[0].allowance.remaining);
                assert_eq!(remaining, Ok(600 - instants.len()));
            }
            (Applied::NotFound(counted), None) => {
                let left = counted.iter().map(|one| one.allowance.remaining);
                let remaining = 600 - u32::try_from(instants.len()).unwrap();
                assert_eq!(left.collect::<Vec<_>>(), [remaining]);
            }
            (other, _) => panic!("{other:?}"),
        }
        let project = Subject::project(&sample::owner().project);
        let kept = counters(storage, &project).await;
        assert_eq!(
            kept.buckets[1],
            used(sample::limit(VERIFIES, 600), &instants)
        );
    }
    assert_eq!(failures(storage).await, 0);
}

/// Beyond the limit nothing is judged: not a wrong code, and not the right one.
pub async fn a_limited_verification_judges_nothing(storage: &Storage) {
    let quotas = sample::verify_quotas(&[(VERIFIES, 2)]);
    let opening = storage.open(1).await;
    let id = opening.session.id();
    let right = sample::code(&*storage.vault, &opening, 0);
    let wrong = sample::wrong(&right);
    for _ in 0..2 {
        let guess = counted(sample::submit(&wrong, NOON), &quotas);
        storage.apply(id, guess).await;
    }
    let (stored, counted_before) = (storage.find(id).await, everyone(storage).await);

    for code in [&wrong, &right] {
        let guess = counted(sample::submit(code, NOON), &quotas);
        let refused = carry_out(storage, id, guess).await;
        assert_limited(&refused, limited(VERIFIES, 2, Duration::from_secs(30)));
        assert_eq!(storage.find(id).await, stored, "no attempt");
        assert_eq!(everyone(storage).await, counted_before, "no charge");
    }
    let later = counted(sample::submit(&right, NOON.plus_secs(30)), &quotas);
    let judged = storage.apply(id, later).await;
    assert_eq!(judged.outcome, Outcome::Submitted(Verdict::Verified));
}

/// Of any number of parallel verifications of a project so many are judged as the quota says,
/// whichever sessions they are about.
pub async fn parallel_verifications_are_judged_quota_times(storage: &Storage) {
    let quotas = sample::verify_quotas(&[(VERIFIES, 7)]);
    let mut callers = JoinSet::new();
    for number in (1..).take(CALLERS) {
        let opening = storage.open(number).await;
        let wrong = sample::wrong(&sample::code(&*storage.vault, &opening, 0));
        let guess = counted(sample::submit(&wrong, NOON), &quotas);
        let (sessions, id) = (storage.sessions.clone(), *opening.session.id());
        callers.spawn(async move { sessions.apply(&id, guess).await.unwrap() });
    }
    let answers = callers.join_all().await;

    let judged = answers.iter();
    let judged = judged.filter(|answer| matches!(answer, Applied::Judged(_)));
    assert_eq!(judged.count(), 7);
    let mut attempts = 0;
    for number in (1..).take(CALLERS) {
        let stored = storage.find(&sample::session_id(number, NOON)).await;
        attempts += stored.session.attempts();
    }
    assert_eq!(attempts, 7);
    assert_eq!(failures(storage).await, 7);
}

/// Of requests that came at once, and had their turn in another order, none is one too many.
pub async fn requests_that_overtake_one_another_use_up_the_whole_quota(storage: &Storage) {
    let quotas = sample::verify_quotas(&[(VERIFIES, 4), ("project_failures_per_day", 4)]);
    let opening = storage.open(1).await;
    let id = opening.session.id();
    let wrong = sample::wrong(&sample::code(&*storage.vault, &opening, 0));
    let after = |millis: i64| Timestamp::from_millis(NOON.as_millis() + millis);
    for millis in [1_900, 30, 1_000, 0] {
        let guess = counted(sample::submit(&wrong, after(millis)), &quotas);
        storage.apply(id, guess).await;
    }
    assert_eq!(failures(storage).await, 4);

    let one_more = counted(sample::submit(&wrong, after(1_900)), &quotas);
    let refused = carry_out(storage, id, one_more).await;
    assert_eq!(storage.find(id).await.session.attempts(), 4);
    assert_limited(&refused, limited(VERIFIES, 4, Duration::from_secs(15)));
    let project = counters(storage, &Subject::project(&sample::owner().project)).await;
    let in_turn = [after(1_900); 4];
    for (bucket, name) in [(1, VERIFIES), (2, "project_failures_per_day")] {
        assert_eq!(
            project.buckets[bucket],
            used(sample::limit(name, 4), &in_turn)
        );
    }
}

/// Where the vault cannot say the code nobody is charged either.
pub async fn a_guess_that_cannot_be_judged_charges_nothing(storage: &Storage) {
    let quotas = sample::verify_quotas(&[(VERIFIES, 600), ("project_failures_per_day", 9)]);
    let opening = sample::opening(&*storage.vault, 1);
    let right = sample::code(&*storage.vault, &opening, 0);
    let kid = u32::MAX;
    let secret = opening.secret.map(|secret| CodeSecret { kid, ..secret });
    let opening = storage.keep(Opening { secret, ..opening }).await;
    let before = everyone(storage).await;

    let guess = counted(sample::submit(&right, NOON), &quotas);
    let refused = storage.sessions.apply(opening.session.id(), guess).await;

    assert!(matches!(refused, Err(StoreError::Vault(_))), "{refused:?}");
    assert_eq!(everyone(storage).await, before);
}

/// A session of another project.
async fn foreign(storage: &Storage, number: u8) -> SessionId {
    let mut opening = sample::opening(&*storage.vault, number);
    opening.context.owner = Owner {
        project: sample::project("other"),
        ..sample::owner()
    };
    *storage.keep(opening).await.session.id()
}
