//! Vaults with one flaw each.

use std::sync::atomic::{AtomicU32, Ordering};

use otpost_domain::{
    Address, ApiKey, Code, CodeLength, FoldedAddress, KeyDigest, Mode, Network, SessionId,
};
use otpost_ports::{
    CodeSecret, Endpoint, IdempotencyDigest, NetworkDigest, Owner, RecipientDigest, RequestDigest,
    Sealed, SealedField, Vault, VaultError,
};
use otpost_testkit::{FakeVault, sample, vault_contract};

use crate::{Control, assert_complete};

/// What is wrong with a vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    DrawsCodes,
    IgnoresTheLength,
    IgnoresTheSecret,
    IgnoresTheSession,
    IgnoresTheAddress,
    CutsLongerCodes,
    IgnoresTheGeneration,
    FailsOpen,
    RepeatsSecrets,
    OneDigestForAll,
    OneDigestForNetworks,
    OneKeyForProjects,
    OneKeyForModes,
    OneKeyForEndpoints,
    OneDigestForKeys,
    RunsKeysTogether,
    OneDigestForRequests,
    RequestsIgnoreTheKey,
    SealsOnlyAPart,
    SealsInTheClear,
    RepeatsSeals,
    SealsForAnySession,
    SealsForAnyField,
    LeavesAByteUnprotected,
    OneDigestForAllKeys,
}

const KEYS: &str = "an_idempotency_key_has_one_digest_and_no_other_has_it";
const REQUESTS: &str = "a_request_has_one_digest_and_no_other_has_it";

const CONTROLS: &[Control<Flaw>] = &[
    (
        Flaw::DrawsCodes,
        &["a_code_is_derived_again_from_the_same_facts"],
    ),
    (Flaw::IgnoresTheLength, &["a_code_has_the_length_asked_for"]),
    (Flaw::IgnoresTheSecret, &["a_code_depends_on_the_secret"]),
    (Flaw::IgnoresTheSession, &["a_code_depends_on_the_session"]),
    (Flaw::IgnoresTheAddress, &["a_code_depends_on_the_address"]),
    (Flaw::CutsLongerCodes, &["a_code_depends_on_the_length"]),
    (
        Flaw::IgnoresTheGeneration,
        &["a_code_depends_on_the_generation"],
    ),
    (Flaw::FailsOpen, &["an_unknown_key_derives_nothing"]),
    (
        Flaw::RepeatsSecrets,
        &["a_code_depends_on_the_secret", "no_two_secrets_agree"],
    ),
    (
        Flaw::OneDigestForAll,
        &["a_recipient_has_one_digest_and_no_other_has_it"],
    ),
    (
        Flaw::OneDigestForNetworks,
        &["a_network_has_one_digest_and_no_other_has_it"],
    ),
    (Flaw::OneKeyForProjects, &[KEYS]),
    (Flaw::OneKeyForModes, &[KEYS]),
    (Flaw::OneKeyForEndpoints, &[KEYS]),
    (Flaw::RunsKeysTogether, &[KEYS]),
    (Flaw::OneDigestForKeys, &[KEYS, REQUESTS]),
    (Flaw::OneDigestForRequests, &[REQUESTS]),
    (Flaw::RequestsIgnoreTheKey, &[REQUESTS]),
    (Flaw::SealsOnlyAPart, &["what_was_sealed_is_opened"]),
    (Flaw::SealsInTheClear, &["a_seal_hides_what_it_holds"]),
    (Flaw::RepeatsSeals, &["two_seals_of_one_value_differ"]),
    (Flaw::SealsForAnySession, &["a_seal_belongs_to_its_session"]),
    (Flaw::SealsForAnyField, &["a_seal_belongs_to_its_field"]),
    (
        Flaw::LeavesAByteUnprotected,
        &["a_seal_that_was_touched_is_not_opened"],
    ),
    (
        Flaw::OneDigestForAllKeys,
        &["an_api_key_has_one_digest_and_no_other_has_it"],
    ),
];

/// What the seals of a [`FakeVault`] are longer than what they hold.
const OVERHEAD: usize = 20;

struct Flawed {
    flaw: Option<Flaw>,
    inner: FakeVault,
    drawn: AtomicU32,
}

impl Flawed {
    fn new(flaw: Option<Flaw>) -> Self {
        Self {
            flaw,
            inner: FakeVault::new(),
            drawn: AtomicU32::new(0),
        }
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// Where a seal is good for, in the eyes of this vault.
    fn place(&self, session: &SessionId, field: SealedField) -> (SessionId, SealedField) {
        let session = if self.has(Flaw::SealsForAnySession) {
            sample::session_id(0, sample::NOON)
        } else {
            *session
        };
        let field = if self.has(Flaw::SealsForAnyField) {
            SealedField::Address
        } else {
            field
        };
        (session, field)
    }
}

impl Vault for Flawed {
    fn new_secret(&self) -> Result<CodeSecret, VaultError> {
        let mut secret = self.inner.new_secret()?;
        if self.has(Flaw::RepeatsSecrets) {
            secret.nonce = [1; 32];
        }
        Ok(secret)
    }

