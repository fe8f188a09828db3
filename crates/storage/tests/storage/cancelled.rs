//! Callers who go away in the middle, at every point where a request waits.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use otpost_ports::{Admitted, SessionStore};
use otpost_testkit::sample::{self, NOON, session_id};

use crate::counted::{charges, opening, quotas};
use crate::support::{Place, find, judged, on_both, value};

on_both! {
    a_caller_who_leaves_leaves_a_whole_session_that_is_charged_or_none
    a_caller_who_leaves_costs_at_most_one_attempt_and_blocks_nobody
}

/// Polls `work` so often and then drops it; `None` when that was not enough.
pub(crate) async fn polled<T>(work: impl Future<Output = T>, times: u32) -> Option<T> {
    let mut work = pin!(work);
    let mut left = times;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        work.as_mut().poll(context).map(Some)
    })
    .await
}

/// How often caller `number` is polled: a few times, or until it is answered.
fn patience(number: u8) -> u32 {
    match number % 11 {
        0 => u32::MAX,
        polls => polls.into(),
    }
}

async fn a_caller_who_leaves_leaves_a_whole_session_that_is_charged_or_none(place: Place) {
    let storage = place.storage().await;
    let other = place.other().await;
    let (mut cancelled, mut acknowledged) = (0, 0);
    let quota = 1_000;

    for number in 0..100 {
        let opening = opening(&place, number, &quotas(quota));
        match polled(storage.open(opening), patience(number)).await {
            Some(answer) => {
                assert!(matches!(answer, Ok(Admitted::Open(_))), "{answer:?}");
                acknowledged += 1;
                find(&storage, &session_id(number, NOON)).await;
            }
            None => cancelled += 1,
        }
    }

    assert!(cancelled >= 5, "{cancelled} were cancelled");
    assert!(acknowledged >= 5, "{acknowledged} were acknowledged");
    // Comes after whatever the others left behind.
    place.open(&storage, 200).await;
    let orphans = "SELECT COUNT(*) FROM sessions FULL JOIN deliveries ON id = session_id \
                   WHERE id IS NULL OR session_id IS NULL";
    assert_eq!(value::<i64>(&other, orphans).await, 0);
    let rows = value::<i64>(&other, "SELECT COUNT(*) FROM sessions").await;
    assert!(rows > acknowledged, "{rows} rows");
    let charged = charges(&storage, quota).await;
    assert_eq!(i64::from(charged), rows - 1, "the last one has no quotas");
}

async fn a_caller_who_leaves_costs_at_most_one_attempt_and_blocks_nobody(place: Place) {
    let storage = place.storage().await;
    let (mut cancelled, mut acknowledged) = (0, 0);

    for number in 0..100 {
        let (opening, right) = place.open(&storage, number).await;
        let id = opening.session.id();
        let wrong = sample::submit(&sample::wrong(&right), NOON);
        let answer = polled(storage.apply(id, wrong.clone()), patience(number)).await;
        let is_acknowledged = answer.map(judged).is_some();

        // A second guess comes after whatever the first one left behind.
        let second = judged(storage.apply(id, wrong).await);
        let attempts = second.stored.session.attempts();
        if is_acknowledged {
            acknowledged += 1;
            assert_eq!(attempts, 2, "poll {number}");
        } else {
            cancelled += 1;
            assert!(
                (1..=2).contains(&attempts),
                "poll {number}: {attempts} attempts"
            );
        }
    }

    assert!(cancelled >= 5, "{cancelled} were cancelled");
    assert!(acknowledged >= 5, "{acknowledged} were acknowledged");
}
