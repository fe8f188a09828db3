//! The use cases of otpost, and the two workers behind them.
//!
//! A use case is one file: what comes in, what goes out, and the steps between. It knows ports and
//! no adapter.

mod access;
mod error;
mod inbox;
mod janitor;
mod keys;
mod limits;
mod mailer;
mod otp;
mod policy;
mod resend;
mod send;
mod status;
mod test_mode;
mod verify;

#[cfg(test)]
mod mocks;

pub use otpost_ports::{Counted, DeliveryState, Limited, RecipientLimits};

pub use access::{AccessError, Caller};
pub use error::ServiceError;
pub use inbox::{InboxReader, Message, MessageFilter};
pub use janitor::Janitor;
pub use keys::{KeyError, KeyView, Keys, NewKey};
pub use limits::{Exempt, Limits};
pub use mailer::{Mailer, MailerSettings};
pub use otp::{Metered, Otp, Ports};
pub use policy::{Catalogue, Policies, Policy, Rules, UnknownMembers};
pub use resend::ResendAnswer;
pub use send::{SendError, SendRequest, Sent};
pub use status::{SessionView, StatusAnswer};
pub use verify::{VerifyAnswer, VerifyRequest};
