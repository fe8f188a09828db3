//! Openings that came before.

use otpost_ports::Admitted;
use tokio::task::JoinSet;

use super::{CALLERS, assert_opened, mailed, once, open, wished_opening};
use crate::contract::Storage;
use crate::contract::quotas::{everyone, open_counted};
use crate::sample::{self, NOON};

/// An opening that came before opens no second session, queues no second mail and charges nobody;
/// its answer tells of the first.
pub async fn a_repeated_open_opens_nothing(storage: &Storage) {
    let quotas = sample::mail_quotas(&[("project_sends_per_minute", 60), ("recipient_per_day", 9)]);
    let wish = once(storage, "a");
    let first = wished_opening(storage, 1, Some(&quotas), wish);
    assert_opened(&open(storage, first.clone()).await);
    let before = everyone(storage).await;

    for number in [2, 1] {
        let again = wished_opening(storage, number, Some(&quotas), wish);
        let answer = open(storage, again).await;
        assert_eq!(answer, Admitted::Replayed(mailed(&first)));
    }

    assert!(!storage.is_there(&sample::session_id(2, NOON)).await);
    assert_eq!(everyone(storage).await, before, "nobody is charged");
    let mails = storage.claim_messages(1, NOON, 9).await;
    assert_eq!(mails, [first.delivery.message], "one mail");
}

/// Of any number of parallel openings with one wish one opens a session, queues a mail and is
/// charged for, and all are answered alike.
pub async fn parallel_repeated_opens_open_once(storage: &Storage) {
    let quotas =
        sample::mail_quotas(&[("project_sends_per_minute", 60), ("recipient_per_day", 90)]);
    let wish = once(storage, "a");
    let mut callers = JoinSet::new();
    for number in (1..).take(CALLERS) {
        let opening = wished_opening(storage, number, Some(&quotas), wish);
        let sessions = storage.sessions.clone();
        callers.spawn(async move {
            let answer = sessions.open(opening.clone()).await.unwrap();
            (opening, answer)
        });
    }
    let answers = callers.join_all().await;

    let mut opened = answers.iter();
    let opened = opened.find(|(_, answer)| matches!(answer, Admitted::Open(_)));
    let (opened, _) = opened.expect("one is carried out");
    let expected = Admitted::Replayed(mailed(opened));
    let replayed = answers.iter().filter(|(_, answer)| *answer == expected);
    assert_eq!(replayed.count(), CALLERS - 1, "all others are answered");
    let mails = storage.claim_messages(1, NOON, 99).await;
    assert_eq!(mails, [opened.delivery.message]);

    let Admitted::Open(counted) = open_counted(storage, 200, &quotas).await else {
        panic!("it is within its limits");
    };
    let left = counted.first().map(|one| one.allowance.remaining);
    assert_eq!(left, Some(58), "one was charged before");
}

/// Another request under a key that was used is refused: no session, no mail, no charge, and the
/// first answer is said again afterwards.
pub async fn another_open_under_the_key_is_refused(storage: &Storage) {
    let quotas = sample::mail_quotas(&[("project_sends_per_minute", 60)]);
    let wish = once(storage, "a");
    let first = wished_opening(storage, 1, Some(&quotas), wish);
    assert_opened(&open(storage, first.clone()).await);
    let before = everyone(storage).await;

    let other = wished_opening(storage, 2, Some(&quotas), once(storage, "b"));
    let refused = open(storage, other).await;

    assert_eq!(refused, Admitted::KeyReused);
    assert!(!storage.is_there(&sample::session_id(2, NOON)).await);
    assert_eq!(everyone(storage).await, before);
    assert_eq!(storage.claim(1, NOON, 9).await.len(), 1);
    let again = wished_opening(storage, 3, Some(&quotas), wish);
    let answer = open(storage, again).await;
    assert_eq!(answer, Admitted::Replayed(mailed(&first)));
}
