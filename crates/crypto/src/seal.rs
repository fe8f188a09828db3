//! Sealed values: AES-256-GCM under a key of the session and the field.
//!
//! ```text
//! sealed = version (1) ‖ be32(kid) ‖ nonce (12) ‖ ciphertext ‖ tag (16)
//! ```
//!
//! Associated data are the session and the field, so that a value moved to another row or column
//! is not opened. The version and the number of the key need no protection of their own: another
//! one means another key, or none.

use otpost_domain::SessionId;
use otpost_ports::{Entropy, Sealed, SealedField, VaultError};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::{KeyRing, hkdf};

const LABEL: &[u8] = b"otp-seal/v1\0";
const VERSION: u8 = 1;
const HEADER_LENGTH: usize = 1 + 4 + NONCE_LEN;

#[expect(
    clippy::expect_used,
    reason = "AES-GCM refuses only values longer than 64 GiB, which no memory holds"
)]
pub(crate) fn seal(
    ring: &KeyRing,
    entropy: &dyn Entropy,
    session: &SessionId,
    field: SealedField,
    plain: &[u8],
) -> Result<Sealed, VaultError> {
    let kid = ring.active();
    let key = key(ring, kid, session, field)?;
    let nonce = entropy.bytes::<NONCE_LEN>()?;

    let mut text = plain.to_vec();
    let unique = Nonce::assume_unique_for_key(nonce);
    key.seal_in_place_append_tag(unique, aad(session, field), &mut text)
        .expect("the value is short enough");

    let mut sealed = Vec::with_capacity(HEADER_LENGTH + text.len());
    sealed.push(VERSION);
    sealed.extend(kid.to_be_bytes());
    sealed.extend(nonce);
    sealed.extend(text);
    Ok(Sealed(sealed))
}

pub(crate) fn open(
    ring: &KeyRing,
    session: &SessionId,
    field: SealedField,
    sealed: &Sealed,
) -> Result<Vec<u8>, VaultError> {
    let ([VERSION, rest @ ..], text) = split(&sealed.0)? else {
        return Err(VaultError::Tampered);
    };
    let (kid, nonce) = rest.split_at(4);
    let kid = kid.try_into().map(u32::from_be_bytes);
    let kid = kid.map_err(|_| VaultError::Tampered)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| VaultError::Tampered)?;
    let key = key(ring, kid, session, field)?;

    let mut text = text.to_vec();
    let plain = key
        .open_in_place(nonce, aad(session, field), &mut text)
        .map_err(|_| VaultError::Tampered)?;
    let length = plain.len();
    text.truncate(length);
    Ok(text)
}

fn split(sealed: &[u8]) -> Result<(&[u8; HEADER_LENGTH], &[u8]), VaultError> {
    sealed.split_first_chunk().ok_or(VaultError::Tampered)
}

fn key(
    ring: &KeyRing,
    kid: u32,
    session: &SessionId,
    field: SealedField,
) -> Result<LessSafeKey, VaultError> {
    let info = [LABEL, name(field)];
    let key: UnboundKey = hkdf::key(session.as_bytes(), ring.master(kid)?, &info, &AES_256_GCM);
    Ok(LessSafeKey::new(key))
}

fn aad(session: &SessionId, field: SealedField) -> Aad<Vec<u8>> {
    Aad::from([session.as_bytes(), name(field)].concat())
}

const fn name(field: SealedField) -> &'static [u8] {
    match field {
        SealedField::Address => b"address",
        SealedField::Variables => b"variables",
        SealedField::Answer => b"answer",
    }
}
