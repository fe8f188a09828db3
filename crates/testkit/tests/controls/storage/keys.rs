//! The flaws in keeping projects and keys.

use async_trait::async_trait;
use otpost_domain::{KeyId, Timestamp};
use otpost_ports::{AuditEntry, KeyRecord, KeyStore, ProjectRecord, StoreError};

use super::{Flaw, Flawed};

#[async_trait]
impl KeyStore for Flawed {
    async fn create_project(
        &self,
        project: ProjectRecord,
        entry: AuditEntry,
    ) -> Result<bool, StoreError> {
        if self.has(Flaw::OverwritesProjects) {
            let name = project.name.clone();
            self.inner.edit(|tables| tables.projects.remove(&name));
        }
        let logged = self.spoil_entry(entry.clone());
        let is_new = self.inner.create_project(project, logged).await?;
        if self.has(Flaw::LogsSecondProjects) && !is_new {
            self.log(entry);
        }
        Ok(is_new)
    }

    async fn projects(&self) -> Result<Vec<ProjectRecord>, StoreError> {
        let mut projects = self.inner.projects().await?;
        if self.has(Flaw::ListsProjectsBackwards) {
            projects.reverse();
        }
        Ok(projects)
    }

    async fn insert_key(&self, mut key: KeyRecord, entry: AuditEntry) -> Result<bool, StoreError> {
        if self.has(Flaw::LosesTheExpiry) {
            key.expires_at = None;
        }
        if self.has(Flaw::LosesTheRanges) {
            key.allowed_from.truncate(1);
        }
        if self.has(Flaw::LosesTheLastUse) {
            key.last_used_at = None;
        }
        if self.has(Flaw::KeepsKeysWithoutProject) {
            self.inner
                .edit(|tables| tables.keys.insert(key.id, key.clone()));
        }
        let logged = self.spoil_entry(entry.clone());
        let has_project = self.inner.insert_key(key, logged).await?;
        if self.has(Flaw::LogsHomelessKeys) && !has_project {
            self.log(entry);
        }
        Ok(has_project)
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

    async fn revoke_key(&self, id: &KeyId, entry: AuditEntry) -> Result<bool, StoreError> {
        let now = entry.at;
        let was_revoked = self.inner.edit(|tables| {
            let mut was_revoked = false;
            for key in tables.keys.values_mut() {
                was_revoked |= key.id == *id && key.revoked_at.is_some();
                if self.has(Flaw::RevokesEverything) && key.id != *id {
                    key.revoked_at.get_or_insert(now);
                }
                if self.has(Flaw::RevokesAnew) && key.id == *id && was_revoked {
                    key.revoked_at = Some(now);
                }
            }
            was_revoked
        });
        if self.has(Flaw::LogsSecondRevocations) && was_revoked {
            self.log(entry.clone());
        }
        let is_known = self.inner.revoke_key(id, self.spoil_entry(entry)).await?;
        if self.has(Flaw::LogsRevocationsOfNoProject) && is_known && !was_revoked {
            self.inner.edit(|tables| {
                let last = tables.audit.last_mut().expect("it was written down");
                last.project = None;
            });
        }
        Ok(is_known)
    }

    async fn note_uses(&self, uses: &[(KeyId, Timestamp)]) -> Result<(), StoreError> {
        self.inner.edit(|tables| {
            for (id, at) in uses {
                match tables.keys.get_mut(id) {
                    Some(key) if self.has(Flaw::NotesAnyUse) => key.last_used_at = Some(*at),
                    None if self.has(Flaw::RefusesUnknownUses) => {
                        return Err(StoreError::Unavailable("no such key".into()));
                    }
                    _ => {}
                }
            }
            Ok(())
        })?;
        if self.has(Flaw::NotesAnyUse) {
            return Ok(());
        }
        self.inner.note_uses(uses).await
    }
}
