//! Entries of the audit log as rows.

use otpost_domain::{KeyId, Timestamp};
use otpost_ports::{Actor, AuditAction, AuditEntry, RecipientDigest, StoreError};
use sea_orm::{NotSet, Set};

use super::Table;
use crate::entity::audit_entry::{ActiveModel, Model};

pub(crate) const AUDIT_LOG: Table = Table("audit_log");

/// The number of somebody at the command line.
const OPERATOR: i16 = 0;
/// The number of a caller with a key.
const KEY: i16 = 1;

/// The row of `entry`.
pub(crate) fn row(entry: &AuditEntry) -> ActiveModel {
    let (actor_kind, actor) = match &entry.actor {
        Actor::Operator(name) => (OPERATOR, name.as_str()),
        Actor::Key(id) => (KEY, id.as_str()),
    };
    ActiveModel {
        id: NotSet,
        at: Set(entry.at.as_millis()),
        actor_kind: Set(actor_kind),
        actor: Set(actor.to_owned()),
        action: Set(entry.action.name().to_owned()),
        project: Set(entry.project.as_ref().map(|name| name.as_str().to_owned())),
        key_id: Set(entry.key.map(|id| id.as_str().to_owned())),
        recipient: Set(entry.recipient.map(|recipient| recipient.0.to_vec())),
    }
}

/// What `row` says.
pub(crate) fn read(row: Model) -> Result<AuditEntry, StoreError> {
    let project = row.project.as_deref();
    Ok(AuditEntry {
        at: Timestamp::from_millis(row.at),
        actor: match row.actor_kind {
            OPERATOR => Actor::Operator(row.actor),
            KEY => Actor::Key(key("actor", &row.actor)?),
            _ => return Err(AUDIT_LOG.out_of_range("actor_kind")),
        },
        action: AuditAction::parse(&row.action)
            .ok_or_else(|| AUDIT_LOG.corrupt("action is an unknown one"))?,
        project: project
            .map(|name| AUDIT_LOG.project("project", name))
            .transpose()?,
        key: row.key_id.map(|id| key("key_id", &id)).transpose()?,
        recipient: match row.recipient {
            None => None,
            Some(bytes) => Some(RecipientDigest(AUDIT_LOG.bytes("recipient", bytes)?)),
        },
    })
}

fn key(column: &'static str, text: &str) -> Result<KeyId, StoreError> {
    KeyId::parse(text).ok_or_else(|| AUDIT_LOG.corrupt(format!("{column} is none of a key")))
}
