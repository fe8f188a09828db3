//! A storage in memory: the reference for every adapter, and the fake of every use case.

mod keys;
mod outbox;
mod purge;
mod recipients;
mod sessions;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use otpost_domain::{KeyId, ProjectName, SessionId};
use otpost_ports::{
    AuditEntry, Counters, IdempotencyDigest, KeptAnswer, KeyRecord, Lease, MessageId,
    ProjectRecord, Readiness, Reply, StoreError, StoredSession, Subject, Vault,
};
use tokio::sync::RwLock;

/// One session in the drawer.
#[derive(Clone, Debug)]
pub struct Row {
    /// What the ports show.
    pub stored: StoredSession,
    /// Who holds its mail.
    pub lease: Option<Lease>,
    /// What a relay said last.
    pub reply: Option<Reply>,
    /// Which mail of it was dropped last.
    pub dropped: Option<MessageId>,
}

/// Everything that a [`MemoryStore`] keeps.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// Sessions with their mails.
    pub sessions: BTreeMap<SessionId, Row>,
    /// Projects.
    pub projects: BTreeMap<ProjectName, ProjectRecord>,
    /// Keys.
    pub keys: BTreeMap<KeyId, KeyRecord>,
    /// What is counted, of whom something was ever counted.
    pub counters: BTreeMap<Subject, Counters>,
    /// Answers that are said again.
    pub kept_answers: BTreeMap<IdempotencyDigest, KeptAnswer>,
    /// The audit log, the oldest entry first.
    pub audit: Vec<AuditEntry>,
}

/// Keeps everything that a storage keeps under one lock, so that every command is atomic.
pub struct MemoryStore {
    vault: Arc<dyn Vault>,
    tables: Mutex<Tables>,
    fails: AtomicBool,
    /// Lookups of keys that began.
    lookups: AtomicUsize,
    /// What a lookup of a key passes before it ends.
    gate: RwLock<()>,
}

impl MemoryStore {
    /// An empty storage that judges with `vault`.
    #[must_use]
    pub fn new(vault: Arc<dyn Vault>) -> Self {
        Self {
            vault,
            tables: Mutex::default(),
            fails: AtomicBool::new(false),
            lookups: AtomicUsize::new(0),
            gate: RwLock::default(),
        }
    }

    /// From now on it is out of reach, or back.
    pub fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::SeqCst);
    }

    /// Every session, the oldest first, whoever owns it: to see what did not happen.
    #[must_use]
    pub fn sessions(&self) -> Vec<StoredSession> {
        self.edit(|tables| {
            let rows = tables.sessions.values();
            rows.map(|row| row.stored.clone()).collect()
        })
    }

    /// Opens the drawer: for a test that needs a state which no port makes.
    pub fn edit<T>(&self, change: impl FnOnce(&mut Tables) -> T) -> T {
        change(&mut self.tables.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What every port does: refuse when out of reach, else work under the lock.
    fn work<T>(&self, work: impl FnOnce(&mut Tables) -> T) -> Result<T, StoreError> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("switched off by a test".into()));
        }
        Ok(self.edit(work))
    }
}

#[async_trait]
impl Readiness for MemoryStore {
    async fn ready(&self) -> Result<(), StoreError> {
        self.work(|_| ())
    }
}

/// At most `limit` things, as a size.
fn at_most(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}
