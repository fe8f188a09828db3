//! Locks that others hold: told in time, nothing counted, and healed at once.

use std::time::Instant;

use otpost_domain::Verdict;
use otpost_ports::{Command, Outcome, RecipientStore, Scope, SessionStore};
use otpost_storage::Storage;
use otpost_testkit::sample::{self, NOON};
use sea_orm::{ConnectionTrait, TransactionTrait};
use tokio::task::JoinSet;

use crate::counted::{charges, counted, quotas};
use crate::support::{Place, TOLD, assert_unavailable, find, judged, open, value};

async fn many_guesses(storage: &Storage, id: otpost_domain::SessionId, guess: &Command) {
    let mut callers = JoinSet::new();
    for _ in 0..20 {
        let (storage, guess) = (storage.clone(), guess.clone());
        callers.spawn(async move {
            let start = Instant::now();
            (storage.apply(&id, guess).await, start.elapsed())
        });
    }
    for (answer, elapsed) in callers.join_all().await {
        assert_unavailable(answer);
        assert!(elapsed < TOLD, "told after {elapsed:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_lock_is_told_in_time_and_no_guess_is_counted() {
    let mut locks = JoinSet::new();
    for lock in [
        "SELECT FROM sessions FOR UPDATE",
        "LOCK TABLE sessions",
        "LOCK TABLE counters",
    ] {
        locks.spawn(told(lock));
    }
    locks.join_all().await;
}

async fn told(lock: &str) {
    let Some(place) = Place::server().await else {
        return;
    };
    let storage = place.storage().await;
    let quota = 99;
    let opening = crate::counted::opening(&place, 1, &quotas(quota));
    let id = *opening.session.id();
    open(&storage, opening.clone()).await;
    let right = sample::code(&*place.vault, &opening, 0);
    let guess = sample::submit(&sample::wrong(&right), NOON);
    let guess = counted(guess, &quotas(quota));
    let other = place.other().await;
    let held = other.begin().await.unwrap();
    held.execute_unprepared(lock).await.unwrap();

    many_guesses(&storage, id, &guess).await;

    held.rollback().await.unwrap();
    let start = Instant::now();
    let stored = judged(storage.apply(&id, guess).await).stored;
    assert_eq!(stored.session.attempts(), 1, "{lock}");
    assert!(start.elapsed() < TOLD, "{lock}");
    assert_eq!(charges(&storage, quota).await, 2, "{lock}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_holds_one_session_holds_up_no_other_and_no_reader() {
    let Some(place) = Place::server().await else {
        return;
    };
    let storage = place.storage().await;
    let (locked, _) = place.open(&storage, 1).await;
    let (free, right) = place.open(&storage, 2).await;
    let other = place.other().await;
    let held = other.begin().await.unwrap();
    let lock = "SELECT FROM sessions ORDER BY id LIMIT 1 FOR UPDATE";
    held.execute_unprepared(lock).await.unwrap();

    let start = Instant::now();
    judged(
        storage
            .apply(free.session.id(), sample::submit(&right, NOON))
            .await,
    );
    assert_eq!(find(&storage, locked.session.id()).await, locked.into());
    let recipient = sample::recipient(&*place.vault);
    let entry = sample::entry(otpost_ports::AuditAction::RecipientShown);
    let scope = Scope::Installation;
    let record = storage.look_up(&recipient, &scope, 9, entry).await.unwrap();
    assert_eq!(record.sessions, 2);
    let later = NOON.plus_secs(86_400);
    assert_eq!(
        storage.purge(later, 9).await.unwrap().closed,
        0,
        "it is in use"
    );
    assert!(start.elapsed().as_millis() < 900, "{:?}", start.elapsed());

    held.rollback().await.unwrap();
    assert_eq!(storage.purge(later, 9).await.unwrap().closed, 1);
    let waiting = "SELECT COUNT(*) FROM sessions WHERE secret_nonce IS NOT NULL";
    assert_eq!(value::<i64>(&other, waiting).await, 0);
}

#[tokio::test]
async fn whoever_waits_for_a_locked_session_holds_up_none_that_came_with_it() {
    let Some(place) = Place::server().await else {
        return;
    };
    let storage = place.storage().await;
    let (locked, code) = place.open(&storage, 1).await;
    let mut guesses = vec![(*locked.session.id(), code)];
    for number in 2..40 {
        let (free, right) = place.open(&storage, number).await;
        guesses.push((*free.session.id(), right));
    }
    let other = place.other().await;
    let held = other.begin().await.unwrap();
    let lock = "SELECT FROM sessions ORDER BY id LIMIT 1 FOR UPDATE";
    held.execute_unprepared(lock).await.unwrap();

    // One thread: all are asked before the lane comes to look.
    let callers: Vec<_> = guesses
        .into_iter()
        .map(|(id, code)| {
            let storage = storage.clone();
            tokio::spawn(async move { storage.apply(&id, sample::submit(&code, NOON)).await })
        })
        .collect();
    let mut answers = Vec::new();
    for caller in callers {
        answers.push(caller.await.unwrap());
    }
    let mut answers = answers.into_iter();
    assert_unavailable(answers.next().unwrap());
    for answer in answers {
        let verified = Outcome::Submitted(Verdict::Verified);
        assert_eq!(judged(answer).outcome, verified);
    }
    held.rollback().await.unwrap();
    let kept = find(&storage, locked.session.id()).await;
    assert_eq!(kept.session, locked.session, "nobody judged it");
}

/// A purge and a claim pass over what is locked: they would pass over this.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_changed_nothing_leaves_no_lock_behind() {
    let Some(place) = Place::server().await else {
        return;
    };
    let storage = place.storage().await;
    let (opening, _) = place.open(&storage, 1).await;
    let other = place.other().await;
    for round in 1..=100 {
        let malformed = sample::submit_typed("12", NOON);
        judged(storage.apply(opening.session.id(), malformed).await);
        let locked = "SELECT FROM sessions FOR UPDATE NOWAIT";
        let had = other.execute_unprepared(locked).await;
        assert!(had.is_ok(), "round {round}: {had:?}");
    }
}
