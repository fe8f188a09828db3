//! What is kept of one recipient: to be shown, released and erased.

use std::collections::BTreeSet;

use async_trait::async_trait;
use otpost_domain::{ProjectName, Timestamp};

use crate::{AuditEntry, Ledger, RecipientDigest, StoreError, StoredSession, Subject};

/// Where a recipient is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everywhere.
    Installation,
    /// In one project: its sessions of both modes, and what it alone counts.
    Project(ProjectName),
    /// Among the sessions of a project's test keys, which touch no counter.
    Tests(ProjectName),
}

impl Scope {
    /// Where an erasure in this scope erases. The only project of an installation erases over the
    /// installation: nobody else counts on what is counted there.
    #[must_use]
    pub fn erased(self, projects: u64) -> Self {
        match self {
            Self::Project(_) if projects == 1 => Self::Installation,
            Self::Installation | Self::Project(_) | Self::Tests(_) => self,
        }
    }

    /// Whose counters [`release`] and [`RecipientRecord`] need.
    #[must_use]
    pub fn subjects(&self, recipient: &RecipientDigest) -> BTreeSet<Subject> {
        match self {
            Self::Installation => [Subject::recipient(recipient)].into(),
            Self::Project(project) => [
                Subject::recipient(recipient),
                Subject::recipient_of(project, recipient),
            ]
            .into(),
            Self::Tests(_) => BTreeSet::new(),
        }
    }

    /// Wrong guesses at a recipient since its last success, as they count here.
    #[must_use]
    pub fn failures(&self, recipient: &RecipientDigest, ledger: &Ledger) -> u32 {
        match self {
            Self::Installation => ledger.counters(&Subject::recipient(recipient)).failures,
            Self::Project(project) => ledger.failures(project, recipient),
            Self::Tests(_) => 0,
        }
    }
}

/// Forgives a recipient its failures at `now`, and says whether there were any. Over the installation they
/// are gone; in a project they count for that project no more. Every adapter calls this.
pub fn release(
    recipient: &RecipientDigest,
    scope: &Scope,
    ledger: &mut Ledger,
    now: Timestamp,
) -> bool {
    let everywhere = Subject::recipient(recipient);
    if scope.failures(recipient, ledger) == 0 {
        return false;
    }
    match scope {
        Scope::Installation => ledger.put_failures(&everywhere, 0, None, now),
        Scope::Project(project) => {
            let all = ledger.counters(&everywhere);
            let of_project = Subject::recipient_of(project, recipient);
            ledger.put_failures(&of_project, all.failures, all.failing_since, now);
        }
        Scope::Tests(_) => {}
    }
    true
}

/// What is kept of a recipient in a scope.
#[derive(Clone, Debug, Default)]
pub struct RecipientRecord {
    /// Wrong guesses since its last success.
    pub failures: u32,
    /// Sessions in all.
    pub sessions: u64,
    /// The newest of them first, as many as were asked for.
    pub newest: Vec<StoredSession>,
}

/// What an erasure did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erased {
    /// Where: [`Scope::erased`].
    pub scope: Scope,
    /// Sessions that are gone.
    pub sessions: u64,
    /// Whether copies of what was erased may remain in the files of the storage, which nothing
    /// refers to, until these are rewritten.
    pub leaves_copies: bool,
}

/// Looks after recipients. Each call commits its entry of the audit log with what it does.
#[async_trait]
pub trait RecipientStore: Send + Sync {
    /// What is kept of a recipient, with at most `limit` of its sessions.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`].
    async fn look_up(
        &self,
        recipient: &RecipientDigest,
        scope: &Scope,
        limit: u32,
        entry: AuditEntry,
    ) -> Result<RecipientRecord, StoreError>;

    /// Forgives it its failures, as [`release`] does. `false`, and nothing is written, when there
    /// are none.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`].
    async fn release(
        &self,
        recipient: &RecipientDigest,
        scope: &Scope,
        entry: AuditEntry,
    ) -> Result<bool, StoreError>;

    /// Erases its sessions in the scope, their mails and kept answers, and its digest from the
    /// entries of the audit log there, all in one commit with the look at how many projects there
    /// are ([`Scope::erased`]). Over the installation
    /// every counter of it goes too, in a project the one that is of this project alone. `entry`
    /// names no recipient, and neither do entries about tests, so that an erasure among them leaves the
    /// log as it is.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`].
    async fn erase(
        &self,
        recipient: &RecipientDigest,
        scope: &Scope,
        entry: AuditEntry,
    ) -> Result<Erased, StoreError>;
}
