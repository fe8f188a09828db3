//! The way of one message to its reader.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use otpost_domain::{Address, Code, Language, SessionId, TemplateName, Timestamp};

use crate::{MessageId, Owner};

/// One message, with all that it says.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Which mail it is, over all its tries.
    pub message: MessageId,
    /// The session that it belongs to.
    pub session: SessionId,
    /// Whose it is: a project may have its own sender, product name and texts.
    pub owner: Owner,
    /// Where it goes.
    pub to: Address,
    /// What it carries.
    pub code: Code,
    /// The template.
    pub template: TemplateName,
    /// The language.
    pub language: Language,
    /// What the caller gives the template.
    pub variables: BTreeMap<String, String>,
    /// Now: the date of the message.
    pub now: Timestamp,
    /// When the code is too late.
    pub expires_at: Timestamp,
}

/// What a relay answered: the numbers alone, for its text may name the recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The reply code (RFC 5321, 4.2), such as 550.
    pub code: u16,
    /// The enhanced status code (RFC 3463), such as 5.1.1.
    pub enhanced: Option<(u8, u16, u16)>,
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        match self.enhanced {
            Some((class, subject, detail)) => write!(f, " {class}.{subject}.{detail}"),
            None => Ok(()),
        }
    }
}

/// Why a message was not taken. `cause` says it for an operator, without address or code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// Another try later may work: the relay is away, busy, or in trouble of its own. It is also
    /// this when nobody knows whether the message was taken.
    #[error("the message was not taken yet: {cause}")]
    Transient {
        /// What happened.
        cause: String,
        /// What the relay said.
        reply: Option<Reply>,
    },
    /// No relay has a turn for it now. It was not tried, and nothing speaks against it.
    #[error("the message has to wait for its turn: {cause}")]
    Busy {
        /// What happened.
        cause: String,
        /// When a relay may have a turn for it: so long from now, as far as anyone can tell.
        wait: Duration,
    },
    /// This message is refused, whenever it is tried.
    #[error("the message is refused: {cause}")]
    Permanent {
        /// What happened.
        cause: String,
        /// What the relay said.
        reply: Option<Reply>,
    },
}

impl DeliveryError {
    /// What the relay said.
    #[must_use]
    pub const fn reply(&self) -> Option<Reply> {
        match self {
            Self::Transient { reply, .. } | Self::Permanent { reply, .. } => *reply,
            Self::Busy { .. } => None,
        }
    }
}

/// Renders and delivers messages.
#[async_trait]
pub trait Courier: Send + Sync {
    /// Delivers one message. `Ok` only when someone durable took responsibility for it. Dropping
    /// the future gives the try up and MUST leave nothing behind that disturbs another.
    ///
    /// # Errors
    ///
    /// [`DeliveryError`], judged by reply code and never by text.
    async fn deliver(&self, letter: &Letter) -> Result<(), DeliveryError>;
}
