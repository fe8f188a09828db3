//! Failures and the ladder: over all sessions and projects of an address, in the commit of the
//! guess.

use otpost_domain::{Address, Bucket, ExpiryCause, State, Verdict};
use otpost_ports::{Action, Applied, Command, Opening, Outcome, Owner, Subject};
use tokio::task::JoinSet;

use super::{carry_out, counted, counters, fail, failures, used};
use crate::contract::Storage;
use crate::sample::{self, NOON};

const FAILURES: &str = "project_failures_per_day";

/// A wrong code, or a right one for another address, is a failure of its address and its project;
/// what is no code, or was not judged, is none.
pub async fn a_wrong_guess_is_a_failure_and_a_malformed_one_is_not(storage: &Storage) {
    let quotas = sample::verify_quotas(&[(FAILURES, 1_000)]);
    let opening = storage.open(1).await;
    let right = sample::code(&*storage.vault, &opening, 0);
    let wrong = sample::submit(&sample::wrong(&right), NOON);
    let mut mismatch = sample::submit(&right, NOON);
    if let Action::Submit(submitted) = &mut mismatch.action {
        submitted.email = Some(Address::parse("other@example.com").unwrap());
    }
    let malformed = sample::submit_typed("12", NOON);
    let late = sample::submit(&right, NOON);

    for (place, (command, expected)) in [
        (malformed.clone(), 0),
        (wrong.clone(), 1),
        (mismatch, 2),
        (malformed, 2),
        (wrong.clone(), 3),
        (wrong.clone(), 4),
        (wrong.clone(), 5),
        (wrong, 5),
        (late, 5),
    ]
    .into_iter()
    .enumerate()
    {
        let command = counted(command, &quotas);
        storage.apply(opening.session.id(), command).await;
        assert_eq!(failures(storage).await, expected, "guess {place}");
        let instants = vec![NOON; usize::try_from(expected).unwrap()];
        let of_project = used(sample::limit(FAILURES, 1_000), &instants);
        assert_eq!(failed(storage).await, of_project, "guess {place}");
        let stored = storage.find(opening.session.id()).await;
        assert_eq!(u32::from(stored.session.attempts()), expected);
    }
}

/// A success is the end of all failures of its address, once, and gives its project a fifth of
/// one back.
pub async fn a_success_starts_the_address_anew(storage: &Storage) {
    let quotas = sample::verify_quotas(&[(FAILURES, 1_000)]);
    let other = storage.open(1).await;
    let opening = storage.open(2).await;
    let wrong = |opening| {
        let code = sample::wrong(&sample::code(&*storage.vault, opening, 0));
        counted(sample::submit(&code, NOON), &quotas)
    };
    let right = sample::code(&*storage.vault, &opening, 0);
    let right = counted(sample::submit(&right, NOON), &quotas);
    storage.apply(other.session.id(), wrong(&other)).await;
    storage.apply(other.session.id(), wrong(&other)).await;
    storage.apply(opening.session.id(), wrong(&opening)).await;
    assert_eq!(failures(storage).await, 3);

    let limit = sample::limit(FAILURES, 1_000);
    let given_back = limit.give_back(used(limit, &[NOON; 3]), 2, NOON);
    for verdict in [Verdict::Verified, Verdict::AlreadyVerified] {
        let judged = storage.apply(opening.session.id(), right.clone()).await;
        assert_eq!(judged.outcome, Outcome::Submitted(verdict));
        assert_eq!(failures(storage).await, 0);
        assert_eq!(failed(storage).await, given_back, "{verdict:?}");
    }
}

/// The failures of an address in one project bind its sessions in every other.
pub async fn failures_are_counted_over_projects(storage: &Storage) {
    let quotas = sample::verify_quotas(&[]);
    let owner = Owner {
        project: sample::project("other"),
        ..sample::owner()
    };
    let mut opening = sample::opening(&*storage.vault, 1);
    opening.context.owner = owner.clone();
    let opening = storage.keep(opening).await;
    let code = sample::wrong(&sample::code(&*storage.vault, &opening, 0));
    let guess = Command {
        owner,
        ..counted(sample::submit(&code, NOON), &quotas)
    };
    fail(storage, 100, 10).await;

    for (attempts_remaining, expected) in [(2, 11), (1, 12), (0, 13)] {
        let judged = storage.apply(opening.session.id(), guess.clone()).await;
        let verdict = Verdict::WrongCode { attempts_remaining };
        assert_eq!(judged.outcome, Outcome::Submitted(verdict));
        assert_eq!(failures(storage).await, expected);
    }
}

/// What the ladder leaves is judged when a code is submitted, so that sessions opened beforehand
/// do not help; a session beyond it is closed, and one that was not tried has a guess.
pub async fn the_ladder_binds_sessions_opened_before(storage: &Storage) {
    let (tried, fresh) = (storage.open(1).await, storage.open(2).await);
    let untried = storage.open(3).await;
    guess(
        storage,
        &tried,
        Verdict::WrongCode {
            attempts_remaining: 4,
        },
    )
    .await;
    guess(
        storage,
        &tried,
        Verdict::WrongCode {
            attempts_remaining: 3,
        },
    )
    .await;

    fail(storage, 100, 8).await;
    guess(
        storage,
        &fresh,
        Verdict::WrongCode {
            attempts_remaining: 2,
        },
    )
    .await;
    guess(
        storage,
        &tried,
        Verdict::WrongCode {
            attempts_remaining: 0,
        },
    )
    .await;
    assert_exhausted(storage, &tried).await;

    fail(storage, 200, 38).await;
    guess_right(storage, &fresh, Verdict::TooManyAttempts).await;
    assert_exhausted(storage, &fresh).await;
    assert_eq!(failures(storage).await, 50);
    guess_right(storage, &untried, Verdict::Verified).await;

    let anew = storage.open(4).await;
    guess(
        storage,
        &anew,
        Verdict::WrongCode {
            attempts_remaining: 4,
        },
    )
    .await;
}

