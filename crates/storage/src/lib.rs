//! SeaORM storage of otpost: sessions, outbox, projects and keys on SQLite.
//!
//! [`Storage`] implements the ports [`SessionStore`](otpost_ports::SessionStore),
//! [`Outbox`](otpost_ports::Outbox), [`KeyStore`](otpost_ports::KeyStore) and
//! [`Readiness`](otpost_ports::Readiness). It decides nothing about a session: between its read
//! and its write stand [`otpost_ports::admit`] and [`otpost_ports::decide`].
//!
//! Only `connect`, `location`, `version` and the transaction mode in `storage` know which engine
//! this is.

mod commit;
mod connect;
mod convert;
mod counters;
mod entity;
mod error;
mod key_store;
mod location;
mod migrate;
mod outbox;
mod purge;
mod readiness;
mod rows;
mod session_store;
mod settings;
mod storage;
mod version;

pub use error::{ConnectError, SchemaError};
pub use migrate::MigrationStatus;
pub use settings::Settings;
pub use storage::Storage;
