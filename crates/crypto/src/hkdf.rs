//! HKDF-SHA-256 (RFC 5869): one secret, a key of its own for every use.

use ring::hkdf::{HKDF_SHA256, KeyType, Okm, Salt};

/// The key of kind `kind` that `secret` gives under `salt` for the use that `info` names.
#[expect(
    clippy::expect_used,
    reason = "HKDF refuses only keys longer than 8 160 bytes, and every kind of key has 32"
)]
pub(crate) fn key<L, K>(salt: &[u8], secret: &[u8], info: &[&[u8]], kind: L) -> K
where
    L: KeyType,
    K: for<'a> From<Okm<'a, L>>,
{
    let pseudorandom = Salt::new(HKDF_SHA256, salt).extract(secret);
    let okm = pseudorandom.expand(info, kind);
    okm.expect("the key is short enough").into()
}
