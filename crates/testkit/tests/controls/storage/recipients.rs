//! The flaws in looking after recipients, and in the audit log.

mod controls;

pub(super) use controls::CONTROLS;

use async_trait::async_trait;
use otpost_domain::Mode;
use otpost_ports::{
    Actor, AuditEntry, AuditLog, Erased, Outbox, OutboxQuery, RecipientDigest, RecipientRecord,
    RecipientStore, Scope, StoreError, Subject, release,
};

use super::{Flaw, Flawed};

#[async_trait]
impl RecipientStore for Flawed {
    async fn look_up(
        &self,
        recipient: &RecipientDigest,
        scope: &Scope,
        limit: u32,
        entry: AuditEntry,
    ) -> Result<RecipientRecord, StoreError> {
        let entry = self.spoil_entry(entry);
        let found = self.inner.look_up(recipient, scope, limit, entry.clone());
        let mut found = found.await?;
        let mut newest = self
            .inner
            .edit(|tables| tables.sessions_of(recipient, scope));
        match self.flaw {
            Some(Flaw::LooksEverywhere) => {
                newest = self
                    .inner
                    .edit(|tables| tables.sessions_of(recipient, &Scope::Installation));
            }
            Some(Flaw::LooksAtLiveAlone) => {
                newest.retain(|stored| stored.context.owner.mode == Mode::Live);
            }
            Some(Flaw::ShowsTheOldest) => newest.reverse(),
            Some(Flaw::CountsTheShown) => found.sessions = found.newest.len() as u64,
            Some(Flaw::ShowsEveryFailure) => {
                let counters = self.book();
                let row = counters.get(&Subject::recipient(recipient));
                found.failures = row.map_or(0, |row| row.failures);
            }
            _ => {}
        }
        if !self.has(Flaw::LookIgnoresItsLimit) {
            newest.truncate(limit as usize);
        }
        found.newest = newest;
        Ok(found)
    }

    async fn release(
        &self,
        recipient: &RecipientDigest,
        scope: &Scope,
        entry: AuditEntry,
    ) -> Result<bool, StoreError> {
        if self.has(Flaw::RacesReleases) {
            return Ok(self.race_to_release(recipient, scope, entry).await);
        }
        let widened = match (self.flaw, scope) {
            (Some(Flaw::ReleasesEverywhere), Scope::Project(_)) => Scope::Installation,
            (Some(Flaw::ReleasesTests), Scope::Tests(project)) => Scope::Project(project.clone()),
            _ => scope.clone(),
        };
        let before = self.book();
        let logged = self.spoil_entry(entry.clone());
        let is_released = self.inner.release(recipient, &widened, logged).await?;
        if self.has(Flaw::ReleasesNobody) {
            self.set_book(before);
        }
        if self.has(Flaw::ReleaseStartsLimitsAnew) && is_released {
            self.change(&Subject::recipient(recipient), |counters| {
                counters.buckets = Default::default();
            });
        }
        if self.has(Flaw::LogsEveryRelease) && !is_released {
            self.log(entry);
        }
        Ok(is_released)
    }

