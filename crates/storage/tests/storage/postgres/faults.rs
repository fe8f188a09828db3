//! The N-th call to the server fails, for every N: what was told is committed, and nothing in parts or twice.

mod trial;
mod wire;

use self::trial::{Asked, Came, Trial};
use self::wire::Fault;

/// A connection that breaks leaves it open what became of the call.
const CUTS: [Fault; 2] = [Fault::Unanswered, Fault::Unheard];

/// The server is out of reach for a while, too.
const CUTS_AND_GONE: [Fault; 3] = [CUTS[0], CUTS[1], Fault::Gone];

/// For those who share a commit also this: the server says no, of which `serialization_failure` is worth
/// another try inside, and `disk_full` is not.
const SHARED: [Fault; 3] = [
    Fault::Unanswered,
    Fault::Refused("40001"),
    Fault::Refused("53100"),
];

/// The fewest calls of a command: a decision stands between what it reads and what it writes, and a
/// commit comes after.
const CALLS_MIN: usize = 3;

/// Far more than any command takes.
const CALLS_MAX: u32 = 500;

/// Lets each call fail in turn, until there are no more, and gives what came of that.
async fn fail_every_call(
    trial: &mut Trial,
    asked: &[Asked],
    has_key: bool,
    fault: Fault,
) -> Vec<Vec<Came>> {
    let mut seen = Vec::new();
    for nth in 1..=CALLS_MAX {
        let came = trial.fail(asked, has_key, nth, fault).await;
        if came.contains(&Came::Never) {
            break;
        }
        seen.push(came);
    }
    assert!(seen.len() >= CALLS_MIN, "{fault:?}: {seen:?}");
    assert!(seen.len() < CALLS_MAX as usize, "{fault:?}");
    // The commit was among them, heard and unheard.
    let is_seen = |came| seen.iter().flatten().any(|one| *one == came);
    match fault {
        Fault::Unheard | Fault::Gone => assert!(is_seen(Came::Nothing), "{fault:?}: {seen:?}"),
        Fault::Unanswered => assert!(is_seen(Came::All), "{seen:?}"),
        Fault::Refused(_) => assert!(!is_seen(Came::All), "{seen:?}"),
    }
    seen
}

async fn fail_one(asked: Asked, faults: &[Fault]) {
    let Some(mut trial) = Trial::new().await else {
        return;
    };
    // Without a key it matters only to those who were not told of what was done.
    fail_every_call(&mut trial, &[asked], false, Fault::Unanswered).await;
    for fault in faults {
        fail_every_call(&mut trial, &[asked], true, *fault).await;
    }
    trial.assert_whole().await;
}

#[tokio::test]
async fn a_session_is_opened_with_its_mail_and_charges_or_not_at_all_whatever_call_fails() {
    fail_one(Asked::Opening, &CUTS).await;
}

#[tokio::test]
async fn a_right_code_is_a_success_once_whatever_call_fails() {
    fail_one(Asked::RightCode, &CUTS).await;
}

#[tokio::test]
async fn a_wrong_code_is_told_only_if_it_is_counted_whatever_call_fails() {
    fail_one(Asked::WrongCode, &CUTS_AND_GONE).await;
}

#[tokio::test]
async fn another_mail_is_queued_and_charged_once_whatever_call_fails() {
    fail_one(Asked::AnotherMail, &CUTS).await;
}

/// On one thread, all are in line before anyone is served.
#[tokio::test]
async fn those_who_share_a_commit_are_each_served_as_if_alone_whatever_call_fails() {
    let Some(mut trial) = Trial::new().await else {
        return;
    };
    let all = [
        Asked::Opening,
        Asked::RightCode,
        Asked::WrongCode,
        Asked::AnotherMail,
    ];
    for fault in SHARED {
        let seen = fail_every_call(&mut trial, &all, true, fault).await;
        if fault == Fault::Unanswered {
            let is_shared = seen.iter().any(|came| *came == [Came::All; 4]);
            assert!(is_shared, "{seen:?}");
        }
    }
    trial.assert_whole().await;
}
