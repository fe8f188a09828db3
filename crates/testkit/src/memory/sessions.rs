//! Sessions in memory: the decision is the domain's, the lock makes it atomic.

use std::collections::BTreeSet;

use async_trait::async_trait;
use otpost_domain::{Pending, SessionId, Timestamp};
use otpost_ports::{
    Admitted, Applied, Command, Decided, Decision, Delivery, DeliveryState, Judged, Ledger,
    MailChange, Opening, Owner, Purged, RETENTION_SECS, SessionStore, StoreError, StoredSession,
    Subject, admit, decide,
};

use super::{MemoryStore, Row, Tables, at_most};

#[async_trait]
impl SessionStore for MemoryStore {
    async fn open(&self, opening: Opening) -> Result<Admitted, StoreError> {
        self.work(|tables| {
            let mut ledger = tables.ledger(&opening.subjects());
            let admitted = admit(&opening, &mut ledger, opening.at);
            match &admitted {
                Admitted::Open(_) => {
                    tables.count(&ledger);
                    tables.insert(opening);
                }
                Admitted::Limited(_) | Admitted::OnHold => {}
            }
            admitted
        })
    }

    async fn apply(&self, id: &SessionId, command: Command) -> Result<Applied, StoreError> {
        self.work(|tables| {
            let row = tables.sessions.get(id);
            let row = row.filter(|row| row.stored.context.owner == command.owner);
            let stored = row.map(|row| &row.stored);
            let ledger = tables.ledger(&command.subjects(stored));
            Ok(match decide(stored, &command, ledger, &*self.vault)? {
                Decided::Limited(limited) => Applied::Limited(limited),
                Decided::NotFound(ledger) => {
                    tables.count(&ledger);
                    Applied::NotFound
                }
                Decided::Judged(decision) => tables.commit(id, decision, command.at),
            })
        })?
    }

    async fn ledger(&self, subjects: &BTreeSet<Subject>) -> Result<Ledger, StoreError> {
        self.work(|tables| tables.ledger(subjects))
    }

    async fn find(
        &self,
        owner: &Owner,
        id: &SessionId,
    ) -> Result<Option<StoredSession>, StoreError> {
        self.work(|tables| {
            let row = tables.sessions.get(id);
            row.filter(|row| row.stored.context.owner == *owner)
                .map(|row| row.stored.clone())
        })
    }

    async fn purge(&self, now: Timestamp, limit: u32) -> Result<Purged, StoreError> {
        self.work(|tables| Purged {
            closed: close(tables, now, limit),
            deleted: delete(tables, now, limit),
        })
    }
}

impl Tables {
    /// What is kept of these subjects, and of no other.
    #[must_use]
    pub fn ledger(&self, subjects: &BTreeSet<Subject>) -> Ledger {
        let rows = subjects.iter().filter_map(|subject| {
            let counters = self.counters.get(subject)?;
            Some((subject.clone(), *counters))
        });
        Ledger::new(rows)
    }

    /// Writes down what a decision counted.
    pub fn count(&mut self, ledger: &Ledger) {
        for (subject, counters) in ledger.changes() {
            self.counters.insert(subject.clone(), *counters);
        }
    }

    /// Keeps a session that was admitted.
    pub fn insert(&mut self, opening: Opening) {
        let row = Row {
            stored: opening.into(),
            lease: None,
            reply: None,
        };
        self.sessions.insert(*row.stored.session.id(), row);
    }

    /// Writes a decision on a session down, and what it counted.
    fn commit(&mut self, id: &SessionId, decision: Decision, at: Timestamp) -> Applied {
        self.count(&decision.ledger);
        let Some(row) = self.sessions.get_mut(id) else {
            return Applied::NotFound;
        };
        let (outcome, counted) = (decision.outcome, decision.counted.clone());
        row.commit(decision, at);
        Applied::Judged(Box::new(Judged {
            stored: row.stored.clone(),
            outcome,
            counted,
        }))
    }
}

impl Row {
    /// Writes a decision down.
    pub fn commit(&mut self, decision: Decision, at: Timestamp) {
        self.stored.session = decision.session;
        let generation = self.stored.session.pending().map(Pending::generation);
        if generation.is_none() {
            self.stored.secret = None;
        }
        match decision.mail {
            MailChange::Keep => {}
            MailChange::Hurry => {
                let is_held = self.lease.is_some_and(|lease| at < lease.until);
                let delivery = &mut self.stored.delivery;
                if delivery.state == DeliveryState::Queued && (is_held || at < delivery.due_at) {
                    delivery.due_at = at;
                }
            }
            MailChange::Queue(message) => {
                self.stored.delivery = Delivery {
                    message,
                    generation: generation.unwrap_or(self.stored.delivery.generation),
                    state: DeliveryState::Queued,
                    due_at: at,
                    tries: 0,
                };
                self.lease = None;
                self.reply = None;
            }
        }
    }
}

fn close(tables: &mut Tables, now: Timestamp, limit: u32) -> u64 {
    let rows = tables.sessions.values_mut();
    let over = rows.filter(|row| {
        let session = &row.stored.session;
        session.pending().is_some() && now >= session.hard_end()
    });
    let mut closed = 0;
    for row in over.take(at_most(limit)) {
        row.stored.session = row.stored.session.clone().close_at_hard_end(now);
        row.stored.secret = None;
        closed += 1;
    }
    closed
}

fn delete(tables: &mut Tables, now: Timestamp, limit: u32) -> u64 {
    let rows = tables.sessions.iter();
    let over =
        rows.filter(|(_, row)| now >= row.stored.session.hard_end().plus_secs(RETENTION_SECS));
    let ids: Vec<_> = over.map(|(id, _)| *id).take(at_most(limit)).collect();
    let mut deleted = 0;
    for id in ids {
        tables.sessions.remove(&id);
        deleted += 1;
    }
    deleted
}
