//! `[database]`: where sessions are kept.

use secrecy::SecretString;

use super::reader::Reader;

/// Settings of the storage.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    /// The URL; it may hold a password.
    pub(crate) url: SecretString,
}

impl Database {
    pub(crate) fn read(reader: &mut Reader) -> Self {
        Self {
            url: reader.secret("database.url").unwrap_or_default(),
        }
    }
}
