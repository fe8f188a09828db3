//! A clock that stands still until a test moves it.

use std::sync::atomic::{AtomicI64, Ordering};

use otpost_domain::Timestamp;
use otpost_ports::Clock;

use crate::sample;

/// Shows the time that it was set to.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `now`.
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.as_millis()))
    }

    /// Sets it, forwards or back.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_millis(), Ordering::SeqCst);
    }

    /// Moves it forwards by `secs` seconds.
    pub fn advance(&self, secs: u32) {
        self.advance_millis(i64::from(secs) * 1000);
    }

    /// Moves it by `millis` milliseconds, back when they are negative.
    pub fn advance_millis(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

/// Shows [`sample::NOON`].
impl Default for ManualClock {
    fn default() -> Self {
        Self::new(sample::NOON)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_moves_only_when_told() {
        let clock = ManualClock::default();
        assert_eq!(clock.now(), clock.now());

        clock.advance(2);
        assert_eq!(clock.now(), sample::NOON.plus_secs(2));
        clock.advance_millis(-2000);
        assert_eq!(clock.now(), sample::NOON);
        clock.set(Timestamp::from_millis(5));
        assert_eq!(clock.now(), Timestamp::from_millis(5));
    }
}
