//! The use cases of the API, together with what they share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use otpost_domain::{Bucket, SessionId, Timestamp};
use otpost_ports::{
    Catalogues, Clock, Counted, Entropy, KeyStore, Owner, Readiness, RecipientStore, SessionStore,
    StoredSession, Vault,
};

use crate::alarm::Alarms;
use crate::known_keys::KnownKeys;
use crate::{Caller, KeyUses, Policies, Rules, ServiceError, Slots};

/// The ports that the use cases stand on.
#[derive(Clone)]
pub struct Ports {
    /// Sessions.
    pub sessions: Arc<dyn SessionStore>,
    /// API keys.
    pub keys: Arc<dyn KeyStore>,
    /// What is kept of recipients.
    pub recipients: Arc<dyn RecipientStore>,
    /// Whether requests can be served.
    pub readiness: Arc<dyn Readiness>,
    /// Codes, digests and seals.
    pub vault: Arc<dyn Vault>,
    /// Random bytes.
    pub entropy: Arc<dyn Entropy>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// An answer, with the limits that were charged for it.
#[derive(Clone, Debug)]
pub struct Metered<T> {
    /// The answer.
    pub answer: T,
    /// What was charged, and what is left.
    pub counted: Vec<Counted>,
    /// Whether it was given before, to the same request under the same idempotency key.
    pub is_replayed: bool,
}

impl<T> Metered<T> {
    pub(crate) fn new(answer: T, counted: Vec<Counted>) -> Self {
        Self {
            answer,
            counted,
            is_replayed: false,
        }
    }

    /// An answer that nothing was charged for.
    pub(crate) fn free(answer: T) -> Self {
        Self::new(answer, Vec::new())
    }

    /// An answer that was given before.
    pub(crate) fn replayed(answer: T) -> Self {
        Self {
            is_replayed: true,
            ..Self::free(answer)
        }
    }
}

/// The use cases of the API: [`send`](Self::send), [`verify`](Self::verify),
/// [`resend`](Self::resend), [`status`](Self::status), those of recipients, and
/// [`authenticate`](Self::authenticate) before each.
pub struct Otp {
    pub(crate) ports: Ports,
    pub(crate) policies: Policies,
    pub(crate) catalogues: Arc<dyn Catalogues>,
    pub(crate) accepts_test_keys: bool,
    pub(crate) slots: Arc<Slots>,
    pub(crate) key_uses: Arc<KeyUses>,
    pub(crate) known_keys: KnownKeys,
    /// What callers have used of their reads, for this process alone.
    pub(crate) reads: Mutex<HashMap<Owner, Bucket>>,
    pub(crate) alarms: Alarms,
}

impl Otp {
    /// The use cases on these ports. A mail that is committed goes to a mailer by its `slots`, and
    /// `key_uses` is told whenever a key was accepted.
    #[must_use]
    pub fn new(
        ports: Ports,
        policies: Policies,
        catalogues: Arc<dyn Catalogues>,
        accepts_test_keys: bool,
        slots: Arc<Slots>,
        key_uses: Arc<KeyUses>,
    ) -> Self {
        let known_keys = KnownKeys::new(Arc::clone(&ports.keys), Arc::clone(&ports.clock));
        Self {
            ports,
            policies,
            catalogues,
            accepts_test_keys,
            slots,
            key_uses,
            known_keys,
            reads: Mutex::default(),
            alarms: Alarms::default(),
        }
    }

    /// What `caller` may ask.
    #[must_use]
    pub fn rules(&self, caller: &Caller) -> Rules<'_> {
        Rules {
            policy: self.policies.of(&caller.owner.project),
            catalogue: self.catalogues.of(&caller.owner.project),
            mode: caller.owner.mode,
        }
    }

    /// Whether requests can be served.
    ///
    /// # Errors
    ///
    /// What is missing.
    pub async fn ready(&self) -> Result<(), ServiceError> {
        Ok(self.ports.readiness.ready().await?)
    }

    /// The time by which everything is judged.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }

    /// Sixteen random bytes, for the identifier of a request that brought none.
    ///
    /// # Errors
    ///
    /// When no random bytes can be had.
    pub fn random_id(&self) -> Result<[u8; 16], ServiceError> {
        Ok(self.ports.entropy.bytes()?)
    }

    /// The session as it is stored, unless its retention is over.
    pub(crate) async fn find(
        &self,
        caller: &Caller,
        id: &SessionId,
    ) -> Result<Option<StoredSession>, ServiceError> {
        let found = self.ports.sessions.find(&caller.owner, id).await?;
        Ok(found.filter(|stored| stored.is_retained(self.now())))
    }
}
