//! Mails in memory.

use async_trait::async_trait;
use otpost_domain::{SessionId, Timestamp};
use otpost_ports::{
    Claim, DeliveryState, LeaseToken, MessageId, Outbox, OutboxEntry, OutboxQuery, Settlement,
    StoreError, StoredSession,
};

use super::{MemoryStore, Row, Tables, at_most};

#[async_trait]
impl Outbox for MemoryStore {
    async fn claim(&self, claim: Claim) -> Result<Vec<StoredSession>, StoreError> {
        self.work(|tables| {
            let mut due = tables.due(claim.now);
            due.truncate(at_most(claim.limit));
            for stored in &due {
                if let Some(row) = tables.sessions.get_mut(stored.session.id()) {
                    row.lease = Some(claim.lease);
                }
            }
            due
        })
    }

    async fn settle(
        &self,
        id: &SessionId,
        token: LeaseToken,
        settlement: Settlement,
    ) -> Result<bool, StoreError> {
        self.work(|tables| {
            let row = tables.sessions.get_mut(id);
            let held = row.filter(|row| row.lease.is_some_and(|lease| lease.token == token));
            held.map(|row| row.settle(&settlement)).is_some()
        })
    }

    async fn list(&self, query: OutboxQuery) -> Result<Vec<OutboxEntry>, StoreError> {
        self.work(|tables| {
            let rows = tables.sessions.values().rev();
            let asked = rows.filter(|row| row.is_unsent() && row.is_asked_for(&query));
            asked.map(Row::entry).take(at_most(query.limit)).collect()
        })
    }

    async fn retry(
        &self,
        id: &SessionId,
        message: &MessageId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.work(|tables| {
            let unsent = tables.unsent(id, message);
            unsent
                .map(|row| {
                    row.stored.delivery.state = DeliveryState::Queued;
                    row.stored.delivery.due_at = now;
                })
                .is_some()
        })
    }

    async fn discard(&self, id: &SessionId, message: &MessageId) -> Result<bool, StoreError> {
        self.work(|tables| {
            let unsent = tables.unsent(id, message);
            unsent
                .map(|row| {
                    row.stored.delivery.state = DeliveryState::Failed;
                    row.dropped = Some(*message);
                    row.lease = None;
                })
                .is_some()
        })
    }
}

impl Tables {
    /// Sessions whose mail is due at `now` and held by nobody, the longest due first.
    #[must_use]
    pub fn due(&self, now: Timestamp) -> Vec<StoredSession> {
        let due = self.sessions.values().filter(|row| {
            let delivery = &row.stored.delivery;
            let is_held = row.lease.is_some_and(|lease| now < lease.until);
            delivery.state == DeliveryState::Queued && delivery.due_at <= now && !is_held
        });
        let mut due: Vec<_> = due.map(|row| row.stored.clone()).collect();
        due.sort_by_key(|stored| stored.delivery.due_at);
        due
    }

    /// The row of a mail that waits or failed.
    fn unsent(&mut self, id: &SessionId, message: &MessageId) -> Option<&mut Row> {
        let row = self.sessions.get_mut(id)?;
        (row.is_unsent() && row.stored.delivery.message == *message).then_some(row)
    }
}

impl Row {
    /// Writes down what became of a try, and ends the lease.
    pub fn settle(&mut self, settlement: &Settlement) {
        let delivery = &mut self.stored.delivery;
        self.lease = None;
        match settlement {
            Settlement::Sent => {
                delivery.state = DeliveryState::Sent;
                delivery.tries += 1;
            }
            Settlement::Retry {
                due_at,
                was_due_at,
                reply,
            } => {
                if delivery.due_at == *was_due_at {
                    delivery.due_at = *due_at;
                }
                delivery.tries += 1;
                self.reply = reply.or(self.reply);
            }
            Settlement::Failed { reply } => {
                delivery.state = DeliveryState::Failed;
                delivery.tries += 1;
                self.reply = reply.or(self.reply);
            }
            Settlement::Released { due_at } => delivery.due_at = *due_at,
        }
    }

    /// Whether its mail waits, or failed and was not dropped.
    fn is_unsent(&self) -> bool {
        let delivery = &self.stored.delivery;
        match delivery.state {
            DeliveryState::Queued => true,
            DeliveryState::Sent => false,
            DeliveryState::Failed => self.dropped != Some(delivery.message),
        }
    }

    fn is_asked_for(&self, query: &OutboxQuery) -> bool {
        let delivery = &self.stored.delivery;
        let failed = delivery.state == DeliveryState::Failed;
        let messages = query.messages.as_ref();
        (failed || !query.is_failed_only)
            && messages.is_none_or(|range| range.contains(&delivery.message))
    }

    /// The row as an operator sees it.
    #[must_use]
    pub fn entry(&self) -> OutboxEntry {
        OutboxEntry {
            session: self.stored.session.clone(),
            owner: self.stored.context.owner.clone(),
            template: self.stored.context.template.clone(),
            delivery: self.stored.delivery,
            reply: self.reply,
        }
    }
}
