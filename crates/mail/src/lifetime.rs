//! How long a code still lives, as a number and a unit that a person reads.

use std::time::Duration;

/// A message may be this late before it stops naming the lifetime that was asked for: one of five
/// minutes is not to say "4 minutes" because a worker took half a second.
const GRACE_SECS: u64 = 10;

/// The units, as texts call them: `minutes_other`.
pub(crate) const UNITS: [&str; 3] = ["seconds", "minutes", "hours"];

/// A count of one unit. It never promises more than [`GRACE_SECS`] too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lifetime {
    Seconds(u64),
    Minutes(u64),
    Hours(u64),
}

impl Lifetime {
    /// Seconds up to two minutes, minutes up to two hours, then hours.
    pub(crate) fn of(left: Duration) -> Self {
        let secs = left.as_millis().div_ceil(1000);
        let secs = u64::try_from(secs).unwrap_or(u64::MAX);
        let minutes = secs.saturating_add(GRACE_SECS) / 60;
        match minutes {
            0 | 1 => Self::Seconds(secs),
            2..120 => Self::Minutes(minutes),
            120.. => Self::Hours(minutes / 60),
        }
    }

    pub(crate) const fn count(self) -> u64 {
        match self {
            Self::Seconds(count) | Self::Minutes(count) | Self::Hours(count) => count,
        }
    }

    /// One of [`UNITS`].
    pub(crate) const fn unit(self) -> &'static str {
        let [seconds, minutes, hours] = UNITS;
        match self {
            Self::Seconds(_) => seconds,
            Self::Minutes(_) => minutes,
            Self::Hours(_) => hours,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lifetime_is_the_real_one_in_the_unit_a_person_would_use() {
        for (millis, lifetime) in [
            (0, Lifetime::Seconds(0)),
            (1, Lifetime::Seconds(1)),
            (30_000, Lifetime::Seconds(30)),
            (59_600, Lifetime::Seconds(60)),
            (90_000, Lifetime::Seconds(90)),
            (109_000, Lifetime::Seconds(109)),
            (110_000, Lifetime::Minutes(2)),
            (150_000, Lifetime::Minutes(2)),
            (285_000, Lifetime::Minutes(4)),
            (299_800, Lifetime::Minutes(5)),
            (300_000, Lifetime::Minutes(5)),
            (3_600_000, Lifetime::Minutes(60)),
            (7_199_000, Lifetime::Hours(2)),
            (10_700_000, Lifetime::Hours(2)),
            (86_400_000, Lifetime::Hours(24)),
        ] {
            let found = Lifetime::of(Duration::from_millis(millis));
            assert_eq!(found, lifetime, "{millis} ms");
        }
    }
}
