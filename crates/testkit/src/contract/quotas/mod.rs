//! What a [`SessionStore`](otpost_ports::SessionStore) promises of limits and of the ladder.

mod failing;
mod holding;
mod opening;
mod purging;
mod resending;
mod verifying;

pub use failing::*;
pub use holding::*;
pub use opening::*;
pub use purging::*;
pub use resending::*;
pub use verifying::*;

use std::collections::BTreeSet;
use std::time::Duration;

use otpost_domain::{Admission, Bucket, Limit, SessionId, Timestamp, Verdict};
use otpost_ports::{
    Admitted, Applied, Command, Counters, Limited, Opening, Outcome, Owner, Quotas,
    RecipientDigest, Subject, Vault,
};

use super::{CALLERS, Storage};
use crate::sample::{self, NETWORK, NOON};

/// Seconds after which even a limit of a day is untouched again.
const TWO_DAYS_SECS: u32 = 2 * 86_400;

/// Under a test key nothing is counted and nothing refused, whatever is used up.
pub async fn a_test_key_touches_no_counter(storage: &Storage) {
    let used_up = sample::mail_quotas(&[("project_sends_per_minute", 1)]);
    assert_open(&open_counted(storage, 1, &used_up).await);
    fail(storage, 100, 10).await;
    let before = everyone(storage).await;

    let opening = storage.open(2).await;
    let id = opening.session.id();
    let right = sample::code(&*storage.vault, &opening, 0);
    let wrong = sample::submit(&sample::wrong(&right), NOON);
    for command in [
        sample::resend(9, NOON.plus_secs(30)),
        wrong,
        sample::submit(&right, NOON),
        sample::submit(&right, NOON),
    ] {
        let judged = storage.apply(id, command).await;
        assert_eq!(judged.counted, []);
        let at_worst = Outcome::Submitted(Verdict::WrongCode {
            attempts_remaining: 4,
        });
        let is_wrong = matches!(
            judged.outcome,
            Outcome::Submitted(Verdict::WrongCode { .. })
        );
        assert!(!is_wrong || judged.outcome == at_worst, "{judged:?}");
    }
    assert_eq!(everyone(storage).await, before);
}

/// The ledger has what was counted for whom it is asked, and looking changes nothing.
pub async fn the_ledger_shows_what_was_charged_and_changes_nothing(storage: &Storage) {
    let quotas = sample::mail_quotas(&[
        ("project_sends_per_minute", 60),
        ("client_ip_per_day", 50),
        ("recipient_per_hour", 10),
    ]);
    assert_open(&open_counted(storage, 1, &quotas).await);
    fail(storage, 100, 1).await;
    let project = sample::owner().project;
    let (namesake, recipient) = (sample::project("acme2"), recipient(storage));
    let sends = used(sample::limit("project_sends_per_minute", 60), &[NOON]);
    let mails = |times: u32| used(sample::limit("recipient_per_hour", 10 * times), &[NOON]);
    let untouched = Bucket::default();
    let expected = [
        (Subject::project(&project), [sends, untouched, untouched], 0),
        (
            Subject::network_of(&project, &NETWORK),
            [
                untouched,
                used(sample::limit("client_ip_per_day", 50), &[NOON]),
                untouched,
            ],
            0,
        ),
        (
            Subject::recipient_of(&project, &recipient),
            [untouched, mails(1), untouched],
            0,
        ),
        (
            Subject::recipient(&recipient),
            [untouched, mails(3), untouched],
            1,
        ),
        (Subject::installation(), [untouched; 3], 0),
        (Subject::project(&namesake), [untouched; 3], 0),
        (Subject::network_of(&namesake, &NETWORK), [untouched; 3], 0),
        (
            Subject::recipient_of(&namesake, &recipient),
            [untouched; 3],
            0,
        ),
    ];
    let subjects = expected.iter().map(|(subject, ..)| subject.clone());
    let subjects: BTreeSet<_> = subjects.collect();

    for look in 1..=2 {
        let ledger = storage.sessions.ledger(&subjects).await.unwrap();
        assert_eq!(ledger.changes().count(), 0);
        for (subject, buckets, failures) in &expected {
            let (buckets, failures) = (*buckets, *failures);
            let kept = ledger.counters(subject);
            assert_eq!(
                (kept.buckets, kept.failures),
                (buckets, failures),
                "look {look}"
            );
        }
    }
}

