//! Submitting a code: what counts as a guess, and what it does to the session.

use crate::{Candidate, Code, ExpiryCause, Session, Standing, State, Timestamp, Transition};

/// What a caller submits.
#[derive(Clone, Debug)]
pub struct Submission {
    /// What the person typed.
    pub candidate: Candidate,
    /// Whether what the caller said of the session is true of it.
    pub binding: Binding,
}

/// Whether address and purpose, where the caller named them, are the session's: a code for a
/// signup must not confirm a reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// They are, or nothing was said.
    Holds,
    /// They are not.
    Broken,
}

/// What became of a submission; the first that applies, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The session was verified before; also for the right code.
    AlreadyVerified,
    /// Every guess is used; also for the right code.
    TooManyAttempts,
    /// The code came too late.
    Expired,
    /// The address is on hold until an administrator releases it.
    OnHold,
    /// No code of the session's length. It was not counted.
    Malformed {
        /// Guesses left.
        attempts_remaining: u8,
    },
    /// The caller spoke of another address or purpose. It was counted, and the code not looked at.
    Mismatch {
        /// Guesses left.
        attempts_remaining: u8,
    },
    /// A wrong code. It was counted.
    WrongCode {
        /// Guesses left.
        attempts_remaining: u8,
    },
    /// The right code. It was counted.
    Verified,
}

