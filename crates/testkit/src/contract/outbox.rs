//! The promises of [`Outbox`](otpost_ports::Outbox).

use otpost_domain::{ResendPolicy, SessionId, TermsRecord, Timestamp};
use otpost_ports::{
    Claim, Delivery, DeliveryState, Lease, LeaseToken, MessageId, Opening, OutboxEntry,
    OutboxQuery, Reply, Settlement,
};
use tokio::task::JoinSet;

use super::{LEASE_SECS, Storage};
use crate::sample::{self, NOON};

const BUSY: Reply = Reply {
    code: 451,
    enhanced: Some((4, 7, 1)),
};
const REFUSED: Reply = Reply {
    code: 550,
    enhanced: None,
};

/// A claimed mail comes with all that is needed to write it.
pub async fn a_claimed_mail_comes_with_its_session(storage: &Storage) {
    let opening = storage.open(1).await;
    let stored = storage.find(opening.session.id()).await;

    assert_eq!(storage.claim(1, NOON, 9).await, [stored]);
}

/// While a lease lasts nobody else is handed the mail.
pub async fn a_mail_is_not_leased_twice_at_a_time(storage: &Storage) {
    storage.open(1).await;

    assert_eq!(storage.claim(1, NOON, 9).await.len(), 1);
    let last = Timestamp::from_millis(NOON.plus_secs(LEASE_SECS).as_millis() - 1);
    assert_eq!(storage.claim(2, NOON, 9).await, []);
    assert_eq!(storage.claim(2, last, 9).await, []);
}

/// Of parallel claimers none is handed a mail that another holds, and no mail is left out.
pub async fn parallel_claimers_share_the_mails(storage: &Storage) {
    for number in 1..=20 {
        storage.open(number).await;
    }

    let mut claimers = JoinSet::new();
    for token in 1..=10 {
        let outbox = storage.outbox.clone();
        let claim = Claim {
            lease: Lease {
                token: LeaseToken([token; 16]),
                until: NOON.plus_secs(LEASE_SECS),
            },
            now: NOON,
            limit: 2,
        };
        claimers.spawn(async move { outbox.claim(claim).await });
    }
    let claimed = claimers.join_all().await;

    let mut messages: Vec<_> = claimed
        .into_iter()
        .flat_map(|mails| mails.expect("a claim waits for the others"))
        .map(|mail| mail.delivery.message.0[0])
        .collect();
    // An adapter that skips what another is about to lease may hand out less than asked for.
    messages.extend(rest(storage).await);
    messages.sort_unstable();
    assert_eq!(messages, (1..=20).collect::<Vec<u8>>());
}

async fn rest(storage: &Storage) -> Vec<u8> {
    let rest = storage.claim_messages(99, NOON, 20).await;
    rest.into_iter().map(|message| message.0[0]).collect()
}

/// A mail is left alone until the instant at which it is due.
pub async fn a_mail_is_not_claimed_before_it_is_due(storage: &Storage) {
    storage.open(1).await;
    let early = Timestamp::from_millis(NOON.as_millis() - 1);

    assert_eq!(storage.claim(1, early, 9).await, []);
    assert_eq!(storage.claim(1, NOON, 9).await.len(), 1);
}

/// The mails that have waited longest come first, and no more than asked for.
pub async fn the_longest_due_are_claimed_first_and_no_more_than_asked_for(storage: &Storage) {
    for (number, secs) in [(1, 30), (2, 10), (3, 20), (4, 40)] {
        let opening = sample::opening(&*storage.vault, number);
        let delivery = Delivery {
            due_at: NOON.plus_secs(secs),
            ..opening.delivery
        };
        storage
            .keep(Opening {
                delivery,
                ..opening
            })
            .await;
    }
    let now = NOON.plus_secs(50);

    for expected in [[2, 3], [1, 4]] {
        let messages = storage.claim_messages(1, now, 2).await;
        assert_eq!(messages, expected.map(|number| MessageId([number; 16])));
    }
}

