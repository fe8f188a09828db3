//! Recipients and the audit log in memory.

use async_trait::async_trait;
use otpost_domain::Mode;
use otpost_ports::{
    AuditEntry, AuditLog, Erased, Owner, RecipientDigest, RecipientRecord, RecipientStore, Scope,
    StoreError, StoredSession, Subject, release,
};

use super::{MemoryStore, Tables, at_most};

#[async_trait]
impl RecipientStore for MemoryStore {
    async fn look_up(
        &self,
        recipient: &RecipientDigest,
        scope: &Scope,
        limit: u32,
        entry: AuditEntry,
    ) -> Result<RecipientRecord, StoreError> {
        self.work(|tables| {
            tables.audit.push(entry);
            let ledger = tables.ledger(&scope.subjects(recipient));
            let mut newest = tables.sessions_of(recipient, scope);
            let sessions = u64::try_from(newest.len()).unwrap_or(u64::MAX);
            newest.truncate(at_most(limit));
            RecipientRecord {
                failures: scope.failures(recipient, &ledger),
                sessions,
                newest,
            }
        })
    }

    async fn release(
        &self,
        recipient: &RecipientDigest,
        scope: &Scope,
        entry: AuditEntry,
    ) -> Result<bool, StoreError> {
        self.work(|tables| {
            let mut ledger = tables.ledger(&scope.subjects(recipient));
            let is_released = release(recipient, scope, &mut ledger, entry.at);
            if is_released {
                tables.count(&ledger);
                tables.audit.push(entry);
            }
            is_released
        })
    }

    async fn erase(
        &self,
        recipient: &RecipientDigest,
        scope: &Scope,
        entry: AuditEntry,
    ) -> Result<Erased, StoreError> {
        self.work(|tables| {
            let projects = u64::try_from(tables.projects.len()).unwrap_or(u64::MAX);
            let scope = scope.clone().erased(projects);
            let sessions = tables.erase_sessions(recipient, &scope);
            tables.erase_counters(recipient, &scope);
            tables.erase_name(recipient, &scope);
            tables.audit.push(entry);
            Erased {
                scope,
                sessions,
                leaves_copies: false,
            }
        })
    }
}

#[async_trait]
impl AuditLog for MemoryStore {
    async fn entries(
        &self,
        recipient: Option<&RecipientDigest>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        self.work(|tables| {
            let newest = tables.audit.iter().rev();
            let asked_for = newest.filter(|entry| {
                recipient.is_none_or(|recipient| entry.recipient.as_ref() == Some(recipient))
            });
            asked_for.take(at_most(limit)).cloned().collect()
        })
    }
}

impl Tables {
    /// The sessions of a recipient in a scope, the newest first.
    #[must_use]
    pub fn sessions_of(&self, recipient: &RecipientDigest, scope: &Scope) -> Vec<StoredSession> {
        let stored = self.sessions.values().map(|row| &row.stored);
        let of_recipient = stored.filter(|stored| {
            let context = &stored.context;
            context.recipient == *recipient && is_in(&context.owner, scope)
        });
        let mut newest: Vec<_> = of_recipient.cloned().collect();
        newest.sort_by_key(|stored| std::cmp::Reverse(stored.session.opened_at()));
        newest
    }

    /// Erases the sessions of a recipient in a scope with their mails and kept answers.
    pub fn erase_sessions(&mut self, recipient: &RecipientDigest, scope: &Scope) -> u64 {
        let mut erased = 0;
        for stored in self.sessions_of(recipient, scope) {
            let id = stored.session.id();
            self.sessions.remove(id);
            self.kept_answers.retain(|_, answer| answer.session != *id);
            erased += 1;
        }
        erased
    }

    /// Erases what is counted for a recipient in a scope.
    pub fn erase_counters(&mut self, recipient: &RecipientDigest, scope: &Scope) {
        let everywhere = Subject::recipient(recipient);
        let counters = &mut self.counters;
        match scope {
            Scope::Installation => {
                let in_projects = Subject::recipient_in_projects(recipient);
                counters
                    .retain(|subject, _| *subject != everywhere && !in_projects.contains(subject));
            }
            Scope::Project(project) => {
                counters.remove(&Subject::recipient_of(project, recipient));
            }
            Scope::Tests(_) => {}
        }
    }

    /// Erases a recipient from the entries of the audit log in a scope.
    pub fn erase_name(&mut self, recipient: &RecipientDigest, scope: &Scope) {
        for entry in &mut self.audit {
            let is_in = match scope {
                Scope::Installation => true,
                Scope::Project(project) => entry.project.as_ref() == Some(project),
                Scope::Tests(_) => false,
            };
            if is_in && entry.recipient.as_ref() == Some(recipient) {
                entry.recipient = None;
            }
        }
    }
}

fn is_in(owner: &Owner, scope: &Scope) -> bool {
    match scope {
        Scope::Installation => true,
        Scope::Project(project) => owner.project == *project,
        Scope::Tests(project) => owner.project == *project && owner.mode == Mode::Test,
    }
}
