//! Fresh keys, in the form in which a configuration holds them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use otpost_ports::{Entropy, EntropyError};
use secrecy::SecretString;
use zeroize::Zeroizing;

/// A fresh entry of `secrets.master_keys`: `KID:BASE64`.
///
/// # Errors
///
/// When no random bytes can be had.
pub fn new_master_key(kid: u32, entropy: &dyn Entropy) -> Result<SecretString, EntropyError> {
    let key = draw(entropy)?;
    Ok(format!("{kid}:{}", *key).into())
}

/// A fresh `secrets.index_key`.
///
/// # Errors
///
/// When no random bytes can be had.
pub fn new_index_key(entropy: &dyn Entropy) -> Result<SecretString, EntropyError> {
    draw(entropy).map(|key| key.as_str().into())
}

fn draw(entropy: &dyn Entropy) -> Result<Zeroizing<String>, EntropyError> {
    let key = Zeroizing::new(entropy.bytes::<32>()?);
    Ok(Zeroizing::new(STANDARD.encode(key.as_slice())))
}
