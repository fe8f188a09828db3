//! Commands that share a commit. Each test has one thread: what is asked in one breath waits
//! together when the lane comes to look.

use std::fmt::Debug;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Instant;

use otpost_domain::{Timestamp, Verdict};
use otpost_ports::{
    Admitted, Applied, Claim, DeliveryState, Lease, LeaseToken, MessageId, Opening, Outbox,
    Outcome, SessionStore, Settlement, StoreError,
};
use otpost_storage::Storage;
use otpost_testkit::sample::{self, NOON};

use crate::counted::{charges, opening, quotas};
use crate::support::{Place, TOLD, assert_unavailable, find, judged, value};

macro_rules! on_both_in_one_thread {
    ($($test:ident)*) => {
        mod sqlite {
            $(
                #[tokio::test]
                async fn $test() {
                    super::$test(crate::support::Place::file()).await;
                }
            )*
        }

        mod postgres {
            $(
                #[tokio::test]
                async fn $test() {
                    if let Some(place) = crate::support::Place::server().await {
                        super::$test(place).await;
                    }
                }
            )*
        }
    };
}

on_both_in_one_thread! {
    a_hundred_guesses_in_one_commit_are_judged_one_after_the_other
    a_command_that_cannot_be_written_harms_no_other
    who_leaves_the_line_changes_nothing
    beyond_the_line_callers_are_refused_at_once_and_nothing_happens
    charges_of_one_commit_add_up
    what_became_of_a_mail_is_written_also_where_callers_are_refused
    a_mail_is_handed_out_as_the_command_before_it_left_it
}

const SESSIONS: &str = "SELECT COUNT(*) FROM sessions";

/// The answers to all of these in their order, each asked before the first is answered: the lane
/// is woken by the first, and comes after the others in the one thread's queue.
async fn together<T: Send + 'static>(
    work: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let callers: Vec<_> = work.into_iter().map(tokio::spawn).collect();
    let mut answers = Vec::new();
    for caller in callers {
        answers.push(caller.await.unwrap());
    }
    answers
}

/// Asks, and is gone before the lane comes to look.
async fn ask_and_leave<T: Debug>(work: impl Future<Output = T>) {
    let mut work = pin!(work);
    let asked = poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await;
    assert!(asked.is_pending(), "{asked:?}");
}

async fn open(storage: Storage, opening: Opening) -> Result<Admitted, StoreError> {
    storage.open(opening).await
}

/// Session `number` of more than there are samples.
fn one_of_many(place: &Place, number: u16) -> Opening {
    let at = Timestamp::from_millis(NOON.as_millis() + i64::from(number));
    sample::opening_at(&*place.vault, 1, sample::terms(), at)
}

fn is_open(answer: &Result<Admitted, StoreError>) -> bool {
    matches!(answer, Ok(Admitted::Open(_)))
}

async fn a_hundred_guesses_in_one_commit_are_judged_one_after_the_other(place: Place) {
    let storage = place.storage().await;
    let (opening, right) = place.open(&storage, 1).await;
    let id = *opening.session.id();
    let wrong = sample::wrong(&right);
    // The right one comes fourth.
    let codes = (0..100).map(|number| {
        if number == 3 {
            right.clone()
        } else {
            wrong.clone()
        }
    });

    let answers = together(codes.map(|code| {
        let storage = storage.clone();
        async move {
            storage
                .apply(&id, sample::submit(&code, NOON))
                .await
                .unwrap()
        }
    }))
    .await;

    let verdicts: Vec<_> = answers
        .into_iter()
        .map(|answer| match answer {
            Applied::Judged(judged) => judged.outcome,
            other => panic!("{other:?}"),
        })
        .collect();
    let wrong = |attempts_remaining| Outcome::Submitted(Verdict::WrongCode { attempts_remaining });
    let first = [
        wrong(4),
        wrong(3),
        wrong(2),
        Outcome::Submitted(Verdict::Verified),
    ];
    assert_eq!(verdicts[..4], first);
    let again = Outcome::Submitted(Verdict::AlreadyVerified);
    assert!(verdicts[4..].iter().all(|verdict| *verdict == again));
    assert_eq!(find(&storage, &id).await.session.attempts(), 4);
}

async fn a_command_that_cannot_be_written_harms_no_other(place: Place) {
    let storage = place.storage().await;
    let (taken, _) = place.open(&storage, 1).await;
    let other = place.other().await;

    let openings = (1..=40).map(|number| sample::opening(&*place.vault, number));
    let answers = together(openings.map(|opening| open(storage.clone(), opening))).await;

    let mut answers = answers.into_iter();
    assert_unavailable(answers.next().unwrap());
    assert!(answers.all(|answer| is_open(&answer)));
    assert_eq!(value::<i64>(&other, SESSIONS).await, 40);
    let kept = find(&storage, taken.session.id()).await;
    assert_eq!(kept.session, taken.session);
}

async fn who_leaves_the_line_changes_nothing(place: Place) {
    let storage = place.storage().await;
    let other = place.other().await;
    let (opening, right) = place.open(&storage, 100).await;
    let id = opening.session.id();
    for number in 0..20 {
        let opening = sample::opening(&*place.vault, number);
        ask_and_leave(storage.open(opening)).await;
        let guess = sample::submit(&sample::wrong(&right), NOON);
        ask_and_leave(storage.apply(id, guess)).await;
    }
    place.open(&storage, 101).await;
    assert_eq!(value::<i64>(&other, SESSIONS).await, 2);
    assert_eq!(find(&storage, id).await.session.attempts(), 0);
}