/// Sessions of one address opened first and guessed in parallel: no more is judged than the
/// ladder leaves, and every judged guess is counted.
pub async fn parallel_guesses_over_sessions_stay_below_the_ladder(storage: &Storage) {
    const SESSIONS: u8 = 30;
    // At best for who guesses: 10 failures by 2 sessions with 5 guesses, 40 by 13 with 3 and one
    // that is tried once, and a single guess of each of the 14 that are left.
    const MOST: u32 = 64;
    let quotas = sample::verify_quotas(&[]);
    let mut guesses = Vec::new();
    for number in 1..=SESSIONS {
        let opening = storage.open(number).await;
        let wrong = sample::wrong(&sample::code(&*storage.vault, &opening, 0));
        let guess = counted(sample::submit(&wrong, NOON), &quotas);
        guesses.push((*opening.session.id(), guess));
    }
    let mut callers = JoinSet::new();
    for (id, guess) in guesses.iter().cycle().take(5 * guesses.len()) {
        let (sessions, id, guess) = (storage.sessions.clone(), *id, guess.clone());
        callers.spawn(async move { sessions.apply(&id, guess).await.unwrap() });
    }
    let mut judged = 0;
    for answer in callers.join_all().await {
        let Applied::Judged(answer) = answer else {
            panic!("{answer:?}");
        };
        match answer.outcome {
            Outcome::Submitted(Verdict::WrongCode { .. }) => judged += 1,
            Outcome::Submitted(Verdict::TooManyAttempts) => {}
            other => panic!("a wrong code was answered {other:?}"),
        }
    }
    assert!(
        (50..=MOST).contains(&judged),
        "{judged} guesses were judged"
    );
    assert_eq!(failures(storage).await, judged, "each is counted once");
    let mut attempts = 0;
    for (id, guess) in guesses {
        attempts += u32::from(storage.find(&id).await.session.attempts());
        let late = carry_out(storage, &id, guess).await;
        assert!(
            matches!(&late, Applied::Judged(late)
                if late.outcome == Outcome::Submitted(Verdict::TooManyAttempts)),
            "{late:?}"
        );
    }
    assert_eq!(attempts, judged, "each was an attempt");
}

/// Past its failures of the day a project goes on, with a single guess for each session, also for
/// the one whose failure used them up; and that failure alone says so.
pub async fn past_its_failures_a_project_has_single_guesses(storage: &Storage) {
    let (first, second) = (storage.open(1).await, storage.open(2).await);
    let third = storage.open(3).await;
    let quotas = sample::verify_quotas(&[(FAILURES, 2)]);
    let submit = async |opening: &Opening, is_right: bool| {
        let right = sample::code(&*storage.vault, opening, 0);
        let code = if is_right {
            right
        } else {
            sample::wrong(&right)
        };
        let command = counted(sample::submit(&code, NOON), &quotas);
        let judged = storage.apply(opening.session.id(), command).await;
        match judged.outcome {
            Outcome::Submitted(verdict) => (verdict, judged.used_up_failures),
            other @ Outcome::Resent(_) => panic!("{other:?}"),
        }
    };
    let wrong = |attempts_remaining| Verdict::WrongCode { attempts_remaining };

    assert_eq!(submit(&first, false).await, (wrong(4), false));
    assert_eq!(submit(&first, false).await, (wrong(0), true));
    assert_exhausted(storage, &first).await;
    assert_eq!(submit(&second, false).await, (wrong(0), false));
    let refused = (Verdict::TooManyAttempts, false);
    assert_eq!(submit(&first, true).await, refused);
    assert_eq!(submit(&third, true).await, (Verdict::Verified, false));
}

async fn guess(storage: &Storage, opening: &Opening, expected: Verdict) {
    let wrong = sample::wrong(&sample::code(&*storage.vault, opening, 0));
    let guess = counted(sample::submit(&wrong, NOON), &sample::verify_quotas(&[]));
    let judged = storage.apply(opening.session.id(), guess).await;
    assert_eq!(judged.outcome, Outcome::Submitted(expected));
}

async fn guess_right(storage: &Storage, opening: &Opening, expected: Verdict) {
    let right = sample::code(&*storage.vault, opening, 0);
    let guess = counted(sample::submit(&right, NOON), &sample::verify_quotas(&[]));
    let judged = storage.apply(opening.session.id(), guess).await;
    assert_eq!(judged.outcome, Outcome::Submitted(expected));
}

async fn assert_exhausted(storage: &Storage, opening: &Opening) {
    let stored = storage.find(opening.session.id()).await;
    let cause = ExpiryCause::AttemptsExhausted;
    let expired = State::Expired { at: NOON, cause };
    assert_eq!(stored.session.state(), &expired);
    assert!(stored.secret.is_none(), "its secret is erased");
}

/// What the project has used of its failures.
async fn failed(storage: &Storage) -> Bucket {
    let project = Subject::project(&sample::owner().project);
    counters(storage, &project).await.buckets[2]
}
