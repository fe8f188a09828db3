//! Messages with a code: how they read, how they reach a relay, and where they are caught in
//! development.
//!
//! [`Renderer`] writes the message of a letter. [`SmtpCourier`] hands it to a relay,
//! [`CaptureInbox`] keeps it on disk for a person or a test to read, and [`DiscardCourier`] drops
//! it. All three take the same letters, and the first two send the same bytes.

mod built_in;
mod capture;
mod catalogue;
mod chains;
mod discard;
mod folder;
mod layout;
mod lifetime;
mod lint;
mod message;
mod plural;
mod proof;
mod render;
mod sender;
mod shelf;
mod smtp;
mod texts;

pub use capture::CaptureInbox;
pub use discard::DiscardCourier;
pub use lint::{TemplateError, TemplateErrors};
pub use message::Message;
pub use render::{Origin, Renderer};
pub use sender::{Footer, Mailbox, Product, Sender, SenderError, Senders, Tone};
pub use shelf::{Reading, check_templates};
pub use smtp::{Credentials, Patience, RelayError, RelaySettings, Security, SmtpCourier};
