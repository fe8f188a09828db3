//! Throwaway PostgreSQL servers for tests and chores: no fixed port, no other server touched, nothing left behind.
//!
//! Everything here blocks its thread: in an async test, go through `tokio::task::spawn_blocking`.
//!
//! ```
//! use otpost_cluster::{Binaries, Cluster, Stop};
//!
//! # fn main() -> std::io::Result<()> {
//! if let Some(binaries) = Binaries::for_test() {
//!     let mut cluster = Cluster::start(&binaries)?;
//!     cluster.sql("postgres", "CREATE TABLE seen (n int); INSERT INTO seen VALUES (7)")?;
//!     cluster.stop(Stop::Kill)?;
//!     cluster.resume()?;
//!     assert_eq!(cluster.sql("postgres", "SELECT n FROM seen")?, "7");
//! }
//! # Ok(())
//! # }
//! ```

mod account;
mod binaries;
mod builder;
mod cluster;
#[cfg(feature = "databases")]
mod database;
mod environment;
mod home;
mod pooler;
mod processes;

pub use binaries::Binaries;
pub use builder::Builder;
pub use cluster::{Cluster, Stop};
#[cfg(feature = "databases")]
pub use database::Database;
pub use pooler::Pooler;
