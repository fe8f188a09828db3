//! Instants as the caller's clock tells them; nothing here reads one.

use core::time::Duration;

/// Milliseconds since 1970-01-01T00:00:00Z, leap seconds ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant `millis` milliseconds after the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// This instant and `secs` seconds; saturates at the end of time.
    #[must_use]
    pub const fn plus_secs(self, secs: u32) -> Self {
        Self(self.0.saturating_add(secs as i64 * 1000))
    }

    /// This instant less `secs` seconds; saturates at the start of time.
    #[must_use]
    pub const fn minus_secs(self, secs: u32) -> Self {
        Self(self.0.saturating_sub(secs as i64 * 1000))
    }

    /// The first whole second that is not before this instant.
    ///
    /// The wire shows whole seconds. A deadline is rounded up before it is kept, so that the one
    /// that is judged is the one that was shown.
    #[must_use]
    pub const fn ceil_to_second(self) -> Self {
        match self.0.rem_euclid(1000) {
            0 => self,
            part => Self(self.0.saturating_add(1000 - part)),
        }
    }

    /// Time from `self` until `later`; zero when `later` is not later.
    #[must_use]
    pub const fn until(self, later: Self) -> Duration {
        let millis = later.0.saturating_sub(self.0);
        Duration::from_millis(if millis > 0 { millis.unsigned_abs() } else { 0 })
    }

    /// Whole seconds from `self` until `later`, rounded up: what a `Retry-After` says.
    #[must_use]
    pub fn secs_until(self, later: Self) -> u32 {
        let millis = self.until(later).as_millis();
        u32::try_from(millis.div_ceil(1000)).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_shown_as_the_next_whole_second() {
        for (millis, shown) in [(0, 0), (1, 1000), (999, 1000), (1000, 1000), (-1, 0)] {
            assert_eq!(
                Timestamp(millis).ceil_to_second(),
                Timestamp(shown),
                "{millis}"
            );
        }
    }

    #[test]
    fn a_wait_is_rounded_up_and_never_negative() {
        let now = Timestamp(10_000);
        assert_eq!(now.secs_until(Timestamp(10_001)), 1);
        assert_eq!(now.secs_until(Timestamp(12_000)), 2);
        assert_eq!(now.secs_until(Timestamp(9_000)), 0);
    }
}
