//! The use cases of otpost, and the workers behind them.
//!
//! A use case is one file: what comes in, what goes out, and the steps between. It knows ports and
//! no adapter.

mod access;
mod alarm;
mod audit;
mod error;
mod idempotency;
mod inbox;
mod janitor;
mod key_uses;
mod keys;
mod known_keys;
mod limits;
mod mailer;
mod otp;
mod policy;
mod postmaster;
mod recipients;
mod resend;
mod send;
mod status;
mod test_mode;
mod verify;

#[cfg(test)]
mod mocks;

pub use otpost_ports::{
    Actor, AuditEntry, Catalogue, Catalogues, Counted, DeliveryState, Erased, Limited, OutboxEntry,
    RecipientLimits, Scope, StoredSession,
};

pub use access::{AccessError, Caller};
pub use audit::Audit;
pub use error::ServiceError;
pub use idempotency::Idempotency;
pub use inbox::{InboxReader, Message, MessageFilter, Preview};
pub use janitor::Janitor;
pub use key_uses::KeyUses;
pub use keys::{KeyError, KeyView, Keys, NewKey};
pub use limits::{Exempt, Limits};
pub use mailer::{Mailer, MailerSettings, Slots};
pub use otp::{Metered, Otp, Ports};
pub use policy::{Policies, Policy, Rules, UnknownMembers};
pub use postmaster::{MailError, Postmaster, Retried};
pub use recipients::{RecipientError, RecipientView, Recipients};
pub use resend::{ResendAnswer, ResendRequest};
pub use send::{SendError, SendRequest, Sent};
pub use status::{SessionView, StatusAnswer};
pub use verify::{VerifyAnswer, VerifyRequest};
