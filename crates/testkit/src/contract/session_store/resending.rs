//! Resends: never a second mail waiting, never an attempt given back.

use otpost_domain::{Resend, ResendPolicy, TermsRecord};
use otpost_ports::{Delivery, DeliveryState, MessageId, Outcome, Settlement};

use super::ending::waiting;
use crate::contract::Storage;
use crate::sample::{self, NOON};

/// The attempts used so far outlive a resend, repeated or renewed.
pub async fn a_resend_keeps_the_attempts(storage: &Storage) {
    let opening = storage.open(1).await;
    let id = opening.session.id();
    let wrong = sample::wrong(&sample::code(&*storage.vault, &opening, 0));
    storage.apply(id, sample::submit(&wrong, NOON)).await;

    for (secs, resent) in [(30, Resend::Repeat), (630, Resend::Renew)] {
        let applied = storage
            .apply(id, sample::resend(2, NOON.plus_secs(secs)))
            .await;
        assert_eq!(applied.outcome, Outcome::Resent(resent));
        assert_eq!(storage.find(id).await.session.attempts(), 1, "{resent:?}");
    }
}

/// While the last mail waits, a repeat makes it due at once instead of queueing a second.
pub async fn a_repeat_hurries_the_mail_that_waits(storage: &Storage) {
    let opening = waiting(storage).await;
    let id = opening.session.id();
    let now = NOON.plus_secs(30);

    let applied = storage.apply(id, sample::resend(2, now)).await;

    assert_eq!(applied.outcome, Outcome::Resent(Resend::Repeat));
    let hurried = Delivery {
        due_at: now,
        tries: 1,
        ..opening.delivery
    };
    assert_eq!(storage.find(id).await.delivery, hurried, "the same mail");
    assert_eq!(
        storage.claim_messages(2, now, 9).await,
        [opening.delivery.message]
    );
}

/// A new code takes the place of the one that waits: one mail, a new message, due at once.
pub async fn a_renewed_code_replaces_the_mail_that_waits(storage: &Storage) {
    let renews = TermsRecord {
        resend: ResendPolicy::Renew,
        ..sample::terms()
    };
    let opening = sample::opening_at(&*storage.vault, 1, renews, NOON);
    let opening = storage.keep(opening).await;
    let id = opening.session.id();
    let now = NOON.plus_secs(30);

    let applied = storage.apply(id, sample::resend(2, now)).await;

    assert_eq!(applied.outcome, Outcome::Resent(Resend::Renew));
    assert_eq!(storage.find(id).await.delivery, queued(2, 1, now));
    assert_eq!(
        storage.claim_messages(2, now, 9).await,
        [MessageId([2; 16])]
    );
}

/// Once the last mail was sent or failed, a resend queues another one.
pub async fn a_resend_after_the_mail_was_sent_queues_another(storage: &Storage) {
    let opening = storage.open(1).await;
    let id = opening.session.id();
    storage.deliver(id, NOON, Settlement::Sent).await;
    let first = NOON.plus_secs(30);
    let second = NOON.plus_secs(60);

    storage.apply(id, sample::resend(2, first)).await;
    assert_eq!(storage.find(id).await.delivery, queued(2, 0, first));

    let failed = Settlement::Failed { reply: None };
    storage.deliver(id, first, failed).await;
    storage.apply(id, sample::resend(3, second)).await;
    assert_eq!(storage.find(id).await.delivery, queued(3, 0, second));
}

/// A resend that is too early or one too many leaves session and mail as they are.
pub async fn a_refused_resend_queues_nothing(storage: &Storage) {
    let no_resends = TermsRecord {
        resends_max: 0,
        ..sample::terms()
    };
    let early = storage.open(1).await;
    let capped = sample::opening_at(&*storage.vault, 2, no_resends, NOON);
    let capped = storage.keep(capped).await;

    for (opening, secs) in [(early, 29), (capped, 60)] {
        let id = opening.session.id();
        let before = storage.find(id).await;
        let resend = sample::resend(9, NOON.plus_secs(secs));
        let applied = storage.apply(id, resend).await;

        assert!(
            matches!(
                applied.outcome,
                Outcome::Resent(Resend::Wait { .. } | Resend::Refuse(_))
            ),
            "{applied:?}"
        );
        assert_eq!(storage.find(id).await, before);
    }
}

fn queued(message: u8, generation: u32, due_at: otpost_domain::Timestamp) -> Delivery {
    Delivery {
        message: MessageId([message; 16]),
        generation,
        state: DeliveryState::Queued,
        due_at,
        tries: 0,
    }
}
