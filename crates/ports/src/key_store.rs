//! Projects and their API keys.

use async_trait::async_trait;
use otpost_domain::{KeyDigest, KeyId, Mode, Permissions, ProjectName, Timestamp};

use crate::StoreError;

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
}

/// Keeps projects and keys.
#[async_trait]
pub trait KeyStore: Send + Sync {
    /// Creates a project. `false` when there is one of this name: it stays as it is.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`].
    async fn create_project(&self, project: ProjectRecord) -> Result<bool, StoreError>;

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
    async fn insert_key(&self, key: KeyRecord) -> Result<bool, StoreError>;

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

    /// Revokes a key for good. `false` when there is none; a second time changes nothing.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`].
    async fn revoke_key(&self, id: &KeyId, now: Timestamp) -> Result<bool, StoreError>;
}
