//! `[database]`: where sessions are kept.

use secrecy::{ExposeSecret as _, SecretString};

use super::reader::Reader;

/// Settings of the storage.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    /// The URL; it may hold a password.
    pub(crate) url: SecretString,
    /// The most connections to a server.
    pub(crate) connections: u32,
    /// Whether a pooler stands before the server.
    pub(crate) pooler: bool,
    /// Whether tables are made of partitions, where they are made.
    pub(crate) partitions: bool,
}

impl Database {
    /// The database at `url`, reached as most are.
    pub(crate) fn at(url: SecretString) -> Self {
        let storage = otpost_storage::Settings::at("");
        Self {
            url,
            connections: storage.connections_max,
            pooler: storage.has_pooler,
            partitions: storage.has_partitions,
        }
    }

    pub(crate) fn read(reader: &mut Reader) -> Self {
        let usual = Self::at(reader.secret("database.url").unwrap_or_default());
        Self {
            connections: reader
                .number("database.connections")
                .unwrap_or(usual.connections),
            pooler: reader.flag("database.pooler").unwrap_or(usual.pooler),
            partitions: reader
                .flag("database.partitions")
                .unwrap_or(usual.partitions),
            ..usual
        }
    }

    /// For the storage.
    pub(crate) fn storage(&self) -> otpost_storage::Settings {
        otpost_storage::Settings {
            url: self.url.expose_secret().to_owned(),
            connections_max: self.connections,
            has_pooler: self.pooler,
            has_partitions: self.partitions,
        }
    }
}
