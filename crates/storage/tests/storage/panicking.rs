//! A decision that panics costs those who share its commit, and nobody after them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use otpost_domain::{
    Address, ApiKey, Code, CodeLength, FoldedAddress, KeyDigest, Network, SessionId,
};
use otpost_ports::{
    CodeSecret, Endpoint, IdempotencyDigest, NetworkDigest, Owner, RecipientDigest, RequestDigest,
    Sealed, SealedField, SessionStore, Vault, VaultError,
};
use otpost_storage::Storage;
use otpost_testkit::FakeVault;
use otpost_testkit::sample::{self, NOON};

use crate::support::{Place, assert_unavailable, find, judged, on_both};

on_both! {
    a_panic_in_a_decision_ends_no_other_command
}

/// A vault that panics where it should say a code, while it is broken.
struct Breakable {
    sound: Arc<FakeVault>,
    is_broken: AtomicBool,
}

impl Vault for Breakable {
    fn derive(
        &self,
        secret: &CodeSecret,
        session: &SessionId,
        address: &Address,
        length: CodeLength,
        generation: u32,
    ) -> Result<Code, VaultError> {
        assert!(!self.is_broken.load(Ordering::SeqCst), "it is broken");
        self.sound
            .derive(secret, session, address, length, generation)
    }

    fn new_secret(&self) -> Result<CodeSecret, VaultError> {
        self.sound.new_secret()
    }

    fn digest(&self, address: &FoldedAddress) -> RecipientDigest {
        self.sound.digest(address)
    }

    fn digest_network(&self, network: &Network) -> NetworkDigest {
        self.sound.digest_network(network)
    }

    fn digest_idempotency_key(
        &self,
        owner: &Owner,
        endpoint: Endpoint,
        key: &str,
    ) -> IdempotencyDigest {
        self.sound.digest_idempotency_key(owner, endpoint, key)
    }

    fn digest_request(&self, key: &IdempotencyDigest, body: &[u8]) -> RequestDigest {
        self.sound.digest_request(key, body)
    }

    fn seal(
        &self,
        session: &SessionId,
        field: SealedField,
        plain: &[u8],
    ) -> Result<Sealed, VaultError> {
        self.sound.seal(session, field, plain)
    }

    fn open(
        &self,
        session: &SessionId,
        field: SealedField,
        sealed: &Sealed,
    ) -> Result<Vec<u8>, VaultError> {
        self.sound.open(session, field, sealed)
    }

    fn key_digest(&self, key: &ApiKey) -> KeyDigest {
        self.sound.key_digest(key)
    }
}

async fn a_panic_in_a_decision_ends_no_other_command(place: Place) {
    let vault = Arc::new(Breakable {
        sound: place.vault.clone(),
        is_broken: AtomicBool::new(true),
    });
    let storage = Storage::connect(&place.settings(), vault.clone())
        .await
        .unwrap();
    storage.migrate().await.unwrap();
    let (opening, right) = place.open(&storage, 1).await;
    let id = opening.session.id();

    assert_unavailable(storage.apply(id, sample::submit(&right, NOON)).await);
    assert_eq!(find(&storage, id).await.session, opening.session);

    vault.is_broken.store(false, Ordering::SeqCst);
    let verified = judged(storage.apply(id, sample::submit(&right, NOON)).await);
    assert_eq!(verified.stored.session.attempts(), 1);
}
