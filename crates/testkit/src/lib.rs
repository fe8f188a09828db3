//! What tests of otpost share: fakes of the ports, the ports' contract suites, and an SMTP relay
//! that misbehaves on demand.
//!
//! An adapter proves itself with one line per suite, in its own `tests/`. The expression is a
//! future of a pair: whatever must live as long as the adapter, and the adapter's ports.
//!
//! ```
//! use std::sync::Arc;
//! use otpost_testkit::{FakeVault, MemoryStore, contract::Storage};
//!
//! async fn memory() -> ((), Storage) {
//!     let vault = Arc::new(FakeVault::new());
//!     let store = Arc::new(MemoryStore::new(vault.clone()));
//!     ((), Storage::of(store, vault))
//! }
//!
//! mod session_store {
//!     otpost_testkit::session_store_contract!(super::memory());
//! }
//! ```
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "what is for tests only fails its test by a panic"
)]

mod clock;
pub mod contract;
mod courier;
mod entropy;
mod inbox;
mod memory;
mod mix;
pub mod relay;
pub mod sample;
mod vault;

pub use clock::ManualClock;
pub use courier::{Reaction, RecordingCourier};
pub use entropy::SeededEntropy;
pub use inbox::MemoryInbox;
pub use memory::{MemoryStore, Row, Tables};
pub use vault::FakeVault;
