//! Projects and their API keys.

use async_trait::async_trait;
use otpost_domain::{AddressRange, KeyDigest, KeyId, Mode, Permissions, ProjectName, Timestamp};

use crate::{AuditEntry, StoreError};

/// A project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectRecord {
    /// Its name.
    pub name: ProjectName,
    /// When it was created.
    pub created_at: Timestamp,
}

/// All that is kept of an API key.
#[derive(Clone, Debug)]
pub struct KeyRecord {
    /// Its public part.
    pub id: KeyId,
    /// Whose it is.
    pub project: ProjectName,
    /// Live, or test.
    pub mode: Mode,
    /// What it may do.
    pub permissions: Permissions,
    /// Its digest.
    pub digest: KeyDigest,
    /// When it was created.
    pub created_at: Timestamp,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
    /// Since when it is refused.
    pub revoked_at: Option<Timestamp>,
    /// Where it is accepted from; anywhere where there are none.
    pub allowed_from: Vec<AddressRange>,
    /// When it was last accepted, as far as [`KeyStore::note_uses`] was told.
    pub last_used_at: Option<Timestamp>,
}

/// Keeps projects and keys. What changes one commits its entry of the audit log with it; what
/// changes nothing writes none.
#[async_trait]
pub trait KeyStore: Send + Sync {
    /// Creates a project. `false` when there is one of this name: it stays as it is.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`].
    async fn create_project(
        &self,
        project: ProjectRecord,
        entry: AuditEntry,
    ) -> Result<bool, StoreError>;

    /// Every project, by name.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`].
    async fn projects(&self) -> Result<Vec<ProjectRecord>, StoreError>;

    /// Keeps a new key. `false`, and nothing is kept, when there is no such project.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`].
    async fn insert_key(&self, key: KeyRecord, entry: AuditEntry) -> Result<bool, StoreError>;

    /// The key with this public part, also a revoked or expired one.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`].
    async fn find_key(&self, id: &KeyId) -> Result<Option<KeyRecord>, StoreError>;

    /// Every key, the oldest first.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`].
    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError>;

    /// Revokes a key for good, at the time of `entry`, whose project becomes that of the key.
    /// `false` when there is none; a second time changes nothing. Nothing else of the key is read:
    /// one that does not convert any more can be revoked.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`].
    async fn revoke_key(&self, id: &KeyId, entry: AuditEntry) -> Result<bool, StoreError>;

    /// Writes down when keys were last used. An earlier time than the one that is kept changes
    /// nothing, and neither does a key that there is not.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`].
    async fn note_uses(&self, uses: &[(KeyId, Timestamp)]) -> Result<(), StoreError>;
}
