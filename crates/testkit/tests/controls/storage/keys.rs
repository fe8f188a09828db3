//! The flaws in keeping projects and keys.

use async_trait::async_trait;
use otpost_domain::{KeyId, Timestamp};
use otpost_ports::{KeyRecord, KeyStore, ProjectRecord, StoreError};

use super::{Flaw, Flawed};

#[async_trait]
impl KeyStore for Flawed {
    async fn create_project(&self, project: ProjectRecord) -> Result<bool, StoreError> {
        if self.has(Flaw::OverwritesProjects) {
            let name = project.name.clone();
            self.inner.edit(|tables| tables.projects.remove(&name));
        }
        self.inner.create_project(project).await
    }

    async fn projects(&self) -> Result<Vec<ProjectRecord>, StoreError> {
        let mut projects = self.inner.projects().await?;
        if self.has(Flaw::ListsProjectsBackwards) {
            projects.reverse();
        }
        Ok(projects)
    }

    async fn insert_key(&self, mut key: KeyRecord) -> Result<bool, StoreError> {
        if self.has(Flaw::LosesTheExpiry) {
            key.expires_at = None;
        }
        if self.has(Flaw::KeepsKeysWithoutProject) {
            self.inner
                .edit(|tables| tables.keys.insert(key.id, key.clone()));
        }
        self.inner.insert_key(key).await
    }

    async fn find_key(&self, id: &KeyId) -> Result<Option<KeyRecord>, StoreError> {
        let found = self.inner.find_key(id).await?;
        if self.has(Flaw::FindsAnyKey) && found.is_none() {
            return Ok(self.inner.keys().await?.into_iter().next());
        }
        Ok(found)
    }

    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        let mut keys = self.inner.keys().await?;
        if self.has(Flaw::ListsKeysBackwards) {
            keys.reverse();
        }
        Ok(keys)
    }

    async fn revoke_key(&self, id: &KeyId, now: Timestamp) -> Result<bool, StoreError> {
        self.inner.edit(|tables| {
            for key in tables.keys.values_mut() {
                if self.has(Flaw::RevokesEverything) {
                    key.revoked_at.get_or_insert(now);
                }
                if self.has(Flaw::RevokesAnew) && key.id == *id {
                    key.revoked_at = Some(now);
                }
            }
        });
        self.inner.revoke_key(id, now).await
    }
}