async fn beyond_the_line_callers_are_refused_at_once_and_nothing_happens(place: Place) {
    let storage = place.storage().await;
    let other = place.other().await;
    let start = Instant::now();

    let openings = (0..2_000).map(|number| one_of_many(&place, number));
    let answers = together(openings.map(|opening| {
        let storage = storage.clone();
        async move { (storage.open(opening).await, Instant::now()) }
    }))
    .await;

    assert!(start.elapsed() < TOLD, "{:?}", start.elapsed());
    let (opened, refused): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|(answer, _)| is_open(answer));
    let first_opened = opened.iter().map(|(_, at)| *at).min().unwrap();
    let at_once = refused.iter().filter(|(_, at)| *at < first_opened).count();
    assert!(
        at_once >= 900,
        "{at_once} of {} were told at once",
        refused.len()
    );
    assert!(opened.len() >= 256, "{}", opened.len());
    for (answer, _) in refused {
        assert_unavailable(answer);
    }
    let rows = value::<i64>(&other, SESSIONS).await;
    assert_eq!(usize::try_from(rows), Ok(opened.len()));
    assert!(is_open(&storage.open(one_of_many(&place, 3_000)).await));
}

async fn charges_of_one_commit_add_up(place: Place) {
    let storage = place.storage().await;
    let other = place.other().await;
    let quota = 30;
    let openings = (0..100).map(|number| opening(&place, number, &quotas(quota)));

    let answers = together(openings.map(|opening| open(storage.clone(), opening))).await;

    let opened = answers.iter().filter(|answer| is_open(answer)).count();
    assert_eq!(opened, 30, "the first ones: {:?}", answers[30]);
    assert!(answers[..30].iter().all(is_open));
    assert_eq!(charges(&storage, quota).await, quota);
    assert_eq!(value::<i64>(&other, SESSIONS).await, 30);
}

/// `xmin` names the transaction that wrote a row; a file has no such thing.
#[tokio::test]
async fn what_waits_together_is_one_transaction() {
    let Some(place) = Place::server().await else {
        return;
    };
    let storage = place.storage().await;
    let other = place.other().await;
    let openings = (0..100).map(|number| sample::opening(&*place.vault, number));
    together(openings.map(|opening| open(storage.clone(), opening))).await;
    for table in ["sessions", "deliveries"] {
        let commits = format!("SELECT COUNT(DISTINCT xmin::text) FROM {table}");
        assert_eq!(value::<i64>(&other, &commits).await, 1, "{table}");
    }
}

const TOKEN: LeaseToken = LeaseToken([7; 16]);

/// All mails that are due a minute after noon.
fn all_due() -> Claim {
    let now = NOON.plus_secs(60);
    Claim {
        lease: Lease {
            token: TOKEN,
            until: now.plus_secs(60),
        },
        now,
        limit: 9,
    }
}

async fn what_became_of_a_mail_is_written_also_where_callers_are_refused(place: Place) {
    let storage = place.storage().await;
    let (opening, _) = place.open(&storage, 1).await;
    let id = *opening.session.id();
    assert_eq!(storage.claim(all_due()).await.unwrap().len(), 1);

    // The line is full before the first of it has its turn.
    let callers: Vec<_> = (0..2_000)
        .map(|number| tokio::spawn(open(storage.clone(), one_of_many(&place, number))))
        .collect();
    let settled = tokio::spawn({
        let storage = storage.clone();
        async move { storage.settle(&id, TOKEN, Settlement::Sent).await }
    });

    let mut refused = 0;
    for caller in callers {
        refused += usize::from(!is_open(&caller.await.unwrap()));
    }
    assert!(refused >= 900, "{refused}");
    assert!(settled.await.unwrap().unwrap());
    let stored = find(&storage, &id).await;
    assert_eq!(stored.delivery.state, DeliveryState::Sent);
}

async fn a_mail_is_handed_out_as_the_command_before_it_left_it(place: Place) {
    let storage = place.storage().await;
    let (opening, _) = place.open(&storage, 1).await;
    let id = *opening.session.id();
    assert_eq!(storage.claim(all_due()).await.unwrap().len(), 1);
    assert!(storage.settle(&id, TOKEN, Settlement::Sent).await.unwrap());
    // Another one, so that there is something to claim before the resend is committed.
    place.open(&storage, 2).await;

    // In one commit: another mail for the first session, and the mails that are due.
    let again = sample::resend(9, NOON.plus_secs(59));
    let (queued, claimed) = tokio::join!(storage.apply(&id, again), storage.claim(all_due()));

    let queued = judged(queued).stored;
    let claimed = claimed.unwrap();
    let mail = claimed.iter().find(|stored| *stored.session.id() == id);
    let mail = mail.expect("it was queued in this commit, or before");
    assert_eq!(mail.delivery.message, MessageId([9; 16]));
    assert_eq!(mail.session, queued.session);
    assert_eq!(claimed.len(), 2);
}
