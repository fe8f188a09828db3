//! SeaORM storage of otpost: sessions, outbox, projects, keys, recipients and audit log on SQLite.
//!
//! [`Storage`] implements the ports [`SessionStore`](otpost_ports::SessionStore),
//! [`Outbox`](otpost_ports::Outbox), [`KeyStore`](otpost_ports::KeyStore),
//! [`RecipientStore`](otpost_ports::RecipientStore), [`AuditLog`](otpost_ports::AuditLog) and
//! [`Readiness`](otpost_ports::Readiness). It decides nothing about a session: between its read
//! and its write stand [`otpost_ports::admit`], [`otpost_ports::decide`] and
//! [`otpost_ports::release`].
//!
//! Only `connect`, `location`, `version`, the transaction mode in `storage` and the cleaning in
//! `erase` know which engine this is.

mod answers;
mod audit_log;
mod commit;
mod connect;
mod convert;
mod counters;
mod entity;
mod erase;
mod error;
mod key_store;
mod location;
mod migrate;
mod outbox;
mod purge;
mod readiness;
mod recipients;
mod rows;
mod session_store;
mod settings;
mod storage;
mod version;

pub use error::{ConnectError, SchemaError};
pub use migrate::MigrationStatus;
pub use settings::Settings;
pub use storage::Storage;
