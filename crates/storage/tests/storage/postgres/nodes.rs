//! Two nodes on one database: together they count as one.

use std::collections::BTreeSet;
use std::time::Instant;

use otpost_domain::Verdict;
use otpost_ports::{Admitted, Applied, Command, Opening, Outbox, Quotas, SessionStore, Settlement};
use otpost_storage::Storage;
use otpost_testkit::sample::{self, NOON};
use tokio::task::JoinSet;

use super::{claim, opening};
use crate::counted::{self, charges, quotas};
use crate::counters::opened;
use crate::races::{count, guess};
use crate::support::{Place, TOLD, find, judged, open, value};

async fn two_nodes() -> Option<(Place, Storage, Storage)> {
    let place = Place::server().await?;
    let (one, two) = (place.storage().await, place.connect().await);
    Some((place, one, two))
}

#[tokio::test(flavor = "multi_thread")]
async fn of_300_wrong_guesses_over_two_nodes_exactly_5_are_judged() {
    let Some((place, one, two)) = two_nodes().await else {
        return;
    };
    let (opening, right) = place.open(&one, 1).await;
    let id = *opening.session.id();

    let wrong = sample::submit(&sample::wrong(&right), NOON);
    let verdicts = guess(&[&one, &two], id, &wrong).await;

    let judged = count(&verdicts, |one| matches!(one, Verdict::WrongCode { .. }));
    let refused = count(&verdicts, |one| *one == Verdict::TooManyAttempts);
    assert_eq!((judged, refused), (5, 295));
    assert_eq!(find(&two, &id).await.session.attempts(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_300_right_codes_over_two_nodes_exactly_one_verifies() {
    let Some((place, one, two)) = two_nodes().await else {
        return;
    };
    let (opening, right) = place.open(&one, 1).await;

    let right = sample::submit(&right, NOON);
    let verdicts = guess(&[&one, &two], *opening.session.id(), &right).await;

    let verified = count(&verdicts, |one| *one == Verdict::Verified);
    let refused = count(&verdicts, |one| *one == Verdict::AlreadyVerified);
    assert_eq!((verified, refused), (1, 299));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_40_opens_over_two_nodes_exactly_the_quota_opens() {
    let Some((place, one, two)) = two_nodes().await else {
        return;
    };
    let quota = 7;

    let opened = opened(40, &place, &[&one, &two], &quotas(quota)).await;

    assert_eq!(opened, 7);
    assert_eq!(charges(&two, quota).await, 7);
    let sessions = "SELECT COUNT(*) FROM sessions";
    assert_eq!(value::<i64>(&place.other().await, sessions).await, 7);
}

/// Opens of as many sessions under one key with one body, in turn over both nodes; without quotas
/// as with a test key.
async fn opened_once(quotas: Option<&Quotas>) {
    let Some((place, one, two)) = two_nodes().await else {
        return;
    };
    let mut callers = JoinSet::new();
    for number in 0..40 {
        let storage = if number % 2 == 0 { &one } else { &two }.clone();
        let until = NOON.plus_secs(86_400);
        let opening = Opening {
            once: Some(sample::once(&*place.vault, "key", "body", until)),
            quotas: quotas.cloned(),
            ..sample::opening(&*place.vault, number)
        };
        callers.spawn(async move { storage.open(opening).await.unwrap() });
    }
    let answers = callers.join_all().await;

    let open = |answer: &&Admitted| matches!(answer, Admitted::Open(_));
    let replayed = |answer: &&Admitted| matches!(answer, Admitted::Replayed(_));
    assert_eq!(answers.iter().filter(open).count(), 1);
    assert_eq!(answers.iter().filter(replayed).count(), 39);
    let sessions = "SELECT COUNT(*) FROM sessions";
    assert_eq!(value::<i64>(&place.other().await, sessions).await, 1);
    if quotas.is_some() {
        assert_eq!(charges(&one, 1_000).await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_opens_under_one_key_open_once_over_two_nodes() {
    opened_once(Some(&quotas(1_000))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_opens_under_one_key_open_once_where_nothing_is_counted() {
    opened_once(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_parallel_guesses_at_several_sessions_under_one_key_one_is_judged() {
    let Some((place, one, two)) = two_nodes().await else {
        return;
    };
    for (round, is_counted) in [true, false].into_iter().enumerate() {
        let key = format!("key {round}");
        let until = NOON.plus_secs(86_400);
        let mut ids = Vec::new();
        let mut callers = JoinSet::new();
        for number in 0..20_u8 {
            let opening = opening(
                &place,
                u16::from(number) + 100 * u16::try_from(round).unwrap(),
            );
            open(&one, opening.clone()).await;
            let id = *opening.session.id();
            ids.push(id);
            let storage = if number % 2 == 0 { &one } else { &two }.clone();
            let guess = sample::submit_typed("000000", opening.at);
            let body = id.to_string();
            let guess = Command {
                once: Some(sample::once(&*place.vault, &key, &body, until)),
                ..guess
            };
            let guess = if is_counted {
                counted::counted(guess, &quotas(1_000))
            } else {
                guess
            };
            callers.spawn(async move { storage.apply(&id, guess).await.unwrap() });
        }
        let answers = callers.join_all().await;

        let judged = answers
            .iter()
            .filter(|one| matches!(one, Applied::Judged(_)));
        assert_eq!(judged.count(), 1, "{answers:?}");
        let reused = answers
            .iter()
            .filter(|one| matches!(one, Applied::KeyReused(_)));
        assert_eq!(reused.count(), 19);
        let mut attempts = 0;
        for id in ids {
            attempts += find(&two, &id).await.session.attempts();
        }
        assert_eq!(attempts, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_share_1000_mails_without_one_twice() {
    let Some((place, one, two)) = two_nodes().await else {
        return;
    };
    for number in 0..1_000 {
        open(&one, opening(&place, number)).await;
    }

    let mut claimers = JoinSet::new();
    for token in 1..=8 {
        let storage = if token % 2 == 0 { &one } else { &two }.clone();
        claimers.spawn(async move {
            let mut ids = Vec::new();
            loop {
                let claimed = storage.claim(claim(token, 20)).await.unwrap();
                if claimed.is_empty() {
                    return ids;
                }
                ids.extend(claimed.iter().map(|one| *one.session.id()));
            }
        });
    }
    let claimed: Vec<_> = claimers.join_all().await.into_iter().flatten().collect();

    let different: BTreeSet<_> = claimed.iter().map(|id| *id.as_bytes()).collect();
    assert_eq!(claimed.len(), different.len(), "none twice");
    // What another was just taking was passed over by all who found nothing else.
    let left = one.claim(claim(9, 1_000)).await.unwrap().len();
    assert_eq!(different.len() + left, 1_000);
}

/// Whatever the order, a renewed code has a mail that waits or was sent with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_resend_while_a_courier_settles_never_loses_the_mail() {
    let Some((place, one, two)) = two_nodes().await else {
        return;
    };
    for number in 0..60 {
        let opening = opening(&place, number);
        let id = *opening.session.id();
        open(&one, opening.clone()).await;
        let token = claim(1, 1).lease.token;
        assert_eq!(one.claim(claim(1, 1)).await.unwrap().len(), 1);

        let again = sample::resend(7, opening.at.plus_secs(2));
        let (resent, settled) = tokio::join!(
            two.apply(&id, again),
            one.settle(&id, token, Settlement::Sent)
        );
        let resent = judged(resent);
        settled.unwrap();

        let stored = find(&one, &id).await;
        assert_eq!(stored.session, resent.stored.session);
        // Passed over while the other's transaction, which found nothing to settle, still ends.
        let start = Instant::now();
        while two.claim(claim(2, 9)).await.unwrap().is_empty() {
            assert!(start.elapsed() < TOLD, "{stored:?}");
        }
        assert!(
            two.settle(&id, claim(2, 9).lease.token, Settlement::Sent)
                .await
                .unwrap()
        );
    }
}

/// A courier derives the code of the generation that it is handed.
#[tokio::test(flavor = "multi_thread")]
async fn a_claimed_mail_and_its_session_are_of_one_moment() {
    let Some((place, one, two)) = two_nodes().await else {
        return;
    };
    let mut ids = Vec::new();
    for number in 0..150 {
        let opening = opening(&place, number);
        open(&one, opening.clone()).await;
        ids.push((*opening.session.id(), opening.at));
    }
    let resends = tokio::spawn(async move {
        for resend in 1..=4 {
            for (id, at) in &ids {
                let at = at.plus_secs(2 * u32::from(resend));
                judged(two.apply(id, sample::resend(resend, at)).await);
            }
        }
    });

    let mut claimed = 0;
    while !resends.is_finished() {
        for stored in one.claim(claim(1, 75)).await.unwrap() {
            let pending = stored.session.pending().expect("it waits");
            assert_eq!(pending.generation(), stored.delivery.generation);
            let id = stored.session.id();
            let again = Settlement::Released { due_at: NOON };
            one.settle(id, claim(1, 1).lease.token, again)
                .await
                .unwrap();
            claimed += 1;
        }
    }
    resends.await.unwrap();
    assert!(claimed > 100, "{claimed}");
}
