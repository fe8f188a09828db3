//! Sessions in memory: the decision is the domain's, the lock makes it atomic.

use async_trait::async_trait;
use otpost_domain::{Pending, SessionId, Timestamp};
use otpost_ports::{
    Applied, Command, Decision, Delivery, DeliveryState, MailChange, Opening, Owner, Purged,
    RETENTION_SECS, SessionStore, StoreError, StoredSession, decide,
};

use super::{MemoryStore, Row, Tables, at_most};

#[async_trait]
impl SessionStore for MemoryStore {
    async fn open(&self, opening: Opening) -> Result<(), StoreError> {
        let row = Row {
            stored: opening.into(),
            lease: None,
            reply: None,
        };
        self.work(|tables| {
            tables.sessions.insert(*row.stored.session.id(), row);
        })
    }

    async fn apply(&self, id: &SessionId, command: Command) -> Result<Option<Applied>, StoreError> {
        self.work(|tables| {
            let row = tables.sessions.get_mut(id);
            let Some(row) = row.filter(|row| row.stored.context.owner == command.owner) else {
                return Ok(None);
            };
            let decision = decide(&row.stored, &command, &*self.vault)?;
            let outcome = decision.outcome;
            row.commit(decision, command.at);
            Ok(Some(Applied {
                stored: row.stored.clone(),
                outcome,
            }))
        })?
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