    fn derive(
        &self,
        secret: &CodeSecret,
        session: &SessionId,
        address: &Address,
        length: CodeLength,
        generation: u32,
    ) -> Result<Code, VaultError> {
        let (mut secret, mut session, mut address) = (*secret, *session, address.clone());
        let (mut derived, mut generation) = (length, generation);
        let longest = CodeLength::new(CodeLength::MAX).unwrap();
        match self.flaw {
            Some(Flaw::DrawsCodes) => generation = self.drawn.fetch_add(1, Ordering::SeqCst),
            Some(Flaw::IgnoresTheLength | Flaw::CutsLongerCodes) => derived = longest,
            Some(Flaw::IgnoresTheSecret) => secret.nonce = [1; 32],
            Some(Flaw::IgnoresTheSession) => session = sample::session_id(0, sample::NOON),
            Some(Flaw::IgnoresTheAddress) => address = sample::address(),
            Some(Flaw::IgnoresTheGeneration) => generation = 0,
            Some(Flaw::FailsOpen) => secret.kid = FakeVault::KID,
            _ => {}
        }
        let code = self
            .inner
            .derive(&secret, &session, &address, derived, generation)?;
        if self.has(Flaw::CutsLongerCodes) {
            let number = code.reveal().parse().unwrap();
            return Ok(Code::from_number(number, length));
        }
        Ok(code)
    }

    fn digest(&self, address: &FoldedAddress) -> RecipientDigest {
        if self.has(Flaw::OneDigestForAll) {
            RecipientDigest([0; 32])
        } else {
            self.inner.digest(address)
        }
    }

    fn digest_network(&self, network: &Network) -> NetworkDigest {
        if self.has(Flaw::OneDigestForNetworks) {
            NetworkDigest([0; 32])
        } else {
            self.inner.digest_network(network)
        }
    }

    fn digest_idempotency_key(
        &self,
        owner: &Owner,
        endpoint: Endpoint,
        key: &str,
    ) -> IdempotencyDigest {
        let (mut owner, mut endpoint, mut key) = (owner.clone(), endpoint, key.to_owned());
        match self.flaw {
            Some(Flaw::OneKeyForProjects) => owner.project = sample::owner().project,
            Some(Flaw::OneKeyForModes) => owner.mode = Mode::Live,
            Some(Flaw::OneKeyForEndpoints) => endpoint = Endpoint::Send,
            Some(Flaw::OneDigestForKeys) => return IdempotencyDigest([0; 32]),
            Some(Flaw::RunsKeysTogether) => {
                key = owner.project.as_str().to_owned() + &key;
                owner.project = sample::owner().project;
            }
            _ => {}
        }
        self.inner.digest_idempotency_key(&owner, endpoint, &key)
    }

    fn digest_request(&self, key: &IdempotencyDigest, body: &[u8]) -> RequestDigest {
        match self.flaw {
            Some(Flaw::OneDigestForRequests) => self.inner.digest_request(key, b""),
            Some(Flaw::RequestsIgnoreTheKey) => {
                self.inner.digest_request(&IdempotencyDigest([0; 32]), body)
            }
            _ => self.inner.digest_request(key, body),
        }
    }

    fn seal(
        &self,
        session: &SessionId,
        field: SealedField,
        plain: &[u8],
    ) -> Result<Sealed, VaultError> {
        let (session, field) = self.place(session, field);
        match self.flaw {
            Some(Flaw::RepeatsSeals) => FakeVault::new().seal(&session, field, plain),
            Some(Flaw::SealsOnlyAPart) => {
                let part = &plain[..plain.len().min(64)];
                self.inner.seal(&session, field, part)
            }
            Some(Flaw::SealsInTheClear) => {
                let mut sealed = self.inner.seal(&session, field, plain)?;
                sealed.0.extend(plain);
                Ok(sealed)
            }
            Some(Flaw::LeavesAByteUnprotected) => {
                let mut sealed = self.inner.seal(&session, field, plain)?;
                sealed.0.push(0);
                Ok(sealed)
            }
            _ => self.inner.seal(&session, field, plain),
        }
    }

    fn open(
        &self,
        session: &SessionId,
        field: SealedField,
        sealed: &Sealed,
    ) -> Result<Vec<u8>, VaultError> {
        let (session, field) = self.place(session, field);
        let mut sealed = sealed.clone();
        match self.flaw {
            Some(Flaw::SealsInTheClear) => {
                let length = sealed.0.len().saturating_sub(OVERHEAD) / 2;
                let shown = sealed.0.split_off(sealed.0.len() - length);
                let plain = self.inner.open(&session, field, &sealed)?;
                (plain == shown)
                    .then_some(plain)
                    .ok_or(VaultError::Tampered)
            }
            Some(Flaw::LeavesAByteUnprotected) => {
                sealed.0.pop();
                self.inner.open(&session, field, &sealed)
            }
            _ => self.inner.open(&session, field, &sealed),
        }
    }

    fn key_digest(&self, key: &ApiKey) -> KeyDigest {
        if self.has(Flaw::OneDigestForAllKeys) {
            KeyDigest([0; 32])
        } else {
            self.inner.key_digest(key)
        }
    }
}

#[test]
fn each_flaw_breaks_just_the_promises_that_it_should() {
    for (flaw, promises) in CONTROLS {
        let broken = vault_contract!(@list __contract_broken_sync { Flawed::new(Some(*flaw)) });
        assert_eq!(broken, *promises, "{flaw:?}");
    }
}

#[test]
fn a_vault_without_a_flaw_breaks_nothing() {
    let broken: Vec<&str> = vault_contract!(@list __contract_broken_sync { Flawed::new(None) });
    assert_eq!(broken, Vec::<&str>::new());
}

#[test]
fn each_promise_is_broken_by_some_flaw() {
    assert_complete(&vault_contract!(@list __contract_names {}), CONTROLS);
}