/// Sample `number`, counted against `quotas`.
fn counted_opening(vault: &dyn Vault, number: u8, at: Timestamp, quotas: &Quotas) -> Opening {
    Opening {
        quotas: Some(quotas.clone()),
        ..sample::opening_at(vault, number, sample::terms(), at)
    }
}

/// Asks to open sample `number` at [`NOON`].
pub(super) async fn open_counted(storage: &Storage, number: u8, quotas: &Quotas) -> Admitted {
    open_counted_at(storage, number, NOON, quotas).await
}

pub(super) async fn open_counted_at(
    storage: &Storage,
    number: u8,
    at: Timestamp,
    quotas: &Quotas,
) -> Admitted {
    let opening = counted_opening(&*storage.vault, number, at, quotas);
    storage.sessions.open(opening).await.unwrap()
}

pub(super) fn assert_open(admitted: &Admitted) {
    assert!(matches!(admitted, Admitted::Open(_)), "{admitted:?}");
}

/// The same command, counted against `quotas`.
pub(super) fn counted(command: Command, quotas: &Quotas) -> Command {
    Command {
        quotas: Some(quotas.clone()),
        ..command
    }
}

/// Carries a command out, however far it goes.
async fn carry_out(storage: &Storage, id: &SessionId, command: Command) -> Applied {
    storage.sessions.apply(id, command).await.unwrap()
}

/// What is answered where this limit waits for so long.
fn limited(name: &'static str, quota: u32, wait: Duration) -> Limited {
    let limit = sample::limit(name, quota);
    Limited { name, limit, wait }
}

fn assert_limited(applied: &Applied, expected: Limited) {
    assert!(
        matches!(applied, Applied::Limited(limited) if *limited == expected),
        "{applied:?} is not {expected:?}"
    );
}

/// A bucket that was charged at these instants.
fn used(limit: Limit, instants: &[Timestamp]) -> Bucket {
    instants.iter().fold(Bucket::default(), |bucket, now| {
        match limit.admit(bucket, *now) {
            Admission::Admitted(next) => next,
            Admission::Wait(_) => panic!("more than {limit:?}"),
        }
    })
}

pub(super) fn recipient(storage: &Storage) -> RecipientDigest {
    sample::recipient(&*storage.vault)
}

pub(super) async fn counters(storage: &Storage, subject: &Subject) -> Counters {
    let subjects = BTreeSet::from([subject.clone()]);
    let ledger = storage.sessions.ledger(&subjects).await.unwrap();
    ledger.counters(subject)
}

/// What is kept of all whom the samples concern.
pub(super) async fn everyone(storage: &Storage) -> Vec<Counters> {
    let project = sample::owner().project;
    let recipient = recipient(storage);
    let mut all = Vec::new();
    for subject in [
        Subject::installation(),
        Subject::project(&project),
        Subject::network_of(&project, &NETWORK),
        Subject::recipient(&recipient),
        Subject::recipient_of(&project, &recipient),
    ] {
        all.push(counters(storage, &subject).await);
    }
    all
}

pub(super) async fn failures(storage: &Storage) -> u32 {
    let subject = Subject::recipient(&recipient(storage));
    counters(storage, &subject).await.failures
}

/// Lets the address fail so many times more, at sessions of their own, numbered `from` on.
pub(super) async fn fail(storage: &Storage, from: u8, times: u32) {
    fail_as(storage, &sample::owner(), from, times, NOON).await;
}

/// The same, at sessions of this owner and at this time.
pub(super) async fn fail_as(storage: &Storage, owner: &Owner, from: u8, times: u32, at: Timestamp) {
    let before = failures(storage).await;
    let quotas = sample::verify_quotas(&[]);
    let mut left = times;
    for number in from.. {
        let mut opening = sample::opening(&*storage.vault, number);
        opening.context.owner = owner.clone();
        let opening = storage.keep(opening).await;
        let wrong = sample::wrong(&sample::code(&*storage.vault, &opening, 0));
        let guess = Command {
            owner: owner.clone(),
            ..counted(sample::submit(&wrong, at), &quotas)
        };
        while left > 0 {
            let judged = storage.apply(opening.session.id(), guess.clone()).await;
            match judged.outcome {
                Outcome::Submitted(Verdict::WrongCode { .. }) => left -= 1,
                Outcome::Submitted(Verdict::TooManyAttempts) => break,
                other => panic!("a wrong code was answered {other:?}"),
            }
        }
        if left == 0 {
            break;
        }
    }
    assert_eq!(failures(storage).await, before + times, "each is counted");
}
