//! The vault on a key ring.

use std::sync::Arc;

use otpost_domain::{
    Address, ApiKey, Code, CodeLength, FoldedAddress, KeyDigest, Network, SessionId, derivation,
};
use otpost_ports::{
    CodeSecret, Endpoint, Entropy, IdempotencyDigest, NetworkDigest, Owner, RecipientDigest,
    RequestDigest, Sealed, SealedField, Vault, VaultError,
};
use ring::digest::{SHA256, digest};
use ring::hmac::{Context, HMAC_SHA256, Key, sign};

use crate::{KeyRing, hkdf, idempotency, seal};

const RECIPIENT_LABEL: &[u8] = b"otp-recipient/v1\0";
const NETWORK_LABEL: &[u8] = b"otp-network/v1\0";
const IDEMPOTENCY_LABEL: &[u8] = b"otp-idempotency/v1\0";
const REQUEST_LABEL: &[u8] = b"otp-request/v1\0";

/// Derives, seals and digests with the keys of a ring.
pub struct RingVault {
    ring: KeyRing,
    recipients: Key,
    networks: Key,
    idempotency_keys: Key,
    requests: Key,
    entropy: Arc<dyn Entropy>,
}

impl RingVault {
    /// A vault on `ring`, whose nonces come from `entropy`.
    #[must_use]
    pub fn new(ring: KeyRing, entropy: Arc<dyn Entropy>) -> Self {
        let of_index = |label| hkdf::key(&[], ring.index(), &[label], HMAC_SHA256);
        let recipients = of_index(RECIPIENT_LABEL);
        let networks = of_index(NETWORK_LABEL);
        let idempotency_keys = of_index(IDEMPOTENCY_LABEL);
        let requests = of_index(REQUEST_LABEL);
        Self {
            ring,
            recipients,
            networks,
            idempotency_keys,
            requests,
            entropy,
        }
    }
}

impl Vault for RingVault {
    fn new_secret(&self) -> Result<CodeSecret, VaultError> {
        Ok(CodeSecret {
            kid: self.ring.active(),
            nonce: self.entropy.bytes()?,
        })
    }

    fn derive(
        &self,
        secret: &CodeSecret,
        session: &SessionId,
        address: &Address,
        length: CodeLength,
        generation: u32,
    ) -> Result<Code, VaultError> {
        let master = self.ring.master(secret.kid)?;
        let address = sha256(address.as_str().as_bytes());
        let info = derivation::info(secret.kid, session, &address, length);
        let key = hkdf::key(&secret.nonce, master, &[&info], HMAC_SHA256);
        Ok(code(&key, length, generation))
    }

    fn digest(&self, address: &FoldedAddress) -> RecipientDigest {
        let tag = sign(&self.recipients, address.as_bytes());
        RecipientDigest(head(tag.as_ref()))
    }

    fn digest_network(&self, network: &Network) -> NetworkDigest {
        let tag = sign(&self.networks, network.as_bytes());
        NetworkDigest(head(tag.as_ref()))
    }

    fn digest_idempotency_key(
        &self,
        owner: &Owner,
        endpoint: Endpoint,
        key: &str,
    ) -> IdempotencyDigest {
        let message = idempotency::message(owner, endpoint, key);
        let tag = sign(&self.idempotency_keys, &message);
        IdempotencyDigest(head(tag.as_ref()))
    }

    fn digest_request(&self, key: &IdempotencyDigest, body: &[u8]) -> RequestDigest {
        let mut request = Context::with_key(&self.requests);
        request.update(&key.0);
        request.update(body);
        RequestDigest(head(request.sign().as_ref()))
    }

    fn seal(
        &self,
        session: &SessionId,
        field: SealedField,
        plain: &[u8],
    ) -> Result<Sealed, VaultError> {
        seal::seal(&self.ring, &*self.entropy, session, field, plain)
    }

    fn open(
        &self,
        session: &SessionId,
        field: SealedField,
        sealed: &Sealed,
    ) -> Result<Vec<u8>, VaultError> {
        seal::open(&self.ring, session, field, sealed)
    }

    fn key_digest(&self, key: &ApiKey) -> KeyDigest {
        KeyDigest(sha256(key.reveal().as_bytes()))
    }
}

/// The code of one generation under a session's key.
pub(crate) fn code(key: &Key, length: CodeLength, generation: u32) -> Code {
    let mac = sign(key, &derivation::message(generation));
    derivation::reduce(head(mac.as_ref()), length)
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    head(digest(&SHA256, bytes).as_ref())
}

