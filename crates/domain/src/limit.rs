//! Rate arithmetic: the generic cell rate algorithm (GCRA), in whole microseconds.
//!
//! A limit of N per window admits at most N at once and at most 2N − 1 within any window: a full
//! burst, and what refills while it passes.

use core::time::Duration;

use crate::Timestamp;

/// At most `quota` within `window_secs`; a quota of 0 is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    quota: u32,
    window_secs: u32,
}

/// What one subject has used of one limit. The default is untouched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bucket {
    /// The theoretical arrival time: when all that was admitted is paid back, in microseconds
    /// since the Unix epoch.
    paid_at: i64,
}

/// Whether one more is admitted.
#[must_use = "a bucket that is not kept has charged nothing"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is, and this is the bucket from now on.
    Admitted(Bucket),
    /// It is not, and the bucket stays as it was.
    Wait(Duration),
}

/// How a limit stands, for the `RateLimit` header field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// How many more are admitted at once.
    pub remaining: u32,
    /// Seconds until all of the quota is there again, rounded up.
    pub full_in_secs: u32,
}

impl Limit {
    /// The longest window: a day.
    pub const WINDOW_SECS_MAX: u32 = 86_400;
    /// The largest quota: one a microsecond is the finest that the arithmetic knows.
    pub const QUOTA_MAX: u32 = 1_000_000;

    /// At most `quota` within `window_secs`, both cut to their bounds; a window has at least a
    /// second.
    #[must_use]
    pub const fn new(quota: u32, window_secs: u32) -> Self {
        let quota = if quota > Self::QUOTA_MAX {
            Self::QUOTA_MAX
        } else {
            quota
        };
        let window_secs = match window_secs {
            0 => 1,
            secs if secs > Self::WINDOW_SECS_MAX => Self::WINDOW_SECS_MAX,
            secs => secs,
        };
        Self { quota, window_secs }
    }

    /// How many within a window; 0 for no limit.
    #[must_use]
    pub const fn quota(self) -> u32 {
        self.quota
    }

    /// The window in seconds.
    #[must_use]
    pub const fn window_secs(self) -> u32 {
        self.window_secs
    }

    /// Whether it limits nothing.
    #[must_use]
    pub const fn is_off(self) -> bool {
        self.quota == 0
    }

    /// The same limit with `times` the quota.
    #[must_use]
    pub const fn times(self, times: u32) -> Self {
        Self::new(self.quota.saturating_mul(times), self.window_secs)
    }

    /// Judges one more at `now`.
    pub fn admit(self, bucket: Bucket, now: Timestamp) -> Admission {
        if self.is_off() {
            return Admission::Admitted(bucket);
        }
        let now = micros(now);
        let paid_at = self.owed_until(bucket, now) + self.emission();
        let excess = paid_at - now - self.burst();
        if excess <= 0 {
            Admission::Admitted(Bucket { paid_at })
        } else {
            Admission::Wait(Duration::from_micros(excess.unsigned_abs()))
        }
    }

    /// Gives back `tenths` of one that was admitted, at most down to an untouched bucket.
    #[must_use]
    pub fn give_back(self, bucket: Bucket, tenths: u32, now: Timestamp) -> Bucket {
        if self.is_off() {
            return bucket;
        }
        let now = micros(now);
        let back = self.emission() * i64::from(tenths) / 10;
        Bucket {
            paid_at: (self.owed_until(bucket, now) - back).max(now),
        }
    }

    /// How the limit stands at `now`.
    #[must_use]
    pub fn allowance(self, bucket: Bucket, now: Timestamp) -> Allowance {
        if self.is_off() {
            return Allowance {
                remaining: u32::MAX,
                full_in_secs: 0,
            };
        }
        let now = micros(now);
        let owed = self.owed_until(bucket, now) - now;
        let remaining = (self.burst() - owed).max(0) / self.emission();
        let full_in_secs = (owed + MICROS_PER_SEC - 1) / MICROS_PER_SEC;
        Allowance {
            remaining: u32::try_from(remaining).unwrap_or(u32::MAX),
            full_in_secs: u32::try_from(full_in_secs).unwrap_or(u32::MAX),
        }
    }

    /// When what is owed is paid back: never in the past, and never further ahead than a full
    /// burst, so that a clock that jumped ahead and came back heals within one window.
    fn owed_until(self, bucket: Bucket, now: i64) -> i64 {
        bucket.paid_at.min(now + self.burst()).max(now)
    }

    /// Microseconds that pay one back; at least one, for the quota is bounded.
    fn emission(self) -> i64 {
        self.window() / i64::from(self.quota.max(1))
    }

    /// What a full quota owes.
    fn burst(self) -> i64 {
        self.emission() * i64::from(self.quota)
    }

    fn window(self) -> i64 {
        i64::from(self.window_secs) * MICROS_PER_SEC
    }
}

