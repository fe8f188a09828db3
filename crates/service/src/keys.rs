//! Projects and their API keys, for operators.

use std::sync::Arc;

use otpost_domain::{AddressRange, ApiKey, KeyId, Mode, Permissions, ProjectName, Timestamp};
use otpost_ports::{
    Actor, AuditAction, AuditEntry, Clock, Entropy, KeyRecord, KeyStore, ProjectRecord, Vault,
};

use crate::ServiceError;

/// A key to be made.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Whose it will be.
    pub project: ProjectName,
    /// Live, or test.
    pub mode: Mode,
    /// What it may do.
    pub permissions: Permissions,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
    /// Where it is accepted from; anywhere where there are none.
    pub allowed_from: Vec<AddressRange>,
}

/// A key as an operator sees it: everything but the key.
#[derive(Clone, Debug)]
pub struct KeyView {
    /// Its public part.
    pub id: KeyId,
    /// Whose it is.
    pub project: ProjectName,
    /// Live, or test.
    pub mode: Mode,
    /// What it may do.
    pub permissions: Permissions,
    /// When it was created.
    pub created_at: Timestamp,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
    /// Since when it is refused.
    pub revoked_at: Option<Timestamp>,
    /// Where it is accepted from; anywhere where there are none.
    pub allowed_from: Vec<AddressRange>,
    /// When it was last accepted, as far as it is written down: a round a minute.
    pub last_used_at: Option<Timestamp>,
}

/// Why no key was made.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// There is no such project.
    #[error("there is no project {0}: create it with `otpost project create {0}`")]
    NoProject(ProjectName),
    /// It could not be carried out.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// Projects and keys.
#[derive(Clone)]
pub struct Keys {
    /// Where they are kept.
    pub store: Arc<dyn KeyStore>,
    /// Digests keys.
    pub vault: Arc<dyn Vault>,
    /// Random bytes.
    pub entropy: Arc<dyn Entropy>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who asks.
    pub actor: Actor,
}

impl Keys {
    /// Creates a project; `false` when there was one of this name.
    ///
    /// # Errors
    ///
    /// [`ServiceError`].
    pub async fn create_project(&self, name: ProjectName) -> Result<bool, ServiceError> {
        let project = ProjectRecord {
            name,
            created_at: self.clock.now(),
        };
        let entry = self.entry(AuditAction::ProjectCreated, Some(&project.name), None);
        Ok(self.store.create_project(project, entry).await?)
    }

    /// Every project with the time it was created, by name.
    ///
    /// # Errors
    ///
    /// [`ServiceError`].
    pub async fn projects(&self) -> Result<Vec<(ProjectName, Timestamp)>, ServiceError> {
        let projects = self.store.projects().await?;
        Ok(projects
            .into_iter()
            .map(|project| (project.name, project.created_at))
            .collect())
    }

    /// Makes a key. The answer is the only place where it ever stands whole.
    ///
    /// # Errors
    ///
    /// [`KeyError`].
    pub async fn create_key(&self, new: NewKey) -> Result<ApiKey, KeyError> {
        let entropy = &self.entropy;
        let id = entropy.bytes().map_err(ServiceError::from)?;
        let key = ApiKey::new(new.mode, id, entropy.bytes().map_err(ServiceError::from)?);
        let record = KeyRecord {
            id: key.id(),
            project: new.project.clone(),
            mode: new.mode,
            permissions: new.permissions,
            digest: self.vault.key_digest(&key),
            created_at: self.clock.now(),
            expires_at: new.expires_at,
            revoked_at: None,
            allowed_from: new.allowed_from,
            last_used_at: None,
        };
        let entry = self.entry(AuditAction::KeyCreated, Some(&new.project), Some(record.id));
        let is_kept = self
            .store
            .insert_key(record, entry)
            .await
            .map_err(ServiceError::from)?;
        if is_kept {
            Ok(key)
        } else {
            Err(KeyError::NoProject(new.project))
        }
    }

    /// Every key, the oldest first.
    ///
    /// # Errors
    ///
    /// [`ServiceError`].
    pub async fn keys(&self) -> Result<Vec<KeyView>, ServiceError> {
        let keys = self.store.keys().await?;
        Ok(keys
            .into_iter()
            .map(|key| KeyView {
                id: key.id,
                project: key.project,
                mode: key.mode,
                permissions: key.permissions,
                created_at: key.created_at,
                expires_at: key.expires_at,
                revoked_at: key.revoked_at,
                allowed_from: key.allowed_from,
                last_used_at: key.last_used_at,
            })
            .collect())
    }

    /// Revokes a key for good; `false` when there is none.
    ///
    /// # Errors
    ///
    /// [`ServiceError`].
    pub async fn revoke(&self, id: &KeyId) -> Result<bool, ServiceError> {
        let entry = self.entry(AuditAction::KeyRevoked, None, Some(*id));
        Ok(self.store.revoke_key(id, entry).await?)
    }

    fn entry(
        &self,
        action: AuditAction,
        project: Option<&ProjectName>,
        key: Option<KeyId>,
    ) -> AuditEntry {
        AuditEntry {
            at: self.clock.now(),
            actor: self.actor.clone(),
            action,
            project: project.cloned(),
            key,
            recipient: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mocks::MockKeyRows;
    use otpost_testkit::{FakeVault, ManualClock, SeededEntropy, sample};

    fn keys(store: MockKeyRows) -> Keys {
        Keys {
            store: Arc::new(store),
            vault: Arc::new(FakeVault::new()),
            entropy: Arc::new(SeededEntropy::new(1)),
            clock: Arc::new(ManualClock::default()),
            actor: Actor::Operator("ada".into()),
        }
    }

    fn new_key() -> NewKey {
        NewKey {
            project: sample::project("acme"),
            mode: Mode::Test,
            permissions: Permissions {
                otp: true,
                admin: false,
            },
            expires_at: None,
            allowed_from: vec![],
        }
    }

    #[tokio::test]
    async fn only_the_digest_of_a_key_is_kept() {
        let mut store = MockKeyRows::new();
        store
            .expect_insert_key()
            .once()
            .withf(|record, entry| {
                record.mode == Mode::Test
                    && record.created_at == sample::NOON
                    && entry.action == AuditAction::KeyCreated
                    && entry.key == Some(record.id)
            })
            .return_once(|_, _| Ok(true));
        let key = keys(store).create_key(new_key()).await.unwrap();
        assert!(key.reveal().starts_with("otp_test_"));
    }

    #[tokio::test]
    async fn a_key_needs_a_project() {
        let mut store = MockKeyRows::new();
        store.expect_insert_key().return_once(|_, _| Ok(false));
        let refused = keys(store).create_key(new_key()).await;
        assert!(matches!(refused, Err(KeyError::NoProject(name)) if name.as_str() == "acme"));
    }
}
