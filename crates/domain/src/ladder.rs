//! The ladder: the more wrong guesses an address has seen since its last success, the fewer its
//! sessions judge, across sessions, projects and nodes.

/// What is asked of an address with many failures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Every session keeps at least one guess, so that nobody is locked out for long.
    #[default]
    Standard,
    /// From [`HOLD_FAILURES`] on the address is on hold until an administrator releases it
    /// (NIST SP 800-63B-4, 3.2.2: no more than 100 consecutive failures).
    Strict,
}

/// Failures since the last success from which a session judges 3 guesses.
pub const NARROW_FAILURES: u32 = 10;
/// Failures since the last success from which a session judges 1 guess.
pub const SINGLE_FAILURES: u32 = 50;
/// Failures since the last success from which the strict profile puts an address on hold.
pub const HOLD_FAILURES: u32 = 100;

/// How an address stands when a submission is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    failures: u32,
    profile: Profile,
    single_guess: bool,
    is_last_failure: bool,
}

impl Standing {
    /// An address with `failures` since its last success.
    #[must_use]
    pub const fn new(failures: u32, profile: Profile) -> Self {
        Self {
            failures,
            profile,
            single_guess: false,
            is_last_failure: false,
        }
    }

    /// The same standing, where the project has used up its failures of the day: every session
    /// has one guess.
    #[must_use]
    pub const fn with_single_guess(self) -> Self {
        Self {
            single_guess: true,
            ..self
        }
    }

    /// The same standing, where one more failure uses up those of the project.
    #[must_use]
    pub const fn with_last_failure(self) -> Self {
        Self {
            is_last_failure: true,
            ..self
        }
    }

    /// The standing once one more guess was wrong.
    #[must_use]
    pub const fn after_failure(self) -> Self {
        Self {
            failures: self.failures.saturating_add(1),
            single_guess: self.single_guess || self.is_last_failure,
            ..self
        }
    }

    /// Failures since the last success.
    #[must_use]
    pub const fn failures(self) -> u32 {
        self.failures
    }

    /// Whether the next failure uses up those of the project.
    #[must_use]
    pub const fn is_last_failure(self) -> bool {
        self.is_last_failure
    }

    /// Whether only an administrator can let the address go on.
    #[must_use]
    pub fn is_on_hold(self) -> bool {
        self.profile == Profile::Strict && self.failures >= HOLD_FAILURES
    }

    /// The bound in force: what the session was opened with, or what the ladder leaves of it. A
    /// session that was not tried yet always has one guess.
    #[must_use]
    pub fn attempts_max(self, of_session: u8) -> u8 {
        let of_ladder = match self.failures {
            _ if self.single_guess => 1,
            0..NARROW_FAILURES => u8::MAX,
            NARROW_FAILURES..SINGLE_FAILURES => 3,
            SINGLE_FAILURES.. => 1,
        };
        of_session.min(of_ladder).max(1)
    }
}

/// An address that nothing is held against.
impl Default for Standing {
    fn default() -> Self {
        Self::new(0, Profile::Standard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_narrow_what_a_session_judges() {
        for (failures, attempts) in [(0, 5), (9, 5), (10, 3), (49, 3), (50, 1), (u32::MAX, 1)] {
            let standing = Standing::new(failures, Profile::Standard);
            assert_eq!(standing.attempts_max(5), attempts, "{failures}");
            assert_eq!(standing.attempts_max(2), attempts.min(2), "{failures}");
            assert!(!standing.is_on_hold(), "{failures}");
        }
    }

    #[test]
    fn only_the_strict_profile_holds() {
        assert!(!Standing::new(99, Profile::Strict).is_on_hold());
        assert!(Standing::new(100, Profile::Strict).is_on_hold());
    }

    #[test]
    fn a_project_past_its_failures_has_single_guesses() {
        let standing = Standing::default().with_single_guess();
        assert_eq!(standing.attempts_max(5), 1);
        let last = Standing::default().with_last_failure();
        assert_eq!(last.attempts_max(5), 5);
        assert_eq!(last.after_failure().attempts_max(5), 1);
    }
}
