//! The mails that wait, handed out under leases.

use async_trait::async_trait;
use otpost_domain::{SessionId, Timestamp};

use crate::{Delivery, Owner, Reply, StoreError, StoredSession};

/// Proves that a lease is still held: 16 random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseToken(pub [u8; 16]);

/// A request for mails to send.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// The token of the new leases.
    pub token: LeaseToken,
    /// Now: what is due by then, and is not leased or whose lease is over, is handed out.
    pub now: Timestamp,
    /// When the new leases are over, and the mails anyone's again.
    pub until: Timestamp,
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
        /// What the relay said; `None` when the session ended first.
        reply: Option<Reply>,
    },
    /// It was not tried: the lease is given back, and nothing is counted.
    Released {
        /// When it is due again.
        due_at: Timestamp,
    },
}

/// A mail that waits or failed, for an operator to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxEntry {
    /// Its session.
    pub session: SessionId,
    /// Whose it is.
    pub owner: Owner,
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

    /// The mails that wait or failed, the oldest sessions first, at most `limit`.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`].
    async fn list(&self, limit: u32) -> Result<Vec<OutboxEntry>, StoreError>;

    /// Makes a mail that waits or failed due at `now`. `false` when there is none of this
    /// session.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`].
    async fn retry(&self, id: &SessionId, now: Timestamp) -> Result<bool, StoreError>;
}