impl Session {
    /// Judges a submission at `now`: first the state, then the form, then the code.
    ///
    /// `standing` is that of the session's address at this instant, so that sessions opened
    /// beforehand do not help. `expected` derives the code of a generation, and is asked only
    /// when it is needed. A session that reaches its bound, or is found beyond it, is closed.
    ///
    /// # Errors
    ///
    /// Those of `expected`. The session is then unchanged: nothing was judged.
    pub fn submit<E>(
        mut self,
        submission: &Submission,
        standing: Standing,
        now: Timestamp,
        expected: impl FnOnce(u32) -> Result<Code, E>,
    ) -> Result<Transition<Verdict>, E> {
        let pending = match self.state {
            State::Verified { .. } => return Ok(self.with(Verdict::AlreadyVerified)),
            State::Expired {
                cause: ExpiryCause::AttemptsExhausted,
                ..
            } => {
                return Ok(self.with(Verdict::TooManyAttempts));
            }
            State::Expired {
                cause: ExpiryCause::HardEndReached,
                ..
            } => {
                return Ok(self.with(Verdict::Expired));
            }
            State::Pending(pending) => pending,
        };
        let bound = self.attempts_max(standing);
        if self.attempts >= bound {
            let closed = self.expire(now, ExpiryCause::AttemptsExhausted);
            return Ok(closed.with(Verdict::TooManyAttempts));
        }
        if now >= self.expires_at {
            return Ok(self.close_at_hard_end(now).with(Verdict::Expired));
        }
        if standing.is_on_hold() {
            return Ok(self.with(Verdict::OnHold));
        }
        let Some(candidate) = submission.candidate.of_length(self.terms.code_length()) else {
            let attempts_remaining = bound - self.attempts;
            return Ok(self.with(Verdict::Malformed { attempts_remaining }));
        };
        let is_right = match submission.binding {
            Binding::Holds => expected(pending.generation)?.matches(candidate),
            Binding::Broken => false,
        };
        self.attempts += 1;
        if is_right {
            self.state = State::Verified { at: now };
            return Ok(self.with(Verdict::Verified));
        }
        // This failure counts already: the guess that reaches the bound closes the session.
        let bound = self.attempts_max(standing.after_failure());
        let attempts_remaining = bound.saturating_sub(self.attempts);
        let session = match attempts_remaining {
            0 => self.expire(now, ExpiryCause::AttemptsExhausted),
            _ => self,
        };
        Ok(session.with(match submission.binding {
            Binding::Holds => Verdict::WrongCode { attempts_remaining },
            Binding::Broken => Verdict::Mismatch { attempts_remaining },
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::tests::{NOON, default_terms, open};
    use crate::{HOLD_FAILURES, Profile, Status, TermsRecord};
    use core::convert::Infallible;

    const RIGHT: &str = "160351";
    const WRONG: &str = "000000";

    fn submit(session: Session, typed: &str, now: Timestamp) -> Transition<Verdict> {
        submit_bound(session, typed, Binding::Holds, now)
    }

    fn submit_bound(
        session: Session,
        typed: &str,
        binding: Binding,
        now: Timestamp,
    ) -> Transition<Verdict> {
        let submission = Submission {
            candidate: Candidate::normalise(typed),
            binding,
        };
        let code = |_| Ok::<_, Infallible>(Code::parse(RIGHT).unwrap());
        let Ok(transition) = session.submit(&submission, Standing::default(), now, code);
        transition
    }

    #[test]
    fn the_right_code_verifies_once() {
        let first = submit(open(default_terms(), NOON), RIGHT, NOON);
        assert_eq!(first.outcome, Verdict::Verified);
        assert_eq!(
            first.session.status(Standing::default(), NOON),
            Status::Verified
        );
        assert_eq!(first.session.attempts(), 1);

        let second = submit(first.session.clone(), RIGHT, NOON);
        assert_eq!(second.outcome, Verdict::AlreadyVerified);
        assert_eq!(second.session, first.session);
    }

    #[test]
    fn the_right_code_on_the_last_attempt_succeeds() {
        let mut session = open(default_terms(), NOON);
        for remaining in (1..=4).rev() {
            let wrong = submit(session, WRONG, NOON);
            assert_eq!(
                wrong.outcome,
                Verdict::WrongCode {
                    attempts_remaining: remaining
                }
            );
            session = wrong.session;
        }
        assert_eq!(submit(session, RIGHT, NOON).outcome, Verdict::Verified);
    }

    #[test]
    fn used_up_attempts_refuse_the_right_code() {
        let mut session = open(default_terms(), NOON);
        for _ in 0..5 {
            session = submit(session, WRONG, NOON).session;
        }
        assert_eq!(session.status(Standing::default(), NOON), Status::Expired);

        let late = submit(session.clone(), RIGHT, NOON);
        assert_eq!(late.outcome, Verdict::TooManyAttempts);
        assert_eq!(late.session, session);
    }

    #[test]
    fn an_expired_session_counts_nothing() {
        let session = open(default_terms(), NOON);
        let expires_at = session.expires_at();

        let late = submit(session.clone(), RIGHT, expires_at);
        assert_eq!(late.outcome, Verdict::Expired);
        assert_eq!(late.session, session);

        let over = submit(session.clone(), RIGHT, session.hard_end());
        assert_eq!(over.outcome, Verdict::Expired);
        assert!(over.session.pending().is_none());
        assert_eq!(submit(over.session, RIGHT, NOON).outcome, Verdict::Expired);
    }

    #[test]
    fn what_is_no_code_is_no_attempt() {
        let session = open(default_terms(), NOON);
        for typed in ["", "12345", "1234567", "abcdef"] {
            let malformed = submit(session.clone(), typed, NOON);
            assert_eq!(
                malformed.outcome,
                Verdict::Malformed {
                    attempts_remaining: 5
                }
            );
            assert_eq!(malformed.session, session, "{typed}");
        }
    }

    #[test]
    fn a_mismatch_is_an_attempt_even_with_the_right_code() {
        let session = open(default_terms(), NOON);
        let mismatch = submit_bound(session, RIGHT, Binding::Broken, NOON);
        assert_eq!(
            mismatch.outcome,
            Verdict::Mismatch {
                attempts_remaining: 4
            }
        );
        assert_eq!(
            mismatch.session.status(Standing::default(), NOON),
            Status::Pending
        );
    }

    #[test]
    fn a_code_that_cannot_be_derived_judges_nothing() {
        let session = open(default_terms(), NOON);
        let submission = Submission {
            candidate: Candidate::normalise(RIGHT),
            binding: Binding::Holds,
        };
        assert_eq!(
            session.submit(&submission, Standing::default(), NOON, |_| Err(
                "unknown key"
            )),
            Err("unknown key")
        );
    }

    #[test]
    fn one_attempt_is_the_least_a_session_can_have() {
        let session = open(
            TermsRecord {
                attempts_max: 1,
                ..default_terms()
            },
            NOON,
        );
        let wrong = submit(session, WRONG, NOON);
        assert_eq!(
            wrong.outcome,
            Verdict::WrongCode {
                attempts_remaining: 0
            }
        );
        assert_eq!(
            submit(wrong.session, RIGHT, NOON).outcome,
            Verdict::TooManyAttempts
        );
    }

    fn submit_at(session: Session, typed: &str, standing: Standing) -> Transition<Verdict> {
        let candidate = Candidate::normalise(typed);
        let submission = Submission {
            candidate,
            binding: Binding::Holds,
        };
        let code = |_| Ok::<_, Infallible>(Code::parse(RIGHT).unwrap());
        let Ok(transition) = session.submit(&submission, standing, NOON, code);
        transition
    }

    #[test]
    fn the_ladder_binds_sessions_that_were_opened_before() {
        let narrow = Standing::new(10, Profile::Standard);
        let mut session = open(default_terms(), NOON);
        for attempts_remaining in [2, 1, 0] {
            let wrong = submit_at(session, WRONG, narrow);
            assert_eq!(wrong.outcome, Verdict::WrongCode { attempts_remaining });
            session = wrong.session;
        }
        let late = submit_at(session, RIGHT, Standing::default());
        assert_eq!(late.outcome, Verdict::TooManyAttempts);
    }

    #[test]
    fn a_session_found_beyond_the_ladder_is_closed() {
        let mut session = open(default_terms(), NOON);
        for _ in 0..3 {
            session = submit_at(session, WRONG, Standing::default()).session;
        }
        let narrow = Standing::new(10, Profile::Standard);
        assert_eq!(session.status(narrow, NOON), Status::Expired);

        let found = submit_at(session, RIGHT, narrow);
        assert_eq!(found.outcome, Verdict::TooManyAttempts);
        assert!(found.session.pending().is_none());
        assert_eq!(Session::restore(&found.session.record()), Ok(found.session));
    }

    #[test]
    fn a_failure_that_narrows_the_bound_closes_the_session_that_reaches_it() {
        let mut session = open(default_terms(), NOON);
        for failures in [7, 8] {
            let standing = Standing::new(failures, Profile::Standard);
            session = submit_at(session, WRONG, standing).session;
        }
        let tenth = submit_at(session, WRONG, Standing::new(9, Profile::Standard));
        assert_eq!(
            tenth.outcome,
            Verdict::WrongCode {
                attempts_remaining: 0
            }
        );
        assert!(tenth.session.pending().is_none());
    }

    #[test]
    fn an_untried_session_always_has_one_guess() {
        let single = Standing::new(5_000, Profile::Standard);
        let verified = submit_at(open(default_terms(), NOON), RIGHT, single);
        assert_eq!(verified.outcome, Verdict::Verified);
    }

    #[test]
    fn an_address_on_hold_is_not_judged() {
        let hold = Standing::new(HOLD_FAILURES, Profile::Strict);
        let session = open(default_terms(), NOON);
        for typed in [RIGHT, WRONG, "no code"] {
            let judged = submit_at(session.clone(), typed, hold);
            assert_eq!(judged.outcome, Verdict::OnHold);
            assert_eq!(judged.session, session, "{typed}");
        }
    }
}
