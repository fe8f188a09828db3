//! The audit log: what was done with projects, keys and recipients, and by whom.

use async_trait::async_trait;
use otpost_domain::{KeyId, ProjectName, Timestamp};

use crate::{RecipientDigest, StoreError};

/// How long an entry is kept, in seconds: two years.
pub const AUDIT_RETENTION_SECS: u32 = 731 * 86_400;

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Somebody at the command line, by the name of the account there.
    Operator(String),
    /// A caller with this key.
    Key(KeyId),
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditAction {
    /// A project was created.
    ProjectCreated,
    /// A key was created.
    KeyCreated,
    /// A key was revoked.
    KeyRevoked,
    /// What is kept of a recipient was looked at.
    RecipientShown,
    /// A recipient was released from what its failures bring.
    RecipientReleased,
    /// What is kept of a recipient was erased.
    RecipientErased,
}

impl AuditAction {
    /// Every action.
    pub const ALL: [Self; 6] = [
        Self::ProjectCreated,
        Self::KeyCreated,
        Self::KeyRevoked,
        Self::RecipientShown,
        Self::RecipientReleased,
        Self::RecipientErased,
    ];

    /// Its name, as databases and command lines write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProjectCreated => "project.created",
            Self::KeyCreated => "key.created",
            Self::KeyRevoked => "key.revoked",
            Self::RecipientShown => "recipient.shown",
            Self::RecipientReleased => "recipient.released",
            Self::RecipientErased => "recipient.erased",
        }
    }

    /// The action of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }
}

/// One entry. It is committed with what it tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What.
    pub action: AuditAction,
    /// In which project; `None` for the whole installation.
    pub project: Option<ProjectName>,
    /// With which key.
    pub key: Option<KeyId>,
    /// With whom; `None` once that recipient was erased.
    pub recipient: Option<RecipientDigest>,
}

/// Shows the audit log. It is written by the ports that do what it tells of.
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// The newest entries first, at most `limit`; those about `recipient` alone where one is given.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`].
    async fn entries(
        &self,
        recipient: Option<&RecipientDigest>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError>;
}
