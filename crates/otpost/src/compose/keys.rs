//! The vault of `[secrets]`.

use std::sync::Arc;

use otpost_crypto::{KeyError, KeyName, KeyRing, OsEntropy, RingVault};
use otpost_ports::Vault;
use secrecy::{ExposeSecret, SecretString};

use crate::settings::{Problem, Secrets};

/// A vault on the configured keys.
///
/// # Errors
///
/// The key that is missing, weak, or an example from the documentation.
pub(crate) fn vault_from_settings(secrets: &Secrets) -> Result<Arc<dyn Vault>, Problem> {
    let masters = secrets.master_keys.iter().map(ExposeSecret::expose_secret);
    let active = match secrets.active_key {
        Some(active) => active,
        None => only_number(&secrets.master_keys)?,
    };
    let index = secrets
        .index_key
        .as_ref()
        .map_or("", |key| key.expose_secret());
    let ring = KeyRing::parse(masters, active, index).map_err(|error| problem(&error))?;
    Ok(Arc::new(RingVault::new(ring, Arc::new(OsEntropy::new()))))
}

/// The number of the key for new sessions where there is no choice. What is wrong with an entry
/// is for the key ring to say.
fn only_number(masters: &[SecretString]) -> Result<u32, Problem> {
    match masters {
        [] => Ok(0),
        [only] => {
            let number = only.expose_secret().split(':').next();
            Ok(number
                .and_then(|number| number.trim().parse().ok())
                .unwrap_or(0))
        }
        [_, ..] => {
            let what = "is not set: say which of the master keys is the one for new sessions";
            Err(Problem::about("secrets.active_key", what))
        }
    }
}

fn problem(error: &KeyError) -> Problem {
    let setting = match error {
        KeyError::NoIndexKey => "secrets.index_key",
        KeyError::UnknownActive(_) => "secrets.active_key",
        KeyError::NotBase64(key) | KeyError::Length { key, .. } | KeyError::Weak { key, .. } => {
            match key {
                KeyName::Master(_) => "secrets.master_keys",
                KeyName::Index => "secrets.index_key",
            }
        }
        KeyError::NoMasterKey
        | KeyError::Entry(_)
        | KeyError::Duplicate(_)
        | KeyError::Reused(..) => "secrets.master_keys",
    };
    let what = match error {
        KeyError::NoMasterKey | KeyError::NoIndexKey => {
            "is not set: `otpost secrets new` makes a key".to_owned()
        }
        KeyError::Entry(_)
        | KeyError::NotBase64(_)
        | KeyError::Length { .. }
        | KeyError::Weak { .. } => {
            format!("is refused: {error}: `otpost secrets new` makes a good one")
        }
        KeyError::Duplicate(_) | KeyError::Reused(..) | KeyError::UnknownActive(_) => {
            format!("is refused: {error}")
        }
    };
    Problem::about(setting, what)
}