/// A session of tests is opened with its mail settled, and nobody is asked to send it.
pub async fn a_mail_opened_as_sent_is_never_claimed(storage: &Storage) {
    for (number, state) in [(1, DeliveryState::Sent), (2, DeliveryState::Failed)] {
        let opening = sample::opening(&*storage.vault, number);
        let delivery = Delivery {
            state,
            ..opening.delivery
        };
        storage
            .keep(Opening {
                delivery,
                ..opening
            })
            .await;
    }

    assert_eq!(storage.claim(1, NOON.plus_secs(600), 9).await, []);
}

/// A mail that was opened under a lease is its holder's, who settles it; nobody else is handed it
/// before the lease is over.
pub async fn a_mail_opened_under_a_lease_is_its_holders_alone(storage: &Storage) {
    let lease = Lease {
        token: LeaseToken([1; 16]),
        until: NOON.plus_secs(LEASE_SECS),
    };
    for number in 1..=2 {
        let opening = Opening {
            lease: Some(lease),
            ..sample::opening(&*storage.vault, number)
        };
        storage.keep(opening).await;
    }
    let last = Timestamp::from_millis(lease.until.as_millis() - 1);
    assert_eq!(storage.claim(2, last, 9).await, []);

    let id = sample::session_id(1, NOON);
    let settle = |token| storage.outbox.settle(&id, token, Settlement::Sent);
    assert!(!settle(LeaseToken([2; 16])).await.unwrap());
    assert!(settle(lease.token).await.unwrap());

    let over = storage.claim_messages(2, lease.until, 9).await;
    assert_eq!(over, [MessageId([2; 16])]);
}

/// The mail of a node that died is anyone's once its lease is over.
pub async fn a_lease_that_ran_out_is_taken_over(storage: &Storage) {
    let opening = storage.open(1).await;
    let over = NOON.plus_secs(LEASE_SECS);
    storage.claim(1, NOON, 9).await;

    assert_eq!(
        storage.claim_messages(2, over, 9).await,
        [opening.delivery.message]
    );
}

/// A token whose lease was taken over, or which never had one, settles nothing.
pub async fn a_lease_that_was_lost_settles_nothing(storage: &Storage) {
    let opening = storage.open(1).await;
    let id = opening.session.id();
    assert!(!storage.settle(id, 1, Settlement::Sent).await, "no lease");
    storage.claim(1, NOON, 9).await;
    storage.claim(2, NOON.plus_secs(LEASE_SECS), 9).await;

    let unknown = sample::session_id(9, NOON);
    assert!(!storage.settle(&unknown, 2, Settlement::Sent).await);
    assert!(!storage.settle(id, 1, Settlement::Sent).await, "taken over");
    assert_eq!(storage.find(id).await.delivery, opening.delivery);
    assert!(storage.settle(id, 2, Settlement::Sent).await, "the holder");
}

/// To settle ends the lease: a second time says so and changes nothing.
pub async fn a_lease_settles_once(storage: &Storage) {
    let opening = storage.open(1).await;
    let id = opening.session.id();
    let later = retry_at(NOON.plus_secs(300));
    storage.deliver(id, NOON, later.clone()).await;
    let settled = storage.find(id).await;

    let released = Settlement::Released { due_at: NOON };
    for again in [later, Settlement::Sent, released] {
        assert!(!storage.settle(id, 0xde, again.clone()).await, "{again:?}");
    }
    assert_eq!(storage.find(id).await, settled);
}

/// A mail that a relay took is not handed out again, and was tried once more.
pub async fn a_sent_mail_is_done_with(storage: &Storage) {
    let opening = storage.open(1).await;
    let id = opening.session.id();

    storage.deliver(id, NOON, Settlement::Sent).await;

    let delivery = storage.find(id).await.delivery;
    assert_eq!((delivery.state, delivery.tries), (DeliveryState::Sent, 1));
    assert_eq!(storage.claim(2, NOON.plus_secs(600), 9).await, []);
}

