//! Messages with a code: how they read, how they reach a relay, and where they are caught in
//! development.
//!
//! [`Renderer`] writes the message of a letter. [`SmtpCourier`] hands it to a relay,
//! [`CaptureInbox`] keeps it on disk for a person or a test to read, and [`DiscardCourier`] drops
//! it. All three take the same letters, and the first two send the same bytes.

mod built_in;
mod capture;
mod catalogue;
mod discard;
mod lifetime;
mod lint;
mod message;
mod plural;
mod render;
mod sender;
mod smtp;
mod texts;

pub use capture::CaptureInbox;
pub use discard::DiscardCourier;
pub use lint::TemplateError;
pub use message::Message;
pub use render::Renderer;
pub use sender::{Footer, Mailbox, Product, Sender, SenderError, Senders, Tone};
pub use smtp::{Credentials, Patience, RelayError, RelaySettings, Security, SmtpCourier};
