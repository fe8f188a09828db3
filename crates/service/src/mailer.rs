//! The worker that takes mails from the outbox to a courier.

mod attempt;
mod schedule;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use otpost_domain::Mode;
use otpost_ports::{Claim, Clock, Courier, Entropy, LeaseToken, Outbox, StoredSession, Vault};
pub(crate) use schedule::is_of_use;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::ServiceError;

/// Bounds of the worker.
#[derive(Clone, Copy, Debug)]
pub struct MailerSettings {
    /// Mails tried at a time. Most of them wait for a relay: with a few, those whose recipients'
    /// domains stall would hold up the others.
    pub tries_at_once: usize,
    /// How long one try may take. Shorter than the lease, so that a mail is never with two
    /// couriers at a time.
    pub try_deadline: Duration,
    /// How long a mail is leased, in seconds.
    pub lease_secs: u32,
    /// How often the outbox is looked at when nobody says that there is something in it: mails
    /// that are due again, and those that another process queued.
    pub poll: Duration,
    /// How long tries under way may go on after a stop.
    pub grace: Duration,
}

impl Default for MailerSettings {
    fn default() -> Self {
        Self {
            tries_at_once: 64,
            try_deadline: Duration::from_secs(20),
            lease_secs: 60,
            poll: Duration::from_millis(500),
            grace: Duration::from_secs(5),
        }
    }
}

/// Takes mails from the outbox to a courier, and writes down what became of them.
#[derive(Clone)]
pub struct Mailer {
    /// Where mails wait.
    pub outbox: Arc<dyn Outbox>,
    /// Derives codes, opens addresses.
    pub vault: Arc<dyn Vault>,
    /// Random bytes.
    pub entropy: Arc<dyn Entropy>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Takes the mails of live keys.
    pub live: Arc<dyn Courier>,
    /// Takes the mails of test keys.
    pub test: Arc<dyn Courier>,
    /// Told whenever a mail was committed.
    pub mail_queued: Arc<Notify>,
    /// Bounds.
    pub settings: MailerSettings,
}

impl Mailer {
    /// Works until `stop`. Tries under way may end in time; the leases of all others are given
    /// back before this returns.
    pub async fn run(&self, stop: CancellationToken) {
        let slots = Arc::new(Semaphore::new(self.settings.tries_at_once));
        let tries = TaskTracker::new();
        while let Some(free) = self.free_slots(&slots, &stop).await {
            let handed_out = match self.claim(free.len()).await {
                Ok((token, batch)) => {
                    let handed_out = !batch.is_empty();
                    for (stored, slot) in batch.into_iter().zip(free) {
                        self.spawn(&tries, stored, token, slot, stop.clone());
                    }
                    handed_out
                }
                Err(error) => {
                    tracing::warn!(%error, "the outbox cannot be read");
                    false
                }
            };
            if !handed_out {
                self.rest(&stop).await;
            }
        }
        tries.close();
        tries.wait().await;
    }

    /// Every free slot, at least one; `None` after a stop.
    async fn free_slots(
        &self,
        slots: &Arc<Semaphore>,
        stop: &CancellationToken,
    ) -> Option<Vec<OwnedSemaphorePermit>> {
        let first = tokio::select! {
            biased;
            () = stop.cancelled() => return None,
            slot = slots.clone().acquire_owned() => slot.ok()?,
        };
        let mut free = vec![first];
        while let Ok(slot) = slots.clone().try_acquire_owned() {
            free.push(slot);
        }
        Some(free)
    }

    async fn claim(&self, limit: usize) -> Result<(LeaseToken, Vec<StoredSession>), ServiceError> {
        let token = LeaseToken(self.entropy.bytes()?);
        let now = self.clock.now();
        let until = now.plus_secs(self.settings.lease_secs);
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        Ok((
            token,
            self.outbox
                .claim(Claim {
                    token,
                    now,
                    until,
                    limit,
                })
                .await?,
        ))
    }

    async fn rest(&self, stop: &CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.mail_queued.notified() => {}
            () = tokio::time::sleep(self.settings.poll) => {}
        }
    }

    fn spawn(
        &self,
        tries: &TaskTracker,
        stored: StoredSession,
        token: LeaseToken,
        slot: OwnedSemaphorePermit,
        stop: CancellationToken,
    ) {
        let mailer = self.clone();
        tries.spawn(async move {
            mailer.attempt(&stored, token, slot, &stop).await;
        });
    }

    fn courier(&self, mode: Mode) -> &dyn Courier {
        match mode {
            Mode::Live => &*self.live,
            Mode::Test => &*self.test,
        }
    }
}