impl Bucket {
    /// The bucket that was kept as this number.
    #[must_use]
    pub const fn from_micros(paid_at: i64) -> Self {
        Self { paid_at }
    }

    /// The bucket as a number to keep: microseconds since the Unix epoch, 0 when untouched.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.paid_at
    }
}

const MICROS_PER_SEC: i64 = 1_000_000;

fn micros(now: Timestamp) -> i64 {
    now.as_millis().saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::tests::NOON;
    use proptest::prelude::*;

    const FIVE_IN_TEN_MINUTES: Limit = Limit::new(5, 600);

    fn use_up(limit: Limit, bucket: &mut Bucket, now: Timestamp) -> u32 {
        let mut admitted = 0;
        while let Admission::Admitted(next) = limit.admit(*bucket, now) {
            *bucket = next;
            admitted += 1;
        }
        admitted
    }

    #[test]
    fn a_burst_is_the_quota_and_no_more() {
        let mut bucket = Bucket::default();
        assert_eq!(use_up(FIVE_IN_TEN_MINUTES, &mut bucket, NOON), 5);
        let wait = FIVE_IN_TEN_MINUTES.admit(bucket, NOON);
        assert_eq!(wait, Admission::Wait(Duration::from_secs(120)));
        assert_eq!(
            use_up(FIVE_IN_TEN_MINUTES, &mut bucket, NOON.plus_secs(119)),
            0
        );
        assert_eq!(
            use_up(FIVE_IN_TEN_MINUTES, &mut bucket, NOON.plus_secs(120)),
            1
        );
        assert_eq!(
            use_up(FIVE_IN_TEN_MINUTES, &mut bucket, NOON.plus_secs(720)),
            5
        );
    }

    #[test]
    fn a_quota_of_nothing_limits_nothing() {
        let off = Limit::new(0, 60);
        let bucket = Bucket::from_micros(7);
        assert_eq!(off.admit(bucket, NOON), Admission::Admitted(bucket));
    }

    #[test]
    fn a_clock_that_jumped_ahead_heals_within_the_burst() {
        let mut bucket = Bucket::default();
        use_up(FIVE_IN_TEN_MINUTES, &mut bucket, NOON.plus_secs(86_400));
        assert_eq!(use_up(FIVE_IN_TEN_MINUTES, &mut bucket, NOON), 0);
        assert_eq!(
            FIVE_IN_TEN_MINUTES.admit(bucket, NOON),
            Admission::Wait(Duration::from_secs(120))
        );
    }

    #[test]
    fn a_success_gives_a_fifth_of_a_failure_back() {
        let limit = Limit::new(10, 100);
        let mut bucket = Bucket::default();
        use_up(limit, &mut bucket, NOON);
        for _ in 0..4 {
            bucket = limit.give_back(bucket, 2, NOON);
            assert!(matches!(limit.admit(bucket, NOON), Admission::Wait(_)));
        }
        bucket = limit.give_back(bucket, 2, NOON);
        assert_eq!(use_up(limit, &mut bucket, NOON), 1);
        let untouched = limit.give_back(Bucket::default(), 10, NOON);
        assert_eq!(use_up(limit, &mut { untouched }, NOON), 10);
    }

    #[test]
    fn the_allowance_tells_what_admit_would_do() {
        let mut bucket = Bucket::default();
        for used in 0..5 {
            let allowance = FIVE_IN_TEN_MINUTES.allowance(bucket, NOON);
            let expected = Allowance {
                remaining: 5 - used,
                full_in_secs: 120 * used,
            };
            assert_eq!(allowance, expected);
            let Admission::Admitted(next) = FIVE_IN_TEN_MINUTES.admit(bucket, NOON) else {
                panic!("refused at {used}");
            };
            bucket = next;
        }
    }

    proptest! {
        /// At most N at once, and at most 2N − 1 within any window.
        #[test]
        fn no_window_admits_two_bursts(
            quota in 1_u32..40,
            window_secs in 1_u32..100,
            gaps in proptest::collection::vec(0_i64..3000, 1..400),
        ) {
            let limit = Limit::new(quota, window_secs);
            let mut bucket = Bucket::default();
            let mut now = NOON.as_millis();
            let mut admitted: alloc::vec::Vec<i64> = alloc::vec::Vec::new();
            for gap in gaps {
                now += gap;
                if let Admission::Admitted(next) = limit.admit(bucket, Timestamp::from_millis(now)) {
                    bucket = next;
                    admitted.push(now);
                }
            }
            let window = i64::from(window_secs) * 1000;
            for (place, start) in admitted.iter().enumerate() {
                let within = admitted[place..].iter().take_while(|at| **at < start + window).count();
                prop_assert!(within < 2 * quota as usize, "{within} of {quota}");
                let at_once = admitted[place..].iter().take_while(|at| *at == start).count();
                prop_assert!(at_once <= quota as usize);
            }
        }
    }
}