/// A mail to be tried again is handed out when it is due, and remembers what the relay said.
pub async fn a_mail_to_retry_waits_until_it_is_due(storage: &Storage) {
    let opening = storage.open(1).await;
    let id = opening.session.id();
    let due_at = NOON.plus_secs(15);

    storage.deliver(id, NOON, retry_at(due_at)).await;

    let waiting = Delivery {
        due_at,
        tries: 1,
        ..opening.delivery
    };
    assert_eq!(storage.find(id).await.delivery, waiting);
    assert_eq!(replies(storage).await, [Some(BUSY)]);
    let early = Timestamp::from_millis(due_at.as_millis() - 1);
    assert_eq!(storage.claim(2, early, 9).await, []);
    assert_eq!(
        storage.claim_messages(2, due_at, 9).await,
        [opening.delivery.message]
    );
}

/// A mail that is refused for good is not handed out again, and remembers what the relay said; so
/// does one that is given up after the relay said something.
pub async fn a_failed_mail_is_never_tried_again(storage: &Storage) {
    let opening = storage.open(1).await;
    let id = opening.session.id();
    let reply = Some(REFUSED);

    storage
        .deliver(id, NOON, Settlement::Failed { reply })
        .await;

    assert_eq!(storage.find(id).await.delivery.state, DeliveryState::Failed);
    assert_eq!(replies(storage).await, [reply]);
    assert_eq!(storage.claim(2, NOON.plus_secs(600), 9).await, []);

    let given_up = storage.open(2).await;
    let id = given_up.session.id();
    let later = NOON.plus_secs(1);
    storage.deliver(id, NOON, retry_at(later)).await;
    let silent = Settlement::Failed { reply: None };
    storage.deliver(id, later, silent).await;
    let said = replies(storage).await;
    assert!(said.contains(&Some(BUSY)), "{said:?}");
}

/// A lease that is given back leaves the mail untried, for anyone when it is due again.
pub async fn a_released_mail_is_anyones_and_was_not_tried(storage: &Storage) {
    let opening = storage.open(1).await;
    let id = opening.session.id();
    let due_at = NOON.plus_secs(1);

    storage
        .deliver(id, NOON, Settlement::Released { due_at })
        .await;

    let released = Delivery {
        due_at,
        ..opening.delivery
    };
    assert_eq!(storage.find(id).await.delivery, released);
    assert_eq!(storage.claim(2, NOON, 9).await, [], "not yet due");
    assert_eq!(
        storage.claim_messages(2, due_at, 9).await,
        [opening.delivery.message]
    );
}

/// Who holds a mail that a new code replaced has lost it, and the new one is anyone's at once.
pub async fn a_replaced_mail_ends_the_lease(storage: &Storage) {
    let renews = TermsRecord {
        resend: ResendPolicy::Renew,
        ..sample::terms()
    };
    let opening = sample::opening_at(&*storage.vault, 1, renews, NOON);
    let opening = storage.keep(opening).await;
    let id = opening.session.id();
    let now = NOON.plus_secs(30);
    storage.claim(1, NOON, 9).await;

    storage.apply(id, sample::resend(2, now)).await;

    let renewed = storage.find(id).await;
    assert!(!storage.settle(id, 1, Settlement::Sent).await, "lost");
    assert_eq!(storage.find(id).await, renewed, "nothing was written");
    assert_eq!(
        storage.claim_messages(2, now, 9).await,
        [MessageId([2; 16])]
    );
}

/// A mail that is asked for again while a try is under way is tried again at once when that try
/// fails, not when it would have been due.
pub async fn a_mail_hurried_during_a_try_is_retried_at_once(storage: &Storage) {
    let opening = storage.open(1).await;
    let id = opening.session.id();
    let now = NOON.plus_secs(30);
    storage.claim(1, NOON, 9).await;
    storage.apply(id, sample::resend(2, now)).await;

    assert!(storage.settle(id, 1, retry_at(now.plus_secs(60))).await);

    assert_eq!(
        storage.claim_messages(2, now, 9).await,
        [opening.delivery.message]
    );
}

