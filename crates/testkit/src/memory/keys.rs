//! Projects and keys in memory.

use std::sync::atomic::Ordering;

use async_trait::async_trait;
use otpost_domain::{KeyId, Timestamp};
use otpost_ports::{AuditEntry, KeyRecord, KeyStore, ProjectRecord, StoreError};
use tokio::sync::RwLockWriteGuard;

use super::MemoryStore;

impl MemoryStore {
    /// Lets no lookup of a key end while the guard lives, so that many are under way at once.
    /// Not for asynchronous code: it would block its thread.
    pub fn hold_lookups(&self) -> RwLockWriteGuard<'_, ()> {
        self.gate.blocking_write()
    }

    /// How many lookups of keys have begun.
    #[must_use]
    pub fn lookups(&self) -> usize {
        self.lookups.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl KeyStore for MemoryStore {
    async fn create_project(
        &self,
        project: ProjectRecord,
        entry: AuditEntry,
    ) -> Result<bool, StoreError> {
        self.work(|tables| {
            let is_new = !tables.projects.contains_key(&project.name);
            if is_new {
                tables.audit.push(entry);
                tables.projects.insert(project.name.clone(), project);
            }
            is_new
        })
    }

    async fn projects(&self) -> Result<Vec<ProjectRecord>, StoreError> {
        self.work(|tables| tables.projects.values().cloned().collect())
    }

    async fn insert_key(&self, key: KeyRecord, entry: AuditEntry) -> Result<bool, StoreError> {
        self.work(|tables| {
            let has_project = tables.projects.contains_key(&key.project);
            if has_project {
                tables.audit.push(entry);
                tables.keys.insert(key.id, key);
            }
            has_project
        })
    }

    async fn find_key(&self, id: &KeyId) -> Result<Option<KeyRecord>, StoreError> {
        self.lookups.fetch_add(1, Ordering::SeqCst);
        let _passed = self.gate.read().await;
        self.work(|tables| tables.keys.get(id).cloned())
    }

    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        self.work(|tables| {
            let mut keys: Vec<_> = tables.keys.values().cloned().collect();
            keys.sort_by_key(|key| key.created_at);
            keys
        })
    }

    async fn revoke_key(&self, id: &KeyId, mut entry: AuditEntry) -> Result<bool, StoreError> {
        self.work(|tables| {
            let Some(key) = tables.keys.get_mut(id) else {
                return false;
            };
            if key.revoked_at.is_none() {
                key.revoked_at = Some(entry.at);
                entry.project = Some(key.project.clone());
                tables.audit.push(entry);
            }
            true
        })
    }

    async fn note_uses(&self, uses: &[(KeyId, Timestamp)]) -> Result<(), StoreError> {
        self.work(|tables| {
            for (id, at) in uses {
                if let Some(key) = tables.keys.get_mut(id) {
                    key.last_used_at = key.last_used_at.max(Some(*at));
                }
            }
        })
    }
}
