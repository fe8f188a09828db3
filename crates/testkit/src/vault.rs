//! A vault without a key: fast, the same in every run, and not secure in the least.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use otpost_domain::{
    Address, ApiKey, Code, CodeLength, FoldedAddress, KeyDigest, Network, SessionId, derivation,
};
use otpost_ports::{
    CodeSecret, Endpoint, Entropy, IdempotencyDigest, NetworkDigest, Owner, RecipientDigest,
    RequestDigest, Sealed, SealedField, Vault, VaultError,
};

use crate::{SeededEntropy, mix};

/// Bytes in front of what is sealed: key number, serial number, tag.
const HEADER: usize = 4 + 8 + 8;

/// Keeps the promises of a [`Vault`] with a mixing function in place of cryptography.
///
/// Clones share their state. Its only key has the number [`FakeVault::KID`].
#[derive(Clone, Debug, Default)]
pub struct FakeVault {
    entropy: Arc<SeededEntropy>,
    seals: Arc<AtomicU64>,
}

impl FakeVault {
    /// The number of the one key that it knows.
    pub const KID: u32 = 1;

    /// A vault that begins at its first secret.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Where its secrets come from, to make it fail.
    #[must_use]
    pub fn entropy(&self) -> &SeededEntropy {
        &self.entropy
    }
}

const fn known(kid: u32) -> Result<(), VaultError> {
    if kid == FakeVault::KID {
        Ok(())
    } else {
        Err(VaultError::UnknownKey(kid))
    }
}

const fn label(field: SealedField) -> u8 {
    match field {
        SealedField::Address => 1,
        SealedField::Variables => 2,
        SealedField::Answer => 3,
    }
}

/// Applied twice it gives `bytes` back.
fn scramble(bytes: &[u8], key: u64) -> Vec<u8> {
    let stream = (0_u64..).flat_map(|block| mix::step(key ^ block).to_be_bytes());
    bytes
        .iter()
        .zip(stream)
        .map(|(byte, pad)| byte ^ pad)
        .collect()
}

fn tag(session: &SessionId, field: SealedField, head: &[u8], plain: &[u8]) -> [u8; 8] {
    mix::digest(&[b"tag", session.as_bytes(), &[label(field)], head, plain]).to_be_bytes()
}

fn pad_key(session: &SessionId, field: SealedField, head: &[u8]) -> u64 {
    mix::digest(&[b"pad", session.as_bytes(), &[label(field)], head])
}

impl Vault for FakeVault {
    fn new_secret(&self) -> Result<CodeSecret, VaultError> {
        let entropy: &dyn Entropy = &*self.entropy;
        Ok(CodeSecret {
            kid: Self::KID,
            nonce: entropy.bytes()?,
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
        known(secret.kid)?;
        let number = mix::digest(&[
            b"code",
            &secret.nonce,
            session.as_bytes(),
            address.as_str().as_bytes(),
            &[length.digits()],
            &derivation::message(generation),
        ]);
        Ok(derivation::reduce(number.to_be_bytes(), length))
    }

    fn digest(&self, address: &FoldedAddress) -> RecipientDigest {
        RecipientDigest(mix::digest_32(&[b"recipient", address.as_bytes()]))
    }

    fn digest_network(&self, network: &Network) -> NetworkDigest {
        NetworkDigest(mix::digest_32(&[b"network", network.as_bytes()]))
    }

    fn digest_idempotency_key(
        &self,
        owner: &Owner,
        endpoint: Endpoint,
        key: &str,
    ) -> IdempotencyDigest {
        IdempotencyDigest(mix::digest_32(&[
            b"idempotency key",
            owner.project.as_str().as_bytes(),
            &[owner.mode as u8, endpoint as u8],
            key.as_bytes(),
        ]))
    }

    fn digest_request(&self, key: &IdempotencyDigest, body: &[u8]) -> RequestDigest {
        RequestDigest(mix::digest_32(&[b"request", &key.0, body]))
    }

    fn seal(
        &self,
        session: &SessionId,
        field: SealedField,
        plain: &[u8],
    ) -> Result<Sealed, VaultError> {
        let serial = self.seals.fetch_add(1, Ordering::SeqCst);
        let mut sealed = Self::KID.to_be_bytes().to_vec();
        sealed.extend(serial.to_be_bytes());
        let pad = pad_key(session, field, &sealed);
        let tag = tag(session, field, &sealed, plain);
        sealed.extend(tag);
        sealed.extend(scramble(plain, pad));
        Ok(Sealed(sealed))
    }

    fn open(
        &self,
        session: &SessionId,
        field: SealedField,
        sealed: &Sealed,
    ) -> Result<Vec<u8>, VaultError> {
        let (head, body) = sealed
            .0
            .split_at_checked(HEADER)
            .ok_or(VaultError::Tampered)?;
        let (head, expected) = head.split_at(HEADER - 8);
        known(u32::from_be_bytes([head[0], head[1], head[2], head[3]]))?;
        let plain = scramble(body, pad_key(session, field, head));
        if tag(session, field, head, &plain) == expected {
            Ok(plain)
        } else {
            Err(VaultError::Tampered)
        }
    }

    fn key_digest(&self, key: &ApiKey) -> KeyDigest {
        KeyDigest(mix::digest_32(&[b"key", key.reveal().as_bytes()]))
    }
}
