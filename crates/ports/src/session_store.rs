//! Where sessions are kept, and where commands are made atomic.

use async_trait::async_trait;
use otpost_domain::{
    Address, Candidate, Resend, Session, SessionId, TemplateName, Timestamp, Verdict,
};

use crate::{CodeSecret, Context, Delivery, MessageId, Owner, StoredSession, VaultError};

/// Why the store did not do it. Nothing was changed, or the outcome is unknown; in neither case
/// may the caller be told a success.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Out of reach, full, read-only or too slow: another try later may work.
    #[error("the storage is not available: {0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A row that no session ever wrote. `table` and `reason` say where and what.
    #[error("a row of {table} cannot be read: {reason}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// What is wrong, without values.
        reason: String,
    },
    /// The vault refuses: the key of a session is not loaded here, or a value was tampered with.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// A session to be opened, with its first mail.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The session; for tests of applications perhaps a closed one.
    pub session: Session,
    /// What does not change while it lives.
    pub context: Context,
    /// What its codes are derived from; `None` for one that is closed already.
    pub secret: Option<CodeSecret>,
    /// Its first mail.
    pub delivery: Delivery,
}

/// A command to a session that exists.
#[derive(Clone, Debug)]
pub struct Command {
    /// Who asks.
    pub owner: Owner,
    /// When.
    pub at: Timestamp,
    /// For what.
    pub action: Action,
}

/// What is asked of a session.
#[derive(Clone, Debug)]
pub enum Action {
    /// To judge a code.
    Submit(Submitted),
    /// To mail the code again, under this identifier where a new mail is queued.
    Resend(MessageId),
}

/// What a caller submits, before it is known whether the session is of that address and purpose.
#[derive(Clone, Debug)]
pub struct Submitted {
    /// What the person typed.
    pub candidate: Candidate,
    /// The address that the caller expects to confirm.
    pub email: Option<Address>,
    /// The purpose that the caller expects.
    pub template: Option<TemplateName>,
}

/// The answer to an [`Action`], of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// To [`Action::Submit`].
    Submitted(Verdict),
    /// To [`Action::Resend`].
    Resent(Resend),
}

/// A committed command.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The session as it is stored now.
    pub stored: StoredSession,
    /// What to answer.
    pub outcome: Outcome,
}

/// What a purge did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Sessions whose hard end had come, and whose secret was erased.
    pub closed: u64,
    /// Sessions whose retention was over, and which are gone.
    pub deleted: u64,
}

/// How long a session is found after its hard end, in seconds: 24 hours.
pub const RETENTION_SECS: u32 = 86_400;

/// Keeps sessions. Every promise holds under any number of parallel callers.
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// Commits a new session and its mail, both or neither, before it answers.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]: then neither exists, or the caller cannot know.
    async fn open(&self, opening: Opening) -> Result<(), StoreError>;

    /// Loads the session, lets [`decide`](crate::decide()) judge the command, commits what it has
    /// become, and only then hands the outcome out. Commands to one session are judged one after
    /// the other. `None`: no such session for this owner, and nothing changed.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]: nothing was judged, or the caller cannot know.
    async fn apply(&self, id: &SessionId, command: Command) -> Result<Option<Applied>, StoreError>;

    /// The session as it is stored, for its owner only and while it is retained. Changes nothing.
    /// The caller judges whether its retention is over: an unpurged row is still found.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`].
    async fn find(
        &self,
        owner: &Owner,
        id: &SessionId,
    ) -> Result<Option<StoredSession>, StoreError>;

    /// Closes at most `limit` sessions whose hard end has come by `now`, and deletes at most
    /// `limit` whose retention ([`RETENTION_SECS`]) is over.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`].
    async fn purge(&self, now: Timestamp, limit: u32) -> Result<Purged, StoreError>;
}