    async fn erase(
        &self,
        recipient: &RecipientDigest,
        scope: &Scope,
        entry: AuditEntry,
    ) -> Result<Erased, StoreError> {
        let were = self.inner.edit(|tables| tables.clone());
        let mails = self.inner.list(OutboxQuery::any(u32::MAX)).await?;
        let widened = match (self.flaw, scope) {
            (Some(Flaw::ErasesEverywhere), _) => Scope::Installation,
            (Some(Flaw::ErasesTheLive), Scope::Tests(project)) => Scope::Project(project.clone()),
            _ => scope.clone(),
        };
        if self.has(Flaw::EraseCountsNoProjects) {
            self.inner.edit(|tables| tables.projects.clear());
        }
        let logged = self.spoil_entry(entry);
        let erased = self.inner.erase(recipient, &widened, logged).await?;
        self.inner.edit(|tables| match self.flaw {
            Some(Flaw::EraseLeavesTheSessions) => tables.sessions = were.sessions,
            Some(Flaw::EraseLeavesTheAnswers) => tables.kept_answers = were.kept_answers,
            Some(Flaw::EraseLeavesTheCounters) => tables.counters = were.counters,
            Some(Flaw::EraseLeavesCountersOfProjects) => {
                let in_projects = Subject::recipient_in_projects(recipient);
                let rows = were.counters.into_iter();
                let left = rows.filter(|(subject, _)| in_projects.contains(subject));
                tables.counters.extend(left);
            }
            Some(Flaw::ErasesCountersOfEveryProject) => {
                tables.erase_counters(recipient, &Scope::Installation);
            }
            Some(Flaw::ErasesStrangers) => {
                tables.sessions.clear();
                tables.kept_answers.clear();
                tables.counters.clear();
            }
            Some(Flaw::EraseLeavesTheName) => {
                let last = tables.audit.pop();
                tables.audit = were.audit;
                tables.audit.extend(last);
            }
            Some(Flaw::ErasesEveryName) => tables.erase_name(recipient, &Scope::Installation),
            Some(Flaw::ErasesEntries) => {
                let is_kept = |entry: &AuditEntry| were.audit.contains(entry);
                let last = tables.audit.pop();
                tables.audit.retain(is_kept);
                tables.audit.extend(last);
            }
            Some(Flaw::LogsNoErasure) => {
                tables.audit.pop();
            }
            _ => {}
        });
        if self.has(Flaw::EraseLeavesTheMails) {
            let gone = mails.into_iter();
            let gone = gone.filter(|mail| self.row(mail.session.id()).is_none());
            self.orphans.lock().unwrap().extend(gone);
        }
        Ok(erased)
    }
}

#[async_trait]
impl AuditLog for Flawed {
    async fn entries(
        &self,
        recipient: Option<&RecipientDigest>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        match self.flaw {
            Some(Flaw::LogIgnoresTheRecipient) => self.inner.entries(None, limit).await,
            Some(Flaw::LogIgnoresItsLimit) => self.inner.entries(recipient, u32::MAX).await,
            Some(Flaw::LogShowsTheOldestFirst) => {
                let mut entries = self.inner.entries(recipient, u32::MAX).await?;
                entries.reverse();
                entries.truncate(limit as usize);
                Ok(entries)
            }
            Some(Flaw::LogCountsBeforeItSelects) => {
                let mut entries = self.inner.entries(None, limit).await?;
                entries
                    .retain(|entry| recipient.is_none() || entry.recipient.as_ref() == recipient);
                Ok(entries)
            }
            _ => self.inner.entries(recipient, limit).await,
        }
    }
}

impl Flawed {
    /// What is written of an entry.
    pub(super) fn spoil_entry(&self, mut entry: AuditEntry) -> AuditEntry {
        match self.flaw {
            Some(Flaw::LogLosesTheKey) => entry.key = None,
            Some(Flaw::LogLosesTheActor) => entry.actor = Actor::Operator("root".to_owned()),
            Some(Flaw::LogShiftsTheTime) => entry.at = entry.at.plus_secs(1),
            _ => {}
        }
        entry
    }

    pub(super) fn log(&self, entry: AuditEntry) {
        self.inner.edit(|tables| tables.audit.push(entry));
    }

    /// Reads, lets everyone else do the same, and writes what was right before.
    async fn race_to_release(
        &self,
        recipient: &RecipientDigest,
        scope: &Scope,
        entry: AuditEntry,
    ) -> bool {
        let subjects = scope.subjects(recipient);
        let mut ledger = self.inner.edit(|tables| tables.ledger(&subjects));
        tokio::task::yield_now().await;
        let is_released = release(recipient, scope, &mut ledger, entry.at);
        if is_released {
            self.inner.edit(|tables| tables.count(&ledger));
            self.log(entry);
        }
        is_released
    }

    pub(super) fn spoil_log_after_purge(&self, was: Vec<AuditEntry>) {
        self.inner.edit(|tables| match self.flaw {
            Some(Flaw::PurgeKeepsEntries) => tables.audit = was,
            Some(Flaw::PurgeForgetsEntries) => tables.audit.clear(),
            _ => {}
        });
    }
}
