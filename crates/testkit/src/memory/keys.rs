//! Projects and keys in memory.

use async_trait::async_trait;
use otpost_domain::{KeyId, Timestamp};
use otpost_ports::{KeyRecord, KeyStore, ProjectRecord, StoreError};

use super::MemoryStore;

#[async_trait]
impl KeyStore for MemoryStore {
    async fn create_project(&self, project: ProjectRecord) -> Result<bool, StoreError> {
        self.work(|tables| {
            let is_new = !tables.projects.contains_key(&project.name);
            if is_new {
                tables.projects.insert(project.name.clone(), project);
            }
            is_new
        })
    }

    async fn projects(&self) -> Result<Vec<ProjectRecord>, StoreError> {
        self.work(|tables| tables.projects.values().cloned().collect())
    }

    async fn insert_key(&self, key: KeyRecord) -> Result<bool, StoreError> {
        self.work(|tables| {
            let has_project = tables.projects.contains_key(&key.project);
            if has_project {
                tables.keys.insert(key.id, key);
            }
            has_project
        })
    }

    async fn find_key(&self, id: &KeyId) -> Result<Option<KeyRecord>, StoreError> {
        self.work(|tables| tables.keys.get(id).cloned())
    }

    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        self.work(|tables| {
            let mut keys: Vec<_> = tables.keys.values().cloned().collect();
            keys.sort_by_key(|key| key.created_at);
            keys
        })
    }

    async fn revoke_key(&self, id: &KeyId, now: Timestamp) -> Result<bool, StoreError> {
        self.work(|tables| {
            let key = tables.keys.get_mut(id);
            key.map(|key| key.revoked_at.get_or_insert(now)).is_some()
        })
    }
}
