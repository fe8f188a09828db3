//! What becomes of a mail: by a command to its session, and by a try to send it.

use otpost_domain::{Pending, SessionId, Timestamp};
use otpost_ports::{Decision, Delivery, DeliveryState, LeaseToken, MailChange, Reply, Settlement};

use super::held::HeldRows;
use crate::convert;
use crate::convert::delivery::{FAILED, QUEUED, SENT, reply_columns};
use crate::entity::delivery;

/// What the mail of a session becomes; `None` when it stays.
pub(super) fn mail_after(
    last: &delivery::Model,
    decision: &Decision,
    at: Timestamp,
) -> Option<(Delivery, delivery::Model)> {
    let before = decision.before.delivery;
    match decision.mail {
        MailChange::Keep => None,
        MailChange::Hurry => {
            let leased_until = last.lease_until.map(Timestamp::from_millis);
            let is_leased = leased_until.is_some_and(|until| at < until);
            let is_hurried = last.state == QUEUED && (is_leased || at < before.due_at);
            is_hurried.then(|| {
                let row = delivery::Model {
                    due_at: at.as_millis(),
                    ..last.clone()
                };
                (
                    Delivery {
                        due_at: at,
                        ..before
                    },
                    row,
                )
            })
        }
        MailChange::Queue(message) => {
            let in_force = decision.session.pending();
            let delivery = Delivery {
                message,
                generation: in_force.map_or(before.generation, Pending::generation),
                state: DeliveryState::Queued,
                due_at: at,
                tries: 0,
            };
            let row = convert::delivery::row(decision.session.id(), &delivery);
            Some((delivery, row))
        }
    }
}

/// Writes down what became of a mail, unless its lease was lost.
pub(super) fn settle(
    held: &mut HeldRows,
    id: &SessionId,
    token: LeaseToken,
    settlement: &Settlement,
) -> bool {
    let leased = held
        .mail(id)
        .filter(|mail| mail.lease_token.as_deref() == Some(&token.0[..]));
    let Some(mail) = leased.map(|mail| settled(mail, settlement)) else {
        return false;
    };
    held.put_mail(mail);
    true
}

/// What a mail is after a try, held by nobody.
fn settled(mail: &delivery::Model, settlement: &Settlement) -> delivery::Model {
    let free = delivery::Model {
        lease_token: None,
        lease_until: None,
        ..mail.clone()
    };
    let tried = |state: i16, reply: Option<Reply>| {
        let (reply_code, reply_enhanced) = match reply {
            Some(_) => reply_columns(reply),
            None => (mail.reply_code, mail.reply_enhanced.clone()),
        };
        delivery::Model {
            state,
            tries: mail.tries + 1,
            reply_code,
            reply_enhanced,
            ..free.clone()
        }
    };
    match *settlement {
        Settlement::Released { due_at } => delivery::Model {
            due_at: due_at.as_millis(),
            ..free
        },
        Settlement::Sent => tried(SENT, None),
        Settlement::Failed { reply } => tried(FAILED, reply),
        Settlement::Retry {
            due_at,
            was_due_at,
            reply,
        } => {
            let tried = tried(QUEUED, reply);
            let is_hurried = tried.due_at != was_due_at.as_millis();
            delivery::Model {
                due_at: if is_hurried {
                    tried.due_at
                } else {
                    due_at.as_millis()
                },
                ..tried
            }
        }
    }
}
