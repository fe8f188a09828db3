//! The time.

use otpost_domain::Timestamp;

/// Tells the time, so that tests can.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}