/// The first `N` of the 32 bytes of a SHA-256.
fn head<const N: usize>(digest: &[u8]) -> [u8; N] {
    let mut head = [0; N];
    head.copy_from_slice(&digest[..N]);
    head
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OsEntropy;
    use otpost_domain::CodeLength;
    use otpost_testkit::{SeededEntropy, sample};

    fn vault(masters: &[u32], active: u32) -> RingVault {
        let key = |kid: u32| (kid, [u8::try_from(kid).unwrap(); 32]);
        let masters: Vec<_> = masters.iter().copied().map(key).collect();
        let ring = KeyRing::unchecked(&masters, active, [0xee; 32]);
        RingVault::new(ring, Arc::new(OsEntropy::new()))
    }

    mod contract {
        otpost_testkit::vault_contract!(super::vault(&[1, 2], 1));
    }

    fn id() -> SessionId {
        sample::session_id(1, sample::NOON)
    }

    fn derive(vault: &RingVault, secret: &CodeSecret) -> Result<String, VaultError> {
        let code = vault.derive(secret, &id(), &sample::address(), CodeLength::DEFAULT, 0)?;
        Ok(code.reveal().to_owned())
    }

    #[test]
    fn a_session_outlives_the_rotation_of_its_key() {
        let field = SealedField::Address;
        let before = vault(&[1], 1);
        let secret = before.new_secret().unwrap();
        let sealed = before.seal(&id(), field, b"plain").unwrap();
        let code = derive(&before, &secret);

        let loaded = vault(&[1, 2], 1);
        assert_eq!(loaded.new_secret().unwrap().kid, 1);
        let active = vault(&[1, 2], 2);
        assert_eq!(active.new_secret().unwrap().kid, 2);
        for rotated in [loaded, active] {
            assert_eq!(derive(&rotated, &secret), code);
            assert_eq!(rotated.open(&id(), field, &sealed).unwrap(), b"plain");
        }
    }

    #[test]
    fn a_retired_key_fails_closed() {
        let field = SealedField::Address;
        let before = vault(&[1, 2], 1);
        let secret = before.new_secret().unwrap();
        let sealed = before.seal(&id(), field, b"plain").unwrap();

        let retired = vault(&[2], 2);

        let unknown = VaultError::UnknownKey(1);
        assert_eq!(derive(&retired, &secret), Err(unknown.clone()));
        assert_eq!(retired.open(&id(), field, &sealed), Err(unknown));
    }

    fn network(text: &str) -> Network {
        Network::of(text.parse().unwrap())
    }

    #[test]
    fn a_recipient_and_a_network_are_the_same_after_every_rotation() {
        let digest = |vault: RingVault| {
            let recipient = vault.digest(&FoldedAddress::of(&sample::address()));
            (recipient, vault.digest_network(&network("192.0.2.1")))
        };
        let first = digest(vault(&[1], 1));
        assert_eq!(digest(vault(&[1, 2], 2)), first);
        assert_eq!(digest(vault(&[2], 2)), first);
    }

    #[test]
    fn another_index_key_makes_other_digests() {
        let digest = |index| {
            let ring = KeyRing::unchecked(&[(1, [1; 32])], 1, index);
            let vault = RingVault::new(ring, Arc::new(OsEntropy::new()));
            let recipient = vault.digest(&FoldedAddress::of(&sample::address()));
            (recipient, vault.digest_network(&network("192.0.2.1")))
        };
        let (one, other) = (digest([1; 32]), digest([2; 32]));
        assert_ne!(one.0, other.0);
        assert_ne!(one.1, other.1);
    }

    #[test]
    fn a_network_s_digest_tells_subscribers_apart_and_is_no_digest_of_a_recipient() {
        let vault = vault(&[1], 1);
        let digest = |text| vault.digest_network(&network(text));
        assert_eq!(digest("2001:db8::1"), digest("2001:db8::2"));
        assert_ne!(digest("192.0.2.1"), digest("192.0.2.2"));
        // The label of the key is all that keeps the two uses apart.
        let same_bytes = sign(&vault.recipients, network("192.0.2.1").as_bytes());
        assert_ne!(digest("192.0.2.1").0[..], *same_bytes.as_ref());
    }

    #[test]
    fn the_layout_of_a_seal_is_as_documented() {
        let vault = RingVault::new(
            KeyRing::unchecked(&[(0x0102_0304, [9; 32])], 0x0102_0304, [1; 32]),
            Arc::new(SeededEntropy::new(1)),
        );
        let nonce = (&SeededEntropy::new(1) as &dyn Entropy)
            .bytes::<12>()
            .unwrap();
        let Sealed(bytes) = vault.seal(&id(), SealedField::Address, b"plain").unwrap();
        assert_eq!(bytes.len(), 1 + 4 + 12 + 5 + 16);
        assert_eq!(bytes[..5], [1, 1, 2, 3, 4]);
        assert_eq!(bytes[5..17], nonce);
    }

    #[test]
    fn a_seal_under_another_of_the_ring_s_numbers_is_not_opened() {
        let vault = vault(&[1, 2], 1);
        let Sealed(mut bytes) = vault.seal(&id(), SealedField::Address, b"plain").unwrap();
        bytes[4] = 2;
        let opened = vault.open(&id(), SealedField::Address, &Sealed(bytes));
        assert_eq!(opened, Err(VaultError::Tampered));
    }

    #[test]
    fn without_randomness_nothing_is_sealed_and_no_secret_is_made() {
        let entropy = Arc::new(SeededEntropy::default());
        entropy.fail(true);
        let ring = KeyRing::unchecked(&[(1, [1; 32])], 1, [2; 32]);
        let vault = RingVault::new(ring, entropy);
        let failed = VaultError::Entropy(otpost_ports::EntropyError);
        assert_eq!(vault.new_secret(), Err(failed.clone()));
        let sealed = vault.seal(&id(), SealedField::Address, b"plain");
        assert_eq!(sealed, Err(failed));
    }
}
