//! Kept answers as rows.

use otpost_domain::{SessionId, Timestamp};
use otpost_ports::{IdempotencyDigest, KeptAnswer, Once, RequestDigest, Sealed, StoreError};

use super::Table;
use crate::entity::kept_answer::Model;

pub(crate) const KEPT_ANSWERS: Table = Table("kept_answers");

/// The row of `kept`.
pub(crate) fn row(kept: &KeptAnswer) -> Model {
    Model {
        key: kept.once.key.0.to_vec(),
        request: kept.once.request.0.to_vec(),
        session_id: kept.session.as_bytes().to_vec(),
        answer: kept.answer.0.clone(),
        until_at: kept.once.until.as_millis(),
        conflicts: kept.conflicts.into(),
    }
}

/// What `row` says.
pub(crate) fn read(row: Model) -> Result<KeptAnswer, StoreError> {
    Ok(KeptAnswer {
        once: Once {
            key: IdempotencyDigest(KEPT_ANSWERS.bytes("key", row.key)?),
            request: RequestDigest(KEPT_ANSWERS.bytes("request", row.request)?),
            until: Timestamp::from_millis(row.until_at),
        },
        session: SessionId::from_bytes(KEPT_ANSWERS.bytes("session_id", row.session_id)?),
        answer: Sealed(row.answer),
        conflicts: KEPT_ANSWERS.small("conflicts", row.conflicts)?,
    })
}
