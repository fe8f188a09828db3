//! The promises of the ports, one public function each.
//!
//! A promise that does not hold ends in a panic that says what happened instead. The macros
//! `session_store_contract!`, `quotas_contract!`, `idempotency_contract!`, `outbox_contract!`,
//! `key_store_contract!`, `recipients_contract!`, `inbox_contract!` and `vault_contract!` make one
//! test of each promise.

pub mod idempotency;
pub mod inbox;
pub mod key_store;
mod macros;
pub mod outbox;
pub mod quotas;
pub mod recipients;
pub mod session_store;
pub mod vault;

use std::sync::Arc;

use otpost_domain::{SessionId, Timestamp};
use otpost_ports::{
    Admitted, Applied, AuditLog, Claim, Command, Courier, Inbox, Judged, KeyStore, Lease,
    LeaseToken, MessageId, Opening, Outbox, Outcome, RecipientStore, SessionStore, Settlement,
    StoreError, StoredSession, Vault,
};
use tokio::task::JoinSet;

use crate::sample;

/// How many callers ask at the same time where a promise is about that.
const CALLERS: usize = 50;
/// How long the suites lease a mail, in seconds.
const LEASE_SECS: u32 = 60;

/// The ports of one empty storage, and the vault that it judges with.
#[derive(Clone)]
pub struct Storage {
    /// Its sessions.
    pub sessions: Arc<dyn SessionStore>,
    /// Their mails.
    pub outbox: Arc<dyn Outbox>,
    /// Its projects and keys.
    pub keys: Arc<dyn KeyStore>,
    /// Their recipients.
    pub recipients: Arc<dyn RecipientStore>,
    /// What was done with any of them.
    pub audit: Arc<dyn AuditLog>,
    /// Knows the right code.
    pub vault: Arc<dyn Vault>,
}

impl Storage {
    /// The ports of a storage that is all of them in one.
    #[must_use]
    pub fn of<S>(store: Arc<S>, vault: Arc<dyn Vault>) -> Self
    where
        S: SessionStore + Outbox + KeyStore + RecipientStore + AuditLog + 'static,
    {
        Self {
            sessions: store.clone(),
            outbox: store.clone(),
            keys: store.clone(),
            recipients: store.clone(),
            audit: store,
            vault,
        }
    }

    async fn open(&self, number: u8) -> Opening {
        self.keep(sample::opening(&*self.vault, number)).await
    }

    async fn keep(&self, opening: Opening) -> Opening {
        let admitted = self.sessions.open(opening.clone()).await.unwrap();
        assert!(matches!(admitted, Admitted::Open(_)), "{admitted:?}");
        opening
    }

    async fn find(&self, id: &SessionId) -> StoredSession {
        let found = self.sessions.find(&sample::owner(), id).await.unwrap();
        found.expect("the session is there")
    }

    async fn is_there(&self, id: &SessionId) -> bool {
        let found = self.sessions.find(&sample::owner(), id).await.unwrap();
        found.is_some()
    }

    async fn apply(&self, id: &SessionId, command: Command) -> Judged {
        judged(self.sessions.apply(id, command).await)
    }

    /// Lets many callers ask the same at the same time.
    async fn apply_all(&self, id: SessionId, command: Command) -> Vec<Outcome> {
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            let (sessions, command) = (self.sessions.clone(), command.clone());
            callers.spawn(async move { sessions.apply(&id, command).await });
        }
        let answers = callers.join_all().await.into_iter();
        answers.map(|answer| judged(answer).outcome).collect()
    }

    /// Leases at most `limit` mails at `now`, for [`LEASE_SECS`].
    async fn claim(&self, token: u8, now: Timestamp, limit: u32) -> Vec<StoredSession> {
        let claim = Claim {
            lease: Lease {
                token: LeaseToken([token; 16]),
                until: now.plus_secs(LEASE_SECS),
            },
            now,
            limit,
        };
        self.outbox.claim(claim).await.unwrap()
    }

    /// The messages of the mails that a claim leases.
    async fn claim_messages(&self, token: u8, now: Timestamp, limit: u32) -> Vec<MessageId> {
        let claimed = self.claim(token, now, limit).await;
        claimed.iter().map(|one| one.delivery.message).collect()
    }

    async fn settle(&self, id: &SessionId, token: u8, settlement: Settlement) -> bool {
        let token = LeaseToken([token; 16]);
        self.outbox.settle(id, token, settlement).await.unwrap()
    }

    /// Leases and settles the mail of the only session.
    async fn deliver(&self, id: &SessionId, now: Timestamp, settlement: Settlement) {
        assert_eq!(self.claim(0xde, now, 1).await.len(), 1, "a mail is due");
        assert!(self.settle(id, 0xde, settlement).await, "the lease is held");
    }
}

/// What was judged, of a session that is there and a caller within its limits.
fn judged(answer: Result<Applied, StoreError>) -> Judged {
    match answer.unwrap() {
        Applied::Judged(judged) => *judged,
        other @ (Applied::Replayed(_)
        | Applied::KeyReused(_)
        | Applied::Limited(_)
        | Applied::NotFound(_)) => panic!("{other:?}"),
    }
}

/// An empty development inbox, and the courier that fills it.
#[derive(Clone)]
pub struct Mailbox {
    /// Shows the messages.
    pub inbox: Arc<dyn Inbox>,
    /// Captures them.
    pub courier: Arc<dyn Courier>,
}

impl Mailbox {
    /// The ports of an inbox that captures for itself.
    #[must_use]
    pub fn of<M: Inbox + Courier + 'static>(mailbox: Arc<M>) -> Self {
        Self {
            inbox: mailbox.clone(),
            courier: mailbox,
        }
    }
}
