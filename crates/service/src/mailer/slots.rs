//! The slots of a mailer: each is for one mail on its way, found in the outbox, or leased by the very
//! commit that queues it.

use std::mem::take;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use otpost_domain::{SessionId, Timestamp};
use otpost_ports::{DeliveryState, Entropy, Lease, LeaseToken, Opening, StoredSession};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::MailerSettings;
use crate::ServiceError;

/// The slots of one mailer, shared with those who queue mails.
#[derive(Debug)]
pub struct Slots {
    count: usize,
    lease_secs: u32,
    free: Arc<Semaphore>,
    /// Whether mails may wait in the outbox that came before: the next free slots are theirs.
    has_backlog: AtomicBool,
    handed_over: Mutex<Vec<HandedOver>>,
    is_handed_over: Notify,
    mail_queued: Notify,
}

/// What becomes of a slot that was kept free for a mail.
#[derive(Debug)]
pub(crate) enum HandedOver {
    /// The mail is committed.
    Mail {
        stored: Box<StoredSession>,
        token: LeaseToken,
        slot: OwnedSemaphorePermit,
    },
    /// Nobody learned whether the mail of this session was committed: who asked for it left, or the
    /// storage could not tell.
    Unknown {
        id: SessionId,
        token: LeaseToken,
        slot: OwnedSemaphorePermit,
    },
}

/// A slot for a mail that is about to be committed under its lease. Dropped, it says that nobody
/// learned what became of that.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Arc<Slots>,
    lease: Lease,
    /// `None` once it is said what became of the mail.
    kept: Option<(Box<StoredSession>, OwnedSemaphorePermit)>,
}

impl Slots {
    /// As many, and with leases as long, as these bounds say.
    #[must_use]
    pub fn new(settings: &MailerSettings) -> Self {
        Self::of(settings.tries_at_once, settings.lease_secs)
    }

    /// For who has no mailer beside it: every mail waits in the outbox.
    #[must_use]
    pub fn none() -> Self {
        Self::of(0, 0)
    }

    fn of(count: usize, lease_secs: u32) -> Self {
        Self {
            count,
            lease_secs,
            free: Arc::new(Semaphore::new(count)),
            has_backlog: AtomicBool::new(false),
            handed_over: Mutex::default(),
            is_handed_over: Notify::new(),
            mail_queued: Notify::new(),
        }
    }

    /// A lease from `now` on, of nobody else.
    ///
    /// # Errors
    ///
    /// When no random bytes can be had.
    pub(super) fn lease(
        &self,
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> Result<Lease, ServiceError> {
        Ok(Lease {
            token: LeaseToken(entropy.bytes()?),
            until: now.plus_secs(self.lease_secs),
        })
    }

    /// A slot for the mail of this session, if it is to be sent; `None` where no slot is free, or mails
    /// wait that came before.
    ///
    /// # Errors
    ///
    /// When no random bytes can be had.
    pub(crate) fn reserve(
        self: &Arc<Self>,
        opening: &Opening,
        entropy: &dyn Entropy,
    ) -> Result<Option<Slot>, ServiceError> {
        let is_queued = opening.delivery.state == DeliveryState::Queued;
        if !is_queued || self.has_backlog.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() else {
            self.has_backlog.store(true, Ordering::Relaxed);
            return Ok(None);
        };
        let stored = Box::new(StoredSession::from(opening.clone()));
        Ok(Some(Slot {
            slots: Arc::clone(self),
            lease: self.lease(entropy, opening.at)?,
            kept: Some((stored, permit)),
        }))
    }

    /// Tells the mailer that a mail was committed which may wait in the outbox.
    pub(crate) fn announce(&self) {
        self.mail_queued.notify_one();
    }

    /// Until a mail is announced.
    pub(crate) async fn announced(&self) {
        self.mail_queued.notified().await;
    }

    /// Free slots for mails from the outbox: at least one, and at most half of all, for the others are
    /// for mails that are just being queued.
    pub(super) async fn for_the_outbox(&self) -> Vec<OwnedSemaphorePermit> {
        let next = || Arc::clone(&self.free);
        // It is never closed.
        let first = next().acquire_owned().await.ok();
        let others = std::iter::from_fn(|| next().try_acquire_owned().ok());
        let most = self.for_the_outbox_max();
        first.into_iter().chain(others).take(most).collect()
    }

    /// Notes what the outbox handed out for so many slots: with fewer mails none waits any more, and with as
    /// many as it ever gets more may. A few that took the few slots that were free say nothing.
    pub(super) fn note_handed_out(&self, wanted: usize, found: usize) {
        if found < wanted {
            self.has_backlog.store(false, Ordering::Relaxed);
        } else if wanted == self.for_the_outbox_max() {
            self.has_backlog.store(true, Ordering::Relaxed);
        }
    }

    fn for_the_outbox_max(&self) -> usize {
        (self.count / 2).max(1)
    }

    /// What was handed over since it was asked for last, once there is anything.
    pub(crate) async fn handed_over(&self) -> Vec<HandedOver> {
        loop {
            let is_handed_over = self.is_handed_over.notified();
            let handed_over = take(&mut *self.line());
            if !handed_over.is_empty() {
                return handed_over;
            }
            is_handed_over.await;
        }
    }

    /// Waits until every slot is free, and keeps them: none is reserved any more.
    pub(super) async fn close(&self) {
        let all = u32::try_from(self.count).unwrap_or(u32::MAX);
        if let Ok(all) = self.free.acquire_many(all).await {
            all.forget();
        }
    }

    fn hand_over(&self, mail: HandedOver) {
        self.line().push(mail);
        self.is_handed_over.notify_one();
    }

    fn line(&self) -> std::sync::MutexGuard<'_, Vec<HandedOver>> {
        // A push or a take is one step: what a panic left behind is whole.
        self.handed_over
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// The lease to commit the mail under.
    pub(crate) fn lease(&self) -> Lease {
        self.lease
    }

    /// The mail is committed under the lease, and goes on its way.
    pub(crate) fn hand_over(mut self) {
        if let Some((stored, slot)) = self.kept.take() {
            self.slots.hand_over(HandedOver::Mail {
                stored,
                token: self.lease.token,
                slot,
            });
        }
    }

    /// No mail was committed.
    pub(crate) fn give_back(mut self) {
        self.kept = None;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some((stored, slot)) = self.kept.take() {
            self.slots.hand_over(HandedOver::Unknown {
                id: *stored.session.id(),
                token: self.lease.token,
                slot,
            });
        }
    }
}
