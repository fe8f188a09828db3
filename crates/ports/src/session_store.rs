//! Where sessions are kept, and where commands are made atomic.

use std::collections::BTreeSet;

use async_trait::async_trait;
use otpost_domain::{
    Address, Candidate, Resend, Session, SessionId, TemplateName, Timestamp, Verdict,
};

use crate::{
    Admitted, CodeSecret, Context, Counted, Delivery, KeptAnswer, Lease, Ledger, Limited,
    MessageId, Once, Owner, Quotas, RecipientDigest, Replayed, Said, StoredSession, Subject, Vault,
    VaultError,
};

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
    /// Whose that mail is from the start; `None` leaves it to whoever claims it.
    pub lease: Option<Lease>,
    /// What it is counted against; `None` under a test key, which touches no counter.
    pub quotas: Option<Quotas>,
    /// Whether it is to be carried out once.
    pub once: Option<Once>,
    /// Now.
    pub at: Timestamp,
}

impl Opening {
    /// Whose counters [`admit`](crate::admit()) needs.
    #[must_use]
    pub fn subjects(&self) -> BTreeSet<Subject> {
        let Context {
            owner, recipient, ..
        } = &self.context;
        let quotas = self.quotas.as_ref();
        quotas.map_or_else(BTreeSet::new, |quotas| {
            quotas.subjects(owner, Some(recipient))
        })
    }

    /// The answer to keep once it is admitted.
    ///
    /// # Errors
    ///
    /// When no random bytes can be had.
    pub fn kept(&self, vault: &dyn Vault) -> Result<Option<KeptAnswer>, VaultError> {
        let said = Said::Mailed {
            expires_at: self.session.expires_at(),
        };
        let keep = |once: Once| once.keep(self.session.id(), &said, vault);
        self.once.map(keep).transpose()
    }
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
    /// What it is counted against; `None` under a test key, which touches no counter.
    pub quotas: Option<Quotas>,
    /// Whether it is to be carried out once.
    pub once: Option<Once>,
}

impl Command {
    /// Whose counters [`decide`](crate::decide()) needs, with the recipient of the session where
    /// there is one.
    #[must_use]
    pub fn subjects(&self, recipient: Option<&RecipientDigest>) -> BTreeSet<Subject> {
        let quotas = self.quotas.as_ref();
        quotas.map_or_else(BTreeSet::new, |quotas| {
            quotas.subjects(&self.owner, recipient)
        })
    }
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

/// A command that was carried out as far as it goes.
#[derive(Clone, Debug)]
pub enum Applied {
    /// It came before, and nothing changed.
    Replayed(Replayed),
    /// Another request came under its key, and only what is counted changed.
    KeyReused(Vec<Counted>),
    /// A limit refuses it, and nothing changed.
    Limited(Limited),
    /// There is no such session for its owner, or none that is still retained.
    NotFound(Vec<Counted>),
    /// It was judged, and what came of it is committed.
    Judged(Box<Judged>),
}

/// A judged command.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The session as it is stored now.
    pub stored: StoredSession,
    /// What to answer.
    pub outcome: Outcome,
    /// The limits that were charged.
    pub counted: Vec<Counted>,
    /// Whether this was the failure that used up those of the project.
    pub used_up_failures: bool,
}

/// What a purge did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Sessions whose hard end had come, and whose secret was erased.
    pub closed: u64,
    /// Sessions whose retention was over, and which are gone.
    pub deleted: u64,
    /// Whether a bound was met, so that more may be over: of sessions, answers, counters or entries
    /// of the audit log.
    pub is_full: bool,
}

/// How long a session is found after its hard end, in seconds: 24 hours.
pub const RETENTION_SECS: u32 = 86_400;
/// How long failures of a recipient are kept that nobody added to, in seconds: a year. As many as
/// put it on hold are kept until it is released.
pub const FAILURES_RETENTION_SECS: u32 = 366 * 86_400;

/// Keeps sessions. Every promise holds under any number of parallel callers.
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// Commits a new session, its mail, its charges and the answer to keep, all or nothing, before
    /// it answers, if [`admit`](crate::admit()) lets it. Of parallel ones with one wish to be
    /// carried out once, one is, and the others are [`Replayed`].
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]: then nothing exists, or the caller cannot know.
    async fn open(&self, opening: Opening) -> Result<Admitted, StoreError>;

    /// Loads the session, lets [`decide`](crate::decide()) judge the command, commits what it has
    /// become, and only then hands the outcome out. Commands to one session are judged one after
    /// the other. What it charges, and the answer to keep, is committed with it; what it reads of
    /// either is not changed by anyone before that commit.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]: nothing was judged, or the caller cannot know.
    async fn apply(&self, id: &SessionId, command: Command) -> Result<Applied, StoreError>;

    /// What is kept of these subjects. Changes nothing.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`].
    async fn ledger(&self, subjects: &BTreeSet<Subject>) -> Result<Ledger, StoreError>;

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
    /// `limit` whose retention ([`RETENTION_SECS`]) is over. Deletes too, a bounded number of each:
    /// kept answers whose time is over; counters that nobody changed for two days, for they owe
    /// nothing, and with failures for [`FAILURES_RETENTION_SECS`], unless they put a recipient on
    /// hold; entries of the audit log after [`AUDIT_RETENTION_SECS`](crate::AUDIT_RETENTION_SECS).
    ///
    /// # Errors
    ///
    /// Any [`StoreError`].
    async fn purge(&self, now: Timestamp, limit: u32) -> Result<Purged, StoreError>;
}