/// Who holds a mail that is asked for again still holds it: the code is the same.
pub async fn a_hurried_mail_keeps_its_lease(storage: &Storage) {
    let opening = storage.open(1).await;
    let id = opening.session.id();
    let now = NOON.plus_secs(30);
    storage.claim(1, NOON, 9).await;

    storage.apply(id, sample::resend(2, now)).await;

    assert_eq!(storage.claim(2, now, 9).await, [], "somebody has it");
    assert!(storage.settle(id, 1, Settlement::Sent).await);
    assert_eq!(storage.find(id).await.delivery.state, DeliveryState::Sent);
}

/// An operator sees what waits and what failed, the newest sessions first, no more than asked for.
pub async fn the_list_shows_what_waits_or_failed(storage: &Storage) {
    let ids = four_mails(storage).await;

    let listed = list(storage, OutboxQuery::any(9)).await;
    let shown: Vec<_> = listed
        .iter()
        .map(|entry| (*entry.session.id(), entry.delivery.state))
        .collect();
    let expected = [
        (ids[0], DeliveryState::Queued),
        (ids[1], DeliveryState::Queued),
        (ids[3], DeliveryState::Failed),
    ];
    assert_eq!(shown, expected);
    for entry in &listed {
        let stored = storage.find(entry.session.id()).await;
        assert_eq!(entry.session, stored.session);
        assert_eq!(entry.owner, stored.context.owner);
        assert_eq!(entry.template, stored.context.template);
    }
    let first = list(storage, OutboxQuery::any(2)).await;
    assert_eq!(first, listed[..2], "bounded");
}

/// An operator asks for what failed alone, or for mails by their identifiers.
pub async fn the_list_shows_what_is_asked_for(storage: &Storage) {
    let ids = four_mails(storage).await;
    let failed = OutboxQuery {
        is_failed_only: true,
        ..OutboxQuery::any(9)
    };
    let between = |first: u8, last: u8| OutboxQuery {
        messages: Some(MessageId([first; 16])..=MessageId([last; 16])),
        ..OutboxQuery::any(9)
    };

    for (query, expected) in [
        (failed, vec![ids[3]]),
        (between(1, 1), vec![ids[0]]),
        (between(2, 4), vec![ids[1], ids[3]]),
        (between(5, 9), vec![]),
    ] {
        let label = format!("{query:?}");
        let listed = list(storage, query).await;
        let shown: Vec<_> = listed.iter().map(|entry| *entry.session.id()).collect();
        assert_eq!(shown, expected, "{label}");
    }
}

/// The sessions of four mails, the newest first: the third was sent, the fourth failed.
async fn four_mails(storage: &Storage) -> Vec<SessionId> {
    let mut ids = Vec::new();
    for number in 1..=4 {
        let at = NOON.minus_secs(u32::from(number));
        let opening = sample::opening_at(&*storage.vault, number, sample::terms(), at);
        ids.push(*storage.keep(opening).await.session.id());
    }
    storage.claim(1, NOON, 9).await;
    storage.settle(&ids[2], 1, Settlement::Sent).await;
    let failed = Settlement::Failed { reply: None };
    storage.settle(&ids[3], 1, failed).await;
    ids
}

/// An operator makes a mail due that waits or that failed.
pub async fn an_operator_makes_a_mail_due(storage: &Storage) {
    let opening = storage.open(1).await;
    let id = opening.session.id();
    let failed = Settlement::Failed { reply: None };

    for (secs, settlement) in [(0, retry_at(NOON.plus_secs(600))), (10, failed)] {
        let now = NOON.plus_secs(secs);
        storage.deliver(id, now, settlement.clone()).await;
        let later = now.plus_secs(10);
        assert_eq!(storage.claim(2, later, 9).await, [], "{settlement:?}");

        let message = &opening.delivery.message;
        assert!(retry(storage, id, message, later).await, "{settlement:?}");
        let delivery = storage.find(id).await.delivery;
        let due = (DeliveryState::Queued, later);
        assert_eq!((delivery.state, delivery.due_at), due);
    }
}

