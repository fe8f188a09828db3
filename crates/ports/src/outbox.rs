//! The mails that wait, handed out under leases.

use std::ops::RangeInclusive;

use async_trait::async_trait;
use otpost_domain::{Session, SessionId, TemplateName, Timestamp};

use crate::{Delivery, MessageId, Owner, Reply, StoreError, StoredSession};

/// Proves that a lease is still held: 16 random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseToken(pub [u8; 16]);

/// A mail belongs to whoever has the token, and to nobody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The proof.
    pub token: LeaseToken,
    /// The first instant at which it is over, and the mail anyone's again.
    pub until: Timestamp,
}

/// A request for mails to send.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// Of each that is handed out.
    pub lease: Lease,
    /// Now: what is due by then, and is not leased or whose lease is over, is handed out.
    pub now: Timestamp,
    /// At most so many.
    pub limit: u32,
}

/// What became of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// A relay took responsibility.
    Sent,
    /// It is tried again; at once, if it was hurried since it was claimed.
    Retry {
        /// Not before then.
        due_at: Timestamp,
        /// When it was due as it was claimed: another time by now says that it was hurried.
        was_due_at: Timestamp,
        /// What the relay said.
        reply: Option<Reply>,
    },
    /// It is never tried again.
    Failed {
        /// What the relay said; `None` when the session ended first. What it said before is kept.
        reply: Option<Reply>,
    },
    /// It was not tried: the lease is given back, and nothing is counted.
    Released {
        /// When it is due again.
        due_at: Timestamp,
    },
}

/// Which mails an operator asks for.
#[derive(Clone, Debug)]
pub struct OutboxQuery {
    /// Those that failed alone, not also those that wait.
    pub is_failed_only: bool,
    /// Those between the two alone.
    pub messages: Option<RangeInclusive<MessageId>>,
    /// At most so many.
    pub limit: u32,
}

impl OutboxQuery {
    /// Whatever waits or failed, at most `limit` mails.
    #[must_use]
    pub const fn any(limit: u32) -> Self {
        Self {
            is_failed_only: false,
            messages: None,
            limit,
        }
    }
}

/// A mail that waits or failed, for an operator to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxEntry {
    /// Its session.
    pub session: Session,
    /// Whose it is.
    pub owner: Owner,
    /// Its purpose, which is also the message's template.
    pub template: TemplateName,
    /// The mail.
    pub delivery: Delivery,
    /// What a relay said last.
    pub reply: Option<Reply>,
}

/// Hands out the mails that were committed with their sessions.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Leases mails that are due, the longest due first. No mail is leased twice at a time.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`].
    async fn claim(&self, claim: Claim) -> Result<Vec<StoredSession>, StoreError>;

    /// Writes down what became of a leased mail and ends the lease. `false`, and nothing is
    /// written, when the lease was lost: it ran out and was taken over, or the mail was replaced.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`].
    async fn settle(
        &self,
        id: &SessionId,
        token: LeaseToken,
        settlement: Settlement,
    ) -> Result<bool, StoreError>;

    /// The mails that wait or failed, those that were dropped left out, the newest sessions first.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`].
    async fn list(&self, query: OutboxQuery) -> Result<Vec<OutboxEntry>, StoreError>;

    /// Makes a mail that waits or failed due at `now`. `false` when it is not the mail of this
    /// session any more, or was sent or dropped.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`].
    async fn retry(
        &self,
        id: &SessionId,
        message: &MessageId,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Drops a mail that waits or failed, whoever holds it: it failed for good, and is neither
    /// listed nor retried. `false` as with [`Outbox::retry`]. A try that is under way may still
    /// end at a relay.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`].
    async fn discard(&self, id: &SessionId, message: &MessageId) -> Result<bool, StoreError>;
}
