//! The flaws in handing out mails.

use async_trait::async_trait;
use otpost_domain::{SessionId, Timestamp};
use otpost_ports::{
    Claim, DeliveryState, LeaseToken, MessageId, Outbox, OutboxEntry, OutboxQuery, Settlement,
    StoreError, StoredSession,
};
use otpost_testkit::{Row, Tables};

use super::{Flaw, Flawed};

#[async_trait]
impl Outbox for Flawed {
    async fn claim(&self, mut claim: Claim) -> Result<Vec<StoredSession>, StoreError> {
        self.inner
            .edit(|tables| self.spoil_before_claim(tables, claim.now));
        if self.has(Flaw::NeverTakesOver) {
            claim.lease.until = Timestamp::from_millis(i64::MAX);
        }
        if self.has(Flaw::ClaimIgnoresItsLimit) {
            claim.limit = u32::MAX;
        }
        if self.has(Flaw::RacesClaims) || self.has(Flaw::ClaimsTheNewestFirst) {
            return Ok(self.claim_badly(claim).await);
        }
        let mut claimed = self.inner.claim(claim).await?;
        if self.has(Flaw::ClaimLosesTheSecret) {
            for mail in &mut claimed {
                mail.secret = None;
            }
        }
        Ok(claimed)
    }

    async fn settle(
        &self,
        id: &SessionId,
        token: LeaseToken,
        settlement: Settlement,
    ) -> Result<bool, StoreError> {
        Ok(self.inner.edit(|tables| {
            let Some(row) = tables.sessions.get_mut(id) else {
                return false;
            };
            let mut settled = self.settled.lock().unwrap();
            let is_held = match row.lease {
                Some(lease) => lease.token == token || self.has(Flaw::IgnoresTheToken),
                None => {
                    self.has(Flaw::SettlesAfterTheLease)
                        && settled.get(id).is_some_and(|was| *was == token)
                }
            };
            if is_held {
                settled.insert(*id, token);
                self.settle_badly(row, &settlement);
            }
            is_held
        }))
    }

    async fn list(&self, query: OutboxQuery) -> Result<Vec<OutboxEntry>, StoreError> {
        let limit = query.limit as usize;
        let any = OutboxQuery::any(u32::MAX);
        let asked = if self.has(Flaw::ListIgnoresItsQuery) {
            any
        } else {
            OutboxQuery {
                limit: any.limit,
                ..query.clone()
            }
        };
        let mut entries = self.inner.list(asked).await?;
        let is_any = !query.is_failed_only && query.messages.is_none();
        if self.has(Flaw::ListShowsTheSent) && is_any {
            entries.extend(self.every_entry(|state| state == DeliveryState::Sent));
        }
        if self.has(Flaw::DroppedIsListed) && is_any {
            entries = self.every_entry(|state| state != DeliveryState::Sent);
        }
        if self.has(Flaw::ListsTheOldestFirst) && is_any {
            entries.reverse();
        }
        entries.extend(self.orphans.lock().unwrap().clone());
        if !self.has(Flaw::ListIgnoresItsLimit) {
            entries.truncate(limit);
        }
        Ok(entries)
    }

    async fn retry(
        &self,
        id: &SessionId,
        message: &MessageId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let state = self.inner.edit(|tables| {
            let row = tables.sessions.get_mut(id)?;
            let state = row.stored.delivery.state;
            if self.has(Flaw::RetryRevivesTheSent) && state == DeliveryState::Sent {
                row.stored.delivery.state = DeliveryState::Queued;
            }
            Some(state)
        });
        if self.has(Flaw::RetryIgnoresTheFailed) && state == Some(DeliveryState::Failed) {
            return Ok(false);
        }
        self.inner.retry(id, message, now).await
    }

    async fn discard(&self, id: &SessionId, message: &MessageId) -> Result<bool, StoreError> {
        let before = self.inner.edit(|tables| tables.sessions.get(id).cloned());
        let Some(before) = before else {
            return Ok(false);
        };
        let delivery = &before.stored.delivery;
        let message = match delivery.state {
            DeliveryState::Queued if self.has(Flaw::DropsAnyMail) => delivery.message,
            DeliveryState::Queued | DeliveryState::Sent | DeliveryState::Failed => *message,
        };
        let dropped = self.inner.discard(id, &message).await?;
        self.inner.edit(|tables| {
            if let (true, Some(row)) = (dropped, tables.sessions.get_mut(id)) {
                if self.has(Flaw::DropKeepsTheLease) {
                    row.lease = before.lease;
                }
                if self.has(Flaw::DroppedIsQueued) {
                    row.stored.delivery.state = DeliveryState::Queued;
                }
            }
        });
        Ok(dropped)
    }
}

impl Flawed {
    /// The newest first.
    fn every_entry(&self, is_shown: impl Fn(DeliveryState) -> bool) -> Vec<OutboxEntry> {
        self.inner.edit(|tables| {
            let rows = tables.sessions.values().rev();
            let shown = rows.filter(|row| is_shown(row.stored.delivery.state));
            shown.map(Row::entry).collect()
        })
    }

    fn spoil_before_claim(&self, tables: &mut Tables, now: Timestamp) {
        for row in tables.sessions.values_mut() {
            if self.has(Flaw::ClaimIgnoresLeases) {
                row.lease = None;
            }
            if self.has(Flaw::IgnoresTheDueTime) {
                row.stored.delivery.due_at = row.stored.delivery.due_at.min(now);
            }
        }
    }

    /// Looks what is due, lets everyone else look, and leases; or takes from the wrong end.
    async fn claim_badly(&self, claim: Claim) -> Vec<StoredSession> {
        let mut due = self.inner.edit(|tables| tables.due(claim.now));
        if self.has(Flaw::RacesClaims) {
            tokio::task::yield_now().await;
        } else {
            due.reverse();
        }
        due.truncate(claim.limit as usize);
        self.inner.edit(|tables| {
            for mail in &due {
                let row = tables.sessions.get_mut(mail.session.id()).unwrap();
                row.lease = Some(claim.lease);
            }
        });
        due
    }

    fn settle_badly(&self, row: &mut Row, settlement: &Settlement) {
        let before = row.clone();
        row.settle(settlement);
        let delivery = &mut row.stored.delivery;
        match settlement {
            Settlement::Sent => {
                if self.has(Flaw::SentIsNoTry) {
                    delivery.tries = before.stored.delivery.tries;
                }
                if self.has(Flaw::SentIsSentAgain) {
                    delivery.state = DeliveryState::Queued;
                }
            }
            Settlement::Retry { due_at, .. } => {
                if self.has(Flaw::RetryForgetsTheHurry) {
                    delivery.due_at = *due_at;
                }
                if self.has(Flaw::RetriesAtOnce) {
                    delivery.due_at = before.stored.delivery.due_at;
                }
                if self.has(Flaw::RetryForgetsTheReply) {
                    row.reply = None;
                }
            }
            Settlement::Failed { .. } => {
                if self.has(Flaw::FailedIsTriedAgain) {
                    delivery.state = DeliveryState::Queued;
                }
                if self.has(Flaw::FailedForgetsTheReply) {
                    row.reply = None;
                }
            }
            Settlement::Released { .. } => {
                if self.has(Flaw::ReleasedIsATry) {
                    delivery.tries += 1;
                }
            }
        }
    }
}
