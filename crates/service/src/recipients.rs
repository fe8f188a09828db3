//! What is kept of one recipient: shown, released and erased, by an operator or a caller.

use std::sync::Arc;

use otpost_domain::{Address, FoldedAddress, Profile, Standing, Timestamp};
use otpost_ports::{
    Actor, AuditAction, AuditEntry, Clock, Counted, Erased, KeyStore, RecipientDigest,
    RecipientRecord, RecipientStore, Scope, StoredSession, Vault,
};

use crate::{Caller, Limited, Metered, Otp, Policies, ServiceError};

/// What is kept of a recipient.
#[derive(Clone, Debug)]
pub struct RecipientView {
    /// Wrong guesses since its last success.
    pub failures: u32,
    /// Guesses that the ladder leaves a new session. One whose project has used up its failures of
    /// the day has fewer.
    pub attempts_max: u8,
    /// Whether nothing is mailed to it and judged for it until it is released.
    pub is_on_hold: bool,
    /// Sessions in all.
    pub sessions: u64,
    /// The newest of them first, as many as were asked for.
    pub newest: Vec<StoredSession>,
}

impl RecipientView {
    /// When its newest session was opened.
    #[must_use]
    pub fn last_opened_at(&self) -> Option<Timestamp> {
        let newest = self.newest.first()?;
        Some(newest.session.opened_at())
    }
}

/// Looks after recipients.
#[derive(Clone)]
pub struct Recipients {
    /// Where they are kept.
    pub store: Arc<dyn RecipientStore>,
    /// Which projects there are.
    pub keys: Arc<dyn KeyStore>,
    /// Digests addresses.
    pub vault: Arc<dyn Vault>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Recipients {
    /// What is kept of `address`, judged by `policies`, with at most `limit` of its sessions.
    ///
    /// # Errors
    ///
    /// [`ServiceError`].
    pub async fn look_up(
        &self,
        policies: &Policies,
        actor: Actor,
        scope: &Scope,
        address: &Address,
        limit: u32,
    ) -> Result<RecipientView, ServiceError> {
        let recipient = self.digest(address);
        let entry = self.entry(actor, AuditAction::RecipientShown, scope, Some(recipient));
        let record = self.store.look_up(&recipient, scope, limit, entry).await?;
        Ok(view(policies, scope, record))
    }

    /// Forgives `address` its failures; `false` when it has none.
    ///
    /// # Errors
    ///
    /// [`ServiceError`].
    pub async fn release(
        &self,
        actor: Actor,
        scope: &Scope,
        address: &Address,
    ) -> Result<bool, ServiceError> {
        let recipient = self.digest(address);
        let entry = self.entry(
            actor,
            AuditAction::RecipientReleased,
            scope,
            Some(recipient),
        );
        Ok(self.store.release(&recipient, scope, entry).await?)
    }

    /// Erases what is kept of `address`, and says where.
    ///
    /// # Errors
    ///
    /// [`ServiceError`].
    pub async fn erase(
        &self,
        actor: Actor,
        scope: &Scope,
        address: &Address,
    ) -> Result<Erased, ServiceError> {
        let entry = self.entry(actor, AuditAction::RecipientErased, scope, None);
        let recipient = self.digest(address);
        Ok(self.store.erase(&recipient, scope, entry).await?)
    }

    fn digest(&self, address: &Address) -> RecipientDigest {
        self.vault.digest(&FoldedAddress::of(address))
    }

    fn entry(
        &self,
        actor: Actor,
        action: AuditAction,
        scope: &Scope,
        recipient: Option<RecipientDigest>,
    ) -> AuditEntry {
        AuditEntry {
            at: self.clock.now(),
            actor,
            action,
            project: match scope {
                Scope::Installation => None,
                Scope::Project(project) | Scope::Tests(project) => Some(project.clone()),
            },
            key: None,
            recipient: match scope {
                Scope::Installation | Scope::Project(_) => recipient,
                Scope::Tests(_) => None,
            },
        }
    }
}

/// Over the installation the strictest profile says whether there is a hold.
fn view(policies: &Policies, scope: &Scope, record: RecipientRecord) -> RecipientView {
    let (profile, attempts_max) = match scope {
        Scope::Installation => (policies.strictest_profile(), policies.general.attempts_max),
        Scope::Project(project) => {
            let policy = policies.of(project);
            (policy.profile, policy.attempts_max)
        }
        Scope::Tests(project) => (Profile::Standard, policies.of(project).attempts_max),
    };
    let standing = Standing::new(record.failures, profile);
    RecipientView {
        failures: record.failures,
        attempts_max: standing.attempts_max(attempts_max),
        is_on_hold: standing.is_on_hold(),
        sessions: record.sessions,
        newest: record.newest,
    }
}

/// Why nothing was done for a caller.
#[derive(Debug, thiserror::Error)]
pub enum RecipientError {
    /// A limit is reached.
    #[error("the limit {} is reached", .0.name)]
    Limited(Limited),
    /// It could not be carried out.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// The same for a caller, within its project. Each counts as a read.
impl Otp {
    /// What is kept of `address`.
    ///
    /// # Errors
    ///
    /// [`RecipientError`].
    pub async fn look_up_recipient(
        &self,
        caller: &Caller,
        address: &Address,
    ) -> Result<Metered<RecipientView>, RecipientError> {
        let (recipients, counted) = self.recipients(caller)?;
        let (actor, scope) = (caller.actor(), caller.scope());
        let view = recipients.look_up(&self.policies, actor, &scope, address, 1);
        Ok(Metered::new(view.await?, counted))
    }

    /// Forgives `address` its failures; `false` when it has none.
    ///
    /// # Errors
    ///
    /// [`RecipientError`].
    pub async fn release_recipient(
        &self,
        caller: &Caller,
        address: &Address,
    ) -> Result<Metered<bool>, RecipientError> {
        let (recipients, counted) = self.recipients(caller)?;
        let (actor, scope) = (caller.actor(), caller.scope());
        let is_released = recipients.release(actor, &scope, address).await?;
        Ok(Metered::new(is_released, counted))
    }

    /// Erases what is kept of `address`, and says how many sessions there were.
    ///
    /// # Errors
    ///
    /// [`RecipientError`].
    pub async fn erase_recipient(
        &self,
        caller: &Caller,
        address: &Address,
    ) -> Result<Metered<u64>, RecipientError> {
        let (recipients, counted) = self.recipients(caller)?;
        let (actor, scope) = (caller.actor(), caller.scope());
        let erased = recipients.erase(actor, &scope, address).await?;
        Ok(Metered::new(erased.sessions, counted))
    }

    /// What looks after recipients, once the read is counted: also that of a test key, for each
    /// writes to the audit log.
    fn recipients(&self, caller: &Caller) -> Result<(Recipients, Vec<Counted>), RecipientError> {
        let counted = self.count_read(caller, self.now());
        let recipients = Recipients {
            store: Arc::clone(&self.ports.recipients),
            keys: Arc::clone(&self.ports.keys),
            vault: Arc::clone(&self.ports.vault),
            clock: Arc::clone(&self.ports.clock),
        };
        Ok((recipients, counted.map_err(RecipientError::Limited)?))
    }
}
