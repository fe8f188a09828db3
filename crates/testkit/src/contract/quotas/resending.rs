//! Limits of resends: they share those of sends, and pay only for a mail.

use std::time::Duration;

use otpost_domain::{Resend, ResendPolicy, SessionId, TermsRecord, Timestamp};
use otpost_ports::{Applied, Outcome, Settlement, Subject};
use tokio::task::JoinSet;

use super::{
    CALLERS, TWO_DAYS_SECS, assert_limited, assert_open, carry_out, counted, counters, everyone,
    limited, open_counted_at, recipient, used,
};
use crate::contract::Storage;
use crate::sample::{self, NOON};

/// A resend is counted for its caller and its recipient, as an open is, whether the mail waits
/// still or another is queued.
pub async fn a_resend_charges_its_project_and_its_recipient(storage: &Storage) {
    let (sends, mails) = ("project_sends_per_minute", "recipient_per_day");
    let quotas = sample::mail_quotas(&[(sends, 60), (mails, 20)]);
    assert_open(&open_counted_at(storage, 1, NOON, &quotas).await);
    let id = sample::session_id(1, NOON);
    let (first, second) = (NOON.plus_secs(30), NOON.plus_secs(60));
    let mut instants = vec![NOON];

    for at in [first, second] {
        let resend = counted(sample::resend(2, at), &quotas);
        let judged = storage.apply(&id, resend).await;

        assert_eq!(judged.outcome, Outcome::Resent(Resend::Repeat));
        let names: Vec<_> = judged.counted.iter().map(|one| one.name).collect();
        assert_eq!(names, [sends, mails, mails]);
        instants.push(at);
        let project = sample::owner().project;
        let recipient = recipient(storage);
        for (subject, bucket, limit) in [
            (Subject::project(&project), 0, sample::limit(sends, 60)),
            (
                Subject::recipient_of(&project, &recipient),
                2,
                sample::limit(mails, 20),
            ),
            (Subject::recipient(&recipient), 2, sample::limit(mails, 60)),
        ] {
            let kept = counters(storage, &subject).await.buckets[bucket];
            assert_eq!(kept, used(limit, &instants), "{subject:?}");
        }
        storage.deliver(&id, at, Settlement::Sent).await;
    }
}

/// A resend that is too early, one too many, too late or of no session mails nothing, and nobody
/// is charged.
pub async fn a_refused_resend_charges_nothing(storage: &Storage) {
    let quotas = sample::mail_quotas(&[
        ("project_sends_per_minute", 60),
        ("client_ip_per_day", 50),
        ("recipient_per_day", 20),
    ]);
    let no_resends = TermsRecord {
        resends_max: 0,
        ..sample::terms()
    };
    let early = storage.open(1).await;
    let capped = sample::opening_at(&*storage.vault, 2, no_resends, NOON);
    let capped = storage.keep(capped).await;
    let verified = storage.open(3).await;
    let right = sample::code(&*storage.vault, &verified, 0);
    let submit = sample::submit(&right, NOON);
    storage.apply(verified.session.id(), submit).await;
    let before = everyone(storage).await;

    for (opening, secs) in [(early, 29), (capped, 60), (verified, 60)] {
        let resend = counted(sample::resend(9, NOON.plus_secs(secs)), &quotas);
        let judged = storage.apply(opening.session.id(), resend).await;
        assert!(
            matches!(
                judged.outcome,
                Outcome::Resent(Resend::Wait { .. } | Resend::Refuse(_))
            ),
            "{judged:?}"
        );
        assert_eq!(judged.counted, []);
        assert_eq!(everyone(storage).await, before, "{:?}", judged.outcome);
    }
    let unknown = sample::session_id(4, NOON);
    let resend = counted(sample::resend(9, NOON.plus_secs(60)), &quotas);
    let answer = carry_out(storage, &unknown, resend).await;
    assert!(matches!(answer, Applied::NotFound(_)), "{answer:?}");
    assert_eq!(everyone(storage).await, before);
}

/// Whichever limit refuses a resend: session, mail and counters stay as they are.
pub async fn a_limited_resend_changes_neither_session_nor_mail(storage: &Storage) {
    let mut at = NOON;
    for (number, name) in (1..).zip([
        "project_sends_per_minute",
        "installation_mails_per_minute",
        "client_ip_per_day",
        "recipient_per_hour",
    ]) {
        at = at.plus_secs(TWO_DAYS_SECS);
        let quotas = sample::mail_quotas(&[(name, 1)]);
        assert_open(&open_counted_at(storage, number, at, &quotas).await);
        let id = sample::session_id(number, at);
        let (stored, counted_before) = (storage.find(&id).await, everyone(storage).await);

        let later = at.plus_secs(30);
        let resend = counted(sample::resend(100, later), &quotas);
        let refused = carry_out(storage, &id, resend).await;

        let wait = sample::limit(name, 1).window_secs() - 30;
        assert_limited(&refused, limited(name, 1, Duration::from_secs(wait.into())));
        assert_eq!(storage.find(&id).await, stored, "{name}");
        assert_eq!(everyone(storage).await, counted_before, "{name}");
    }
}

/// Of any number of parallel resends so many queue a mail as the quota says, whichever sessions
/// they are about.
pub async fn parallel_resends_are_mailed_quota_times(storage: &Storage) {
    let renews = TermsRecord {
        resend: ResendPolicy::Renew,
        ..sample::terms()
    };
    let quotas = sample::mail_quotas(&[("recipient_per_hour", 7)]);
    let at = NOON.plus_secs(30);
    let mut ids: Vec<SessionId> = Vec::new();
    for number in (1..).take(CALLERS) {
        let opening = sample::opening_at(&*storage.vault, number, renews, NOON);
        ids.push(*storage.keep(opening).await.session.id());
    }
    let mut callers = JoinSet::new();
    for (number, id) in (101..).zip(ids.clone()) {
        let resend = counted(sample::resend(number, at), &quotas);
        let sessions = storage.sessions.clone();
        callers.spawn(async move { sessions.apply(&id, resend).await.unwrap() });
    }
    let answers = callers.join_all().await;

    let judged = answers.iter();
    let judged = judged.filter(|answer| matches!(answer, Applied::Judged(_)));
    assert_eq!(judged.count(), 7);
    assert_eq!(renewed(storage, &ids, at).await, 7);
}

/// How many of the sessions have a mail that was queued at this instant.
async fn renewed(storage: &Storage, ids: &[SessionId], at: Timestamp) -> usize {
    let mut renewed = 0;
    for id in ids {
        let delivery = storage.find(id).await.delivery;
        let is_new = (delivery.generation, delivery.due_at) == (1, at);
        renewed += usize::from(is_new);
    }
    renewed
}
