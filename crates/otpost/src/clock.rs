//! The one clock of the program.

use std::time::{SystemTime, UNIX_EPOCH};

use otpost_domain::Timestamp;
use otpost_ports::Clock;

/// Tells the time of this machine.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that everyone else asks"
    )]
    fn now(&self) -> Timestamp {
        // A clock before 1970 is one that was never set: time stands still until it is.
        let elapsed = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_millis(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
    }
}
