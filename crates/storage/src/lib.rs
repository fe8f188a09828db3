//! SeaORM storage of otpost: sessions, outbox, projects, keys, recipients and audit log on SQLite
//! or PostgreSQL.
//!
//! [`Storage`] implements the ports [`SessionStore`](otpost_ports::SessionStore),
//! [`Outbox`](otpost_ports::Outbox), [`KeyStore`](otpost_ports::KeyStore),
//! [`RecipientStore`](otpost_ports::RecipientStore), [`AuditLog`](otpost_ports::AuditLog) and
//! [`Readiness`](otpost_ports::Readiness). It decides nothing about a session: between its read
//! and its write stand [`otpost_ports::admit`], [`otpost_ports::decide`] and
//! [`otpost_ports::release`].
//!
//! Statements are the same on both. What differs is said by `engine`, and lives in `connect`,
//! `location`, `partitions`, `clock` (servers alone) and `erase::files` (files alone).

mod answers;
mod audit_log;
mod batch;
mod clock;
mod connect;
mod convert;
mod copy;
mod counters;
mod engine;
mod entity;
mod erase;
mod error;
mod key_store;
mod lane;
mod location;
mod migrate;
mod outbox;
mod partitions;
mod purge;
mod readiness;
mod recipients;
mod rows;
mod server_settings;
mod session_store;
mod settings;
mod storage;
mod tables;

pub use copy::{Copied, CopyError};
pub use error::{ConnectError, SchemaError};
pub use migrate::MigrationStatus;
pub use partitions::Partitions;
pub use settings::Settings;
pub use storage::Storage;
