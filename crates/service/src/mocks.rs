//! Mocked ports, and use cases on top of them.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use async_trait::async_trait;
use mockall::mock;
use otpost_domain::{KeyId, Language, Mode, SessionId, TemplateName, Timestamp};
use otpost_ports::{
    Admitted, Applied, AuditEntry, Catalogue, Command, Erased, KeyRecord, KeyStore, Ledger,
    Opening, Owner, ProjectRecord, Purged, Readiness, RecipientDigest, RecipientRecord,
    RecipientStore, Scope, SessionStore, StoreError, StoredSession, Subject,
};
use otpost_testkit::{FakeVault, ManualClock, SeededEntropy, sample};

use crate::{Caller, KeyUses, MailerSettings, Otp, Policies, Ports, Slots};

mock! {
    pub(crate) Sessions {}
    #[async_trait]
    impl SessionStore for Sessions {
        async fn open(&self, opening: Opening) -> Result<Admitted, StoreError>;
        async fn apply(
            &self,
            id: &SessionId,
            command: Command,
        ) -> Result<Applied, StoreError>;
        async fn ledger(&self, subjects: &BTreeSet<Subject>) -> Result<Ledger, StoreError>;
        async fn find(
            &self,
            owner: &Owner,
            id: &SessionId,
        ) -> Result<Option<StoredSession>, StoreError>;
        async fn purge(&self, now: Timestamp, limit: u32) -> Result<Purged, StoreError>;
    }
}

mock! {
    pub(crate) KeyRows {}
    #[async_trait]
    impl KeyStore for KeyRows {
        async fn create_project(
            &self,
            project: ProjectRecord,
            entry: AuditEntry,
        ) -> Result<bool, StoreError>;
        async fn projects(&self) -> Result<Vec<ProjectRecord>, StoreError>;
        async fn insert_key(&self, key: KeyRecord, entry: AuditEntry) -> Result<bool, StoreError>;
        async fn find_key(&self, id: &KeyId) -> Result<Option<KeyRecord>, StoreError>;
        async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError>;
        async fn revoke_key(&self, id: &KeyId, entry: AuditEntry) -> Result<bool, StoreError>;
        async fn note_uses(&self, uses: &[(KeyId, Timestamp)]) -> Result<(), StoreError>;
    }
}

mock! {
    pub(crate) RecipientRows {}
    #[async_trait]
    impl RecipientStore for RecipientRows {
        async fn look_up(
            &self,
            recipient: &RecipientDigest,
            scope: &Scope,
            limit: u32,
            entry: AuditEntry,
        ) -> Result<RecipientRecord, StoreError>;
        async fn release(
            &self,
            recipient: &RecipientDigest,
            scope: &Scope,
            entry: AuditEntry,
        ) -> Result<bool, StoreError>;
        async fn erase(
            &self,
            recipient: &RecipientDigest,
            scope: &Scope,
            entry: AuditEntry,
        ) -> Result<Erased, StoreError>;
    }
}

mock! {
    pub(crate) Ready {}
    #[async_trait]
    impl Readiness for Ready {
        async fn ready(&self) -> Result<(), StoreError>;
    }
}

/// Use cases on mocks: what a test does not expect to be called fails it.
pub(crate) struct Bench {
    pub(crate) sessions: MockSessions,
    pub(crate) keys: MockKeyRows,
    pub(crate) recipients: MockRecipientRows,
    pub(crate) policies: Policies,
    pub(crate) accepts_test_keys: bool,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) vault: Arc<FakeVault>,
    pub(crate) slots: Arc<Slots>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self {
            sessions: MockSessions::new(),
            keys: MockKeyRows::new(),
            recipients: MockRecipientRows::new(),
            policies: Policies::default(),
            accepts_test_keys: true,
            clock: Arc::new(ManualClock::default()),
            vault: Arc::new(FakeVault::new()),
            slots: Arc::new(Slots::none()),
        }
    }

    pub(crate) fn otp(self) -> Otp {
        let keys = Arc::new(self.keys);
        let ports = Ports {
            sessions: Arc::new(self.sessions),
            keys: keys.clone(),
            recipients: Arc::new(self.recipients),
            readiness: Arc::new(MockReady::new()),
            vault: self.vault,
            entropy: Arc::new(SeededEntropy::new(7)),
            clock: self.clock,
        };
        let catalogue = Catalogue {
            templates: ["login", "signup", "reset"]
                .map(|name| TemplateName::parse(name).unwrap())
                .to_vec(),
            languages: ["en", "de"].map(Language::new).to_vec(),
            ..Catalogue::default()
        };
        Otp::new(
            ports,
            self.policies,
            Arc::new(catalogue),
            self.accepts_test_keys,
            self.slots,
            Arc::new(KeyUses::new(keys)),
        )
    }
}

pub(crate) fn caller(mode: Mode) -> Caller {
    Caller {
        owner: Owner {
            mode,
            ..sample::owner()
        },
        key: sample::key(1).id(),
    }
}

pub(crate) fn unavailable() -> StoreError {
    StoreError::Unavailable("the disk is full".into())
}

/// A session as it is stored right after it was opened at noon.
pub(crate) fn stored(vault: &FakeVault) -> StoredSession {
    sample::opening(vault, 1).into()
}

/// So many slots of a mailer.
pub(crate) fn slots(tries_at_once: usize) -> Arc<Slots> {
    Arc::new(Slots::new(&MailerSettings {
        tries_at_once,
        ..MailerSettings::default()
    }))
}

/// Whether a mail was announced since the last look.
pub(crate) fn was_announced(slots: &Slots) -> bool {
    let announced = pin!(slots.announced());
    let mut context = Context::from_waker(Waker::noop());
    announced.poll(&mut context).is_ready()
}
