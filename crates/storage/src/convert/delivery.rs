//! Mails as rows, with what a relay said of them.

use otpost_domain::{SessionId, Timestamp};
use otpost_ports::{Delivery, DeliveryState, MessageId, Reply, StoreError};

use super::Table;
use crate::entity::delivery::Model;

pub(crate) const DELIVERIES: Table = Table("deliveries");

/// The number of a mail that waits. The partial index of the outbox holds it as a literal.
pub(crate) const QUEUED: i16 = 0;
pub(crate) const SENT: i16 = 1;
pub(crate) const FAILED: i16 = 2;
/// Failed, and done with for an operator too.
pub(crate) const DROPPED: i16 = 3;

/// The row of a mail that nobody has leased, and of which no relay has said anything.
pub(crate) fn row(session: &SessionId, delivery: &Delivery) -> Model {
    Model {
        session_id: session.as_bytes().to_vec(),
        message: delivery.message.0.to_vec(),
        generation: delivery.generation.into(),
        state: match delivery.state {
            DeliveryState::Queued => QUEUED,
            DeliveryState::Sent => SENT,
            DeliveryState::Failed => FAILED,
        },
        due_at: delivery.due_at.as_millis(),
        tries: delivery.tries.into(),
        lease_token: None,
        lease_until: None,
        reply_code: None,
        reply_enhanced: None,
    }
}

/// What `row` says.
pub(crate) fn read(row: &Model) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        message: MessageId(DELIVERIES.bytes("message", row.message.clone())?),
        generation: DELIVERIES.number("generation", row.generation)?,
        state: match row.state {
            QUEUED => DeliveryState::Queued,
            SENT => DeliveryState::Sent,
            FAILED | DROPPED => DeliveryState::Failed,
            _ => return Err(DELIVERIES.out_of_range("state")),
        },
        due_at: Timestamp::from_millis(row.due_at),
        tries: DELIVERIES.number("tries", row.tries)?,
    })
}

/// The columns of a reply: its code, and its enhanced code as `5.1.1`.
pub(crate) fn reply_columns(reply: Option<Reply>) -> (Option<i16>, Option<String>) {
    let code = reply.and_then(|reply| i16::try_from(reply.code).ok());
    let enhanced = reply
        .and_then(|reply| reply.enhanced)
        .map(|(class, subject, detail)| format!("{class}.{subject}.{detail}"));
    (code, enhanced)
}

/// What a relay said, by `row`.
pub(crate) fn read_reply(row: &Model) -> Result<Option<Reply>, StoreError> {
    let Some(code) = row.reply_code else {
        return Ok(None);
    };
    Ok(Some(Reply {
        code: u16::try_from(code).map_err(|_| DELIVERIES.out_of_range("reply_code"))?,
        enhanced: match &row.reply_enhanced {
            None => None,
            Some(text) => Some(
                enhanced(text)
                    .ok_or_else(|| DELIVERIES.corrupt("reply_enhanced is no status code"))?,
            ),
        },
    }))
}

fn enhanced(text: &str) -> Option<(u8, u16, u16)> {
    let (class, rest) = text.split_once('.')?;
    let (subject, detail) = rest.split_once('.')?;
    Some((
        class.parse().ok()?,
        subject.parse().ok()?,
        detail.parse().ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_survives_its_columns() {
        let delivery = Delivery {
            message: MessageId([7; 16]),
            generation: 0,
            state: DeliveryState::Failed,
            due_at: Timestamp::from_millis(0),
            tries: 1,
        };
        let id = SessionId::from_bytes([1; 22]);
        for enhanced in [None, Some((5, 1, 1)), Some((4, 999, 65_535))] {
            let reply = Some(Reply {
                code: 550,
                enhanced,
            });
            let (reply_code, reply_enhanced) = reply_columns(reply);
            let model = Model {
                reply_code,
                reply_enhanced,
                ..row(&id, &delivery)
            };
            assert_eq!(read_reply(&model).unwrap(), reply, "{enhanced:?}");
        }
    }

    #[test]
    fn what_is_no_enhanced_code_is_refused() {
        for text in ["", "5", "5.1", "5.1.", "5.1.1.1", "a.b.c", "256.1.1"] {
            assert_eq!(enhanced(text), None, "{text}");
        }
    }
}
