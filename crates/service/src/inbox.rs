//! Reading the messages that a development run captured.

use std::sync::Arc;
use std::time::Duration;

pub use otpost_ports::{CapturedMessage as Message, InboxFilter as MessageFilter, Preview};
use otpost_ports::{Inbox, InboxError};

use crate::ServiceError;

impl From<InboxError> for ServiceError {
    fn from(error: InboxError) -> Self {
        Self::Unavailable(error.into())
    }
}

/// The captured messages.
#[derive(Clone)]
pub struct InboxReader {
    inbox: Arc<dyn Inbox>,
}

impl InboxReader {
    /// The longest that [`InboxReader::list`] waits for a first message.
    pub const WAIT_MAX: Duration = Duration::from_secs(30);

    /// A reader of this inbox.
    #[must_use]
    pub fn new(inbox: Arc<dyn Inbox>) -> Self {
        Self { inbox }
    }

    /// Every message that `filter` takes, the newest first. Where there is none, the first is
    /// waited for, at most `wait` and at most [`InboxReader::WAIT_MAX`].
    ///
    /// # Errors
    ///
    /// [`ServiceError`].
    pub async fn list(
        &self,
        filter: &MessageFilter,
        wait: Duration,
    ) -> Result<Vec<Message>, ServiceError> {
        let first_match = async {
            loop {
                let seen = self.inbox.revision();
                let messages = self.inbox.list(filter).await?;
                if !messages.is_empty() {
                    return Ok(messages);
                }
                self.inbox.changed_since(seen).await;
            }
        };
        match tokio::time::timeout(wait.min(Self::WAIT_MAX), first_match).await {
            Ok(found) => found,
            Err(_) => Ok(self.inbox.list(filter).await?),
        }
    }

    /// A number that is another one after every arrival and removal. While it is `seen`, the next is
    /// waited for, at most `wait` and at most [`InboxReader::WAIT_MAX`].
    pub async fn revision_after(&self, seen: Option<u64>, wait: Duration) -> u64 {
        if let Some(seen) = seen {
            let change = self.inbox.changed_since(seen);
            // Either way the revision says what happened.
            let _ = tokio::time::timeout(wait.min(Self::WAIT_MAX), change).await;
        }
        self.inbox.revision()
    }

    /// Removes the message of this identifier, and tells whether there was one.
    ///
    /// # Errors
    ///
    /// [`ServiceError`].
    pub async fn remove(&self, id: &str) -> Result<bool, ServiceError> {
        Ok(self.inbox.remove(id).await?)
    }

    /// Removes every message.
    ///
    /// # Errors
    ///
    /// [`ServiceError`].
    pub async fn clear(&self) -> Result<(), ServiceError> {
        Ok(self.inbox.clear().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use otpost_ports::Courier;
    use otpost_testkit::{MemoryInbox, sample};

    fn filter(to: &str) -> MessageFilter {
        MessageFilter {
            to: Some(to.to_owned()),
            session_id: None,
        }
    }

    #[tokio::test]
    async fn a_message_that_is_there_is_not_waited_for() {
        let inbox = Arc::new(MemoryInbox::new());
        inbox.deliver(&sample::letter(1, "123456")).await.unwrap();
        let reader = InboxReader::new(inbox);
        let found = reader
            .list(&filter("person@example.com"), InboxReader::WAIT_MAX)
            .await
            .unwrap();
        assert_eq!(found.len(), 1);
    }

    #[tokio::test]
    async fn a_message_that_comes_later_ends_the_wait() {
        let inbox = Arc::new(MemoryInbox::new());
        let reader = InboxReader::new(inbox.clone());
        let (letter, filter) = (sample::letter(1, "123456"), filter("person@example.com"));

        // The wait begins first: the branches are polled in this order.
        let (found, delivered) = tokio::join!(biased;
            reader.list(&filter, InboxReader::WAIT_MAX),
            inbox.deliver(&letter),
        );

        delivered.unwrap();
        assert_eq!(found.unwrap().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_for_nobody_ends_with_nothing() {
        let inbox = Arc::new(MemoryInbox::new());
        inbox.deliver(&sample::letter(1, "123456")).await.unwrap();
        let reader = InboxReader::new(inbox);
        let found = reader
            .list(&filter("other@example.com"), Duration::from_hours(1))
            .await
            .unwrap();
        assert!(found.is_empty());
    }
}