/// A mail that was sent, or that is not there, is neither made due nor dropped.
pub async fn an_operator_does_not_revive_a_sent_mail(storage: &Storage) {
    let opening = storage.open(1).await;
    let (id, message) = (opening.session.id(), &opening.delivery.message);
    storage.deliver(id, NOON, Settlement::Sent).await;
    let sent = storage.find(id).await;

    assert!(!retry(storage, id, message, NOON).await, "it was sent");
    assert!(!discard(storage, id, message).await, "it was sent");
    let unknown = sample::session_id(9, NOON);
    let found = retry(storage, &unknown, message, NOON).await;
    assert!(!found, "there is none");
    assert!(!discard(storage, &unknown, message).await, "there is none");
    assert_eq!(storage.find(id).await, sent);
    assert_eq!(storage.claim(2, NOON.plus_secs(600), 9).await, []);
}

/// A mail that an operator drops failed for good: whoever holds it has lost it, nobody is handed
/// it again, and it is not listed.
pub async fn a_dropped_mail_is_never_sent(storage: &Storage) {
    for (number, claims) in [(1, false), (2, true)] {
        let opening = storage.open(number).await;
        let (id, message) = (opening.session.id(), &opening.delivery.message);
        if claims {
            assert_eq!(storage.claim(1, NOON, 9).await.len(), 1);
        }

        assert!(discard(storage, id, message).await, "held: {claims}");

        let dropped = storage.find(id).await;
        assert_eq!(dropped.delivery.state, DeliveryState::Failed);
        let settled = storage.settle(id, 1, retry_at(NOON)).await;
        assert!(!settled, "held: {claims}");
        assert!(!retry(storage, id, message, NOON).await, "held: {claims}");
        assert!(!discard(storage, id, message).await, "held: {claims}");
        assert_eq!(storage.find(id).await, dropped, "held: {claims}");
        assert_eq!(storage.claim(2, NOON.plus_secs(200), 9).await, []);
        assert_eq!(list(storage, OutboxQuery::any(9)).await, []);
    }
}

/// Also a mail that failed is dropped, and a resend queues another after it.
pub async fn a_dropped_mail_makes_way_for_another(storage: &Storage) {
    let opening = storage.open(1).await;
    let (id, message) = (opening.session.id(), &opening.delivery.message);
    let failed = Settlement::Failed { reply: None };
    storage.deliver(id, NOON, failed).await;
    assert_eq!(list(storage, OutboxQuery::any(9)).await.len(), 1);
    assert!(discard(storage, id, message).await);
    assert_eq!(list(storage, OutboxQuery::any(9)).await, []);
    let now = NOON.plus_secs(30);

    storage.apply(id, sample::resend(2, now)).await;

    let another = MessageId([2; 16]);
    assert!(!retry(storage, id, message, now).await, "it is not there");
    assert!(!discard(storage, id, message).await, "it is not there");
    assert_eq!(list(storage, OutboxQuery::any(9)).await.len(), 1);
    assert_eq!(storage.claim_messages(2, now, 9).await, [another]);
}

async fn retry(storage: &Storage, id: &SessionId, message: &MessageId, now: Timestamp) -> bool {
    storage.outbox.retry(id, message, now).await.unwrap()
}

async fn discard(storage: &Storage, id: &SessionId, message: &MessageId) -> bool {
    storage.outbox.discard(id, message).await.unwrap()
}

async fn list(storage: &Storage, query: OutboxQuery) -> Vec<OutboxEntry> {
    storage.outbox.list(query).await.unwrap()
}

const fn retry_at(due_at: Timestamp) -> Settlement {
    Settlement::Retry {
        due_at,
        was_due_at: NOON,
        reply: Some(BUSY),
    }
}

async fn replies(storage: &Storage) -> Vec<Option<Reply>> {
    let listed = list(storage, OutboxQuery::any(9)).await;
    listed.into_iter().map(|entry| entry.reply).collect()
}
