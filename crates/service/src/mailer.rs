//! The worker that takes mails from the outbox to a courier.

mod attempt;
mod schedule;
mod slots;
#[cfg(test)]
mod tests;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use otpost_domain::Mode;
use otpost_ports::{Claim, Clock, Courier, Entropy, LeaseToken, Outbox, StoredSession, Vault};
pub(crate) use schedule::is_of_use;
pub use slots::Slots;
pub(crate) use slots::{HandedOver, Slot};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::ServiceError;

/// Bounds of the worker.
#[derive(Clone, Copy, Debug)]
pub struct MailerSettings {
    /// Mails tried at a time, with those that are just being committed for a try. Most of them wait for a
    /// relay: with a few, those whose recipients' domains stall would hold up the others.
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
    /// For the mails that are on their way; those who queue mails know them too.
    pub slots: Arc<Slots>,
    /// Bounds.
    pub settings: MailerSettings,
}

impl Mailer {
    /// Works until `stop`. Tries under way may end in time; the leases of all others are given
    /// back before this returns.
    pub async fn run(&self, stop: CancellationToken) {
        let tries = TaskTracker::new();
        tokio::join!(
            self.take_from_the_outbox(&tries, &stop),
            self.take_what_is_handed_over(&tries, &stop),
        );
        tries.close();
        tries.wait().await;
    }

    /// Claims mails that nobody has leased, until `stop`.
    async fn take_from_the_outbox(&self, tries: &TaskTracker, stop: &CancellationToken) {
        while let Some(free) = stop.run_until_cancelled(self.slots.for_the_outbox()).await {
            let found = match self.claim(free.len()).await {
                Ok((token, batch)) => {
                    let found = batch.len();
                    self.slots.note_handed_out(free.len(), found);
                    for (stored, slot) in batch.into_iter().zip(free) {
                        self.spawn(tries, stored, token, slot, stop);
                    }
                    found
                }
                Err(error) => {
                    drop(free);
                    tracing::warn!(%error, "the outbox cannot be read");
                    0
                }
            };
            if found > 0 {
                continue;
            }
            self.rest(stop).await;
        }
    }

    /// Takes mails that were committed under leases of this mailer, until `stop`; what comes later is
    /// given back, and until every slot is free more may come.
    async fn take_what_is_handed_over(&self, tries: &TaskTracker, stop: &CancellationToken) {
        let mut end = pin!(async {
            stop.cancelled().await;
            self.slots.close().await;
        });
        loop {
            let handed_over = tokio::select! {
                handed_over = self.slots.handed_over() => handed_over,
                () = &mut end => return,
            };
            for one in handed_over {
                match one {
                    HandedOver::Mail {
                        stored,
                        token,
                        slot,
                    } => self.spawn(tries, *stored, token, slot, stop),
                    HandedOver::Unknown { id, token, slot } => {
                        drop(slot);
                        let mailer = self.clone();
                        tries.spawn(async move { mailer.give_back_later(&id, token).await });
                    }
                }
            }
        }
    }

    async fn claim(&self, limit: usize) -> Result<(LeaseToken, Vec<StoredSession>), ServiceError> {
        let now = self.clock.now();
        let lease = self.slots.lease(&*self.entropy, now)?;
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let claim = Claim { lease, now, limit };
        Ok((lease.token, self.outbox.claim(claim).await?))
    }

    async fn rest(&self, stop: &CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.slots.announced() => {}
            () = tokio::time::sleep(self.settings.poll) => {}
        }
    }

    fn spawn(
        &self,
        tries: &TaskTracker,
        stored: StoredSession,
        token: LeaseToken,
        slot: OwnedSemaphorePermit,
        stop: &CancellationToken,
    ) {
        let (mailer, stop) = (self.clone(), stop.clone());
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
