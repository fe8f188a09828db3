//! One try at one mail: write it, hand it over, write down what became of it.

use std::time::Duration;

use otpost_domain::{Pending, SessionId, Timestamp};
use otpost_ports::{
    DeliveryError, LeaseToken, Letter, Reply, SealedField, Settlement, StoredSession, VaultError,
};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::Mailer;
use super::schedule::{is_of_use, next_try, next_turn};

/// Pauses before settling is tried again while the storage is away; together less than a lease.
const SETTLE_PAUSES: [Duration; 5] = [
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
];

/// Within this the storage tells what became of a command, or has given it up.
const KNOWN_WITHIN: Duration = Duration::from_secs(2);

impl Mailer {
    /// Tries one leased mail and settles its lease. The slot is for the relay: another mail has it
    /// while what became of this one is written down.
    pub(super) async fn attempt(
        &self,
        stored: &StoredSession,
        token: LeaseToken,
        slot: OwnedSemaphorePermit,
        stop: &CancellationToken,
    ) {
        let now = self.clock.now();
        let settlement = match self.letter(stored, now) {
            _ if stop.is_cancelled() => Settlement::Released { due_at: now },
            Ok(Some(letter)) => self.deliver(stored, &letter, stop).await,
            Ok(None) => {
                tracing::info!(session = %stored.session.id().short(), "mail dropped: of no use now");
                Settlement::Failed { reply: None }
            }
            Err(error) => {
                tracing::error!(session = %stored.session.id().short(), %error, "mail not written");
                self.retry(stored, None)
            }
        };
        drop(slot);
        self.settle(stored.session.id(), token, settlement).await;
    }

    /// The letter that the session needs now; `None` when it needs none, for it ended or has
    /// another code by now.
    fn letter(&self, stored: &StoredSession, now: Timestamp) -> Result<Option<Letter>, VaultError> {
        let StoredSession {
            session,
            context,
            delivery,
            ..
        } = stored;
        let in_force = session.pending().map(Pending::generation);
        let carries_it = in_force == Some(delivery.generation);
        if !carries_it || !is_of_use(session, delivery.tries, now) {
            return Ok(None);
        }
        let id = session.id();
        let to = self.vault.open_address(id, &context.address)?;
        let variables = match &context.variables {
            Some(sealed) => {
                let json = self.vault.open(id, SealedField::Variables, sealed)?;
                serde_json::from_slice(&json).map_err(|_| VaultError::Tampered)?
            }
            None => std::collections::BTreeMap::new(),
        };
        Ok(Some(Letter {
            message: delivery.message,
            session: *id,
            owner: context.owner.clone(),
            to,
            code: stored.code(delivery.generation, &*self.vault)?,
            template: context.template.clone(),
            language: context.language.clone(),
            variables,
            now,
            expires_at: session.expires_at(),
        }))
    }

    async fn deliver(
        &self,
        stored: &StoredSession,
        letter: &Letter,
        stop: &CancellationToken,
    ) -> Settlement {
        let session = letter.session.short();
        let courier = self.courier(letter.owner.mode);
        // Nothing is mailed once the code is too late, however long the relay takes.
        let deadline = self
            .settings
            .try_deadline
            .min(letter.now.until(letter.expires_at));
        let in_time = tokio::time::timeout(deadline, courier.deliver(letter));
        let delivered = tokio::select! {
            delivered = in_time => delivered.unwrap_or_else(|_| Err(took_too_long())),
            () = self.end_of_grace(stop) => {
                return Settlement::Released { due_at: self.clock.now() };
            }
        };
        match delivered {
            Ok(()) => {
                tracing::info!(session, tries = stored.delivery.tries + 1, "mail sent");
                Settlement::Sent
            }
            Err(DeliveryError::Permanent { cause, reply }) => {
                tracing::error!(
                    session,
                    cause,
                    reply = reply.map(tracing::field::display),
                    "mail failed for good"
                );
                Settlement::Failed { reply }
            }
            Err(DeliveryError::Transient { cause, reply }) => {
                tracing::warn!(session, cause, "mail not sent yet");
                self.retry(stored, reply)
            }
            Err(DeliveryError::Busy { cause, wait }) => {
                tracing::debug!(session, cause, ?wait, "mail waits for its turn");
                Settlement::Released {
                    due_at: next_turn(&stored.session, wait, self.clock.now()),
                }
            }
        }
    }

    async fn end_of_grace(&self, stop: &CancellationToken) {
        stop.cancelled().await;
        tokio::time::sleep(self.settings.grace).await;
    }

    /// Whether a later try is of use is judged when it is due: until then a resend may have given
    /// the code more time.
    fn retry(&self, stored: &StoredSession, reply: Option<Reply>) -> Settlement {
        let tries = stored.delivery.tries + 1;
        Settlement::Retry {
            due_at: next_try(&stored.session, tries, self.clock.now()),
            was_due_at: stored.delivery.due_at,
            reply,
        }
    }

    /// Ends the lease of a mail that was perhaps never committed, once the storage has told, or given
    /// up: until then it might be committed yet. Where that fails, the lease ends by itself.
    pub(super) async fn give_back_later(&self, id: &SessionId, token: LeaseToken) {
        tokio::time::sleep(KNOWN_WITHIN).await;
        let due_at = self.clock.now();
        let given_back = self
            .outbox
            .settle(id, token, Settlement::Released { due_at });
        match given_back.await {
            Ok(true) => self.slots.announce(),
            Ok(false) => {}
            Err(error) => tracing::debug!(session = %id.short(), %error, "lease not given back"),
        }
    }

    /// Settles, also when the storage comes back a little later: a mail that was sent and not
    /// settled would be sent again.
    async fn settle(&self, id: &SessionId, token: LeaseToken, settlement: Settlement) {
        for pause in SETTLE_PAUSES {
            match self.outbox.settle(id, token, settlement.clone()).await {
                Ok(_) => return,
                Err(error) => {
                    tracing::warn!(session = %id.short(), %error, "mail not settled yet");
                    tokio::time::sleep(pause).await;
                }
            }
        }
        tracing::error!(session = %id.short(), "mail not settled: it is tried again after its lease");
    }
}

/// Nobody knows whether the message was taken; a repeat carries the same code and identifier.
fn took_too_long() -> DeliveryError {
    DeliveryError::Transient {
        cause: "the try took too long".to_owned(),
        reply: None,
    }
}
