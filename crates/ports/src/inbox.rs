//! The captured messages of a development run.

use async_trait::async_trait;
use otpost_domain::{Language, TemplateName, Timestamp};

use crate::DeliveryError;

/// A message as its reader would see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapturedMessage {
    /// Its identifier in the inbox.
    pub id: String,
    /// The bare address.
    pub to: String,
    /// The session that it belongs to.
    pub session_id: String,
    /// Its template.
    pub template: String,
    /// Its subject, decoded.
    pub subject: String,
    /// The code that it carries.
    pub code: String,
    /// Its text part, decoded.
    pub text: String,
    /// Its HTML part, decoded.
    pub html: String,
    /// Its headers as they would go to a relay, in order: name and value.
    pub headers: Vec<(String, String)>,
    /// All of it as it would go to a relay, before dots are stuffed.
    pub source: String,
    /// When it was captured.
    pub received_at: Timestamp,
}

/// Which messages are asked for; what is not given does not matter.
#[derive(Clone, Debug, Default)]
pub struct InboxFilter {
    /// Exactly this bare address.
    pub to: Option<String>,
    /// Exactly this session.
    pub session_id: Option<String>,
}

impl InboxFilter {
    /// Whether `message` is asked for.
    #[must_use]
    pub fn takes(&self, message: &CapturedMessage) -> bool {
        self.to.as_ref().is_none_or(|to| *to == message.to)
            && self
                .session_id
                .as_ref()
                .is_none_or(|id| *id == message.session_id)
    }
}

/// The inbox is out of reach.
#[derive(Debug, thiserror::Error)]
#[error("the inbox is not available: {0}")]
pub struct InboxError(#[source] pub std::io::Error);

/// Keeps the messages that a development run does not mail.
#[async_trait]
pub trait Inbox: Send + Sync {
    /// Every message that `filter` takes, the newest first.
    ///
    /// # Errors
    ///
    /// [`InboxError`].
    async fn list(&self, filter: &InboxFilter) -> Result<Vec<CapturedMessage>, InboxError>;

    /// A number that grows with every message that arrives or is removed.
    fn revision(&self) -> u64;

    /// Returns once the revision is another than `seen`: at once when it is already. Reading the
    /// revision before the list, and waiting after it, misses no change.
    async fn changed_since(&self, seen: u64);

    /// Removes the message of this identifier, and tells whether there was one.
    ///
    /// # Errors
    ///
    /// [`InboxError`].
    async fn remove(&self, id: &str) -> Result<bool, InboxError>;

    /// Removes every message.
    ///
    /// # Errors
    ///
    /// [`InboxError`].
    async fn clear(&self) -> Result<(), InboxError>;
}

/// Shows how messages will look. Nothing is sent and nothing is kept.
pub trait Preview: Send + Sync {
    /// The templates that there are.
    fn templates(&self) -> Vec<TemplateName>;

    /// The languages that every template has.
    fn languages(&self) -> Vec<Language>;

    /// A message of sample values, as if it were captured at `now`.
    ///
    /// # Errors
    ///
    /// [`DeliveryError::Permanent`] when there is no such template, or it is broken.
    fn message(
        &self,
        template: &TemplateName,
        language: &Language,
        now: Timestamp,
    ) -> Result<CapturedMessage, DeliveryError>;
}
