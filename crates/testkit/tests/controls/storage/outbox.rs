//! The flaws in handing out mails.

use async_trait::async_trait;
use otpost_domain::{SessionId, Timestamp};
use otpost_ports::{
    Claim, DeliveryState, LeaseToken, Outbox, OutboxEntry, Settlement, StoreError, StoredSession,
};
use otpost_testkit::{Lease, Row, Tables};

use super::{Flaw, Flawed};

#[async_trait]
impl Outbox for Flawed {
    async fn claim(&self, mut claim: Claim) -> Result<Vec<StoredSession>, StoreError> {
        self.inner
            .edit(|tables| self.spoil_before_claim(tables, claim.now));
        if self.has(Flaw::NeverTakesOver) {
            claim.until = Timestamp::from_millis(i64::MAX);
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

    async fn list(&self, limit: u32) -> Result<Vec<OutboxEntry>, StoreError> {
        let mut entries = self.inner.list(u32::MAX).await?;
        if self.has(Flaw::ListShowsTheSent) {
            entries = self
                .inner
                .edit(|tables| tables.sessions.values().map(Row::entry).collect());
        }
        if self.has(Flaw::ListsTheNewestFirst) {
            entries.reverse();
        }
        entries.extend(self.orphans.lock().unwrap().clone());
        if !self.has(Flaw::ListIgnoresItsLimit) {
            entries.truncate(limit as usize);
        }
        Ok(entries)
    }

    async fn retry(&self, id: &SessionId, now: Timestamp) -> Result<bool, StoreError> {
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
        self.inner.retry(id, now).await
    }
}

impl Flawed {
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
                row.lease = Some(Lease {
                    token: claim.token,
                    until: claim.until,
                });
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
