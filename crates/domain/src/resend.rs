//! Asking for the mail again: the same code while it has life enough, then a new one.

use crate::session::deadline;
use crate::{ExpiryCause, Pending, ResendPolicy, Session, Standing, State, Timestamp, Transition};

/// A session is not resent in the last seconds before its hard end: nobody could still answer.
const LAST_CALL_SECS: u32 = 30;

/// What became of a resend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resend {
    /// The code in force is mailed again.
    Repeat,
    /// A new code is mailed; the old one is dead from this commit on.
    Renew,
    /// The last mail is too recent.
    Wait {
        /// The first instant at which a resend is taken.
        until: Timestamp,
    },
    /// The session is resent no more.
    Refuse(Refusal),
}

/// Why a session is resent no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It was verified.
    Verified,
    /// Its attempts are used up, or its hard end is near or past.
    Ended,
    /// Its address is on hold until an administrator releases it.
    OnHold,
    /// It was resent as often as its terms allow.
    CapReached,
}

impl Session {
    /// Judges a resend at `now`, while its address has this `standing`. Attempts used are kept in
    /// every case.
    pub fn resend(mut self, standing: Standing, now: Timestamp) -> Transition<Resend> {
        let pending = match self.state {
            State::Verified { .. } => return self.with(Resend::Refuse(Refusal::Verified)),
            State::Expired {
                cause: ExpiryCause::AttemptsExhausted | ExpiryCause::HardEndReached,
                ..
            } => return self.with(Resend::Refuse(Refusal::Ended)),
            State::Pending(pending) => pending,
        };
        let terms = self.terms.record();
        if self.attempts >= self.attempts_max(standing) {
            let closed = self.expire(now, ExpiryCause::AttemptsExhausted);
            return closed.with(Resend::Refuse(Refusal::Ended));
        }
        if now > self.hard_end.minus_secs(LAST_CALL_SECS) {
            return self
                .close_at_hard_end(now)
                .with(Resend::Refuse(Refusal::Ended));
        }
        if standing.is_on_hold() {
            return self.with(Resend::Refuse(Refusal::OnHold));
        }
        if pending.resends >= terms.resends_max {
            return self.with(Resend::Refuse(Refusal::CapReached));
        }
        let until = pending.mailed_at.plus_secs(terms.cooldown_secs);
        if now < until {
            return self.with(Resend::Wait { until });
        }
        let outlives = pending
            .code_issued_at
            .plus_secs(terms.code_lifetime_max_secs);
        let can_repeat = terms.resend == ResendPolicy::Repeat
            && now < self.expires_at
            && now.plus_secs(terms.lifetime_secs) <= outlives;
        let again = Pending {
            resends: pending.resends + 1,
            mailed_at: now,
            ..pending
        };
        let (next, outcome) = if can_repeat {
            (again, Resend::Repeat)
        } else {
            let generation = pending.generation + 1;
            (
                Pending {
                    generation,
                    code_issued_at: now,
                    ..again
                },
                Resend::Renew,
            )
        };
        self.state = State::Pending(next);
        self.expires_at = deadline(now, &self.terms, self.hard_end);
        self.with(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::tests::{NOON, default_terms, open};
    use crate::{Binding, Candidate, Code, Submission, Terms, TermsRecord, Verdict};
    use core::convert::Infallible;
    use proptest::prelude::*;

    #[test]
    fn the_code_stays_while_it_can_live_another_lifetime() {
        let session = open(default_terms(), NOON);
        let repeat = session.resend(Standing::default(), NOON.plus_secs(299));
        assert_eq!(repeat.outcome, Resend::Repeat);
        assert_eq!(repeat.session.expires_at(), NOON.plus_secs(599));

        let renew = repeat
            .session
            .resend(Standing::default(), NOON.plus_secs(329));
        assert_eq!(renew.outcome, Resend::Renew);
        assert_eq!(renew.session.pending().unwrap().generation(), 1);
        assert_eq!(renew.session.expires_at(), NOON.plus_secs(629));
    }

    #[test]
    fn a_code_that_expired_is_never_repeated() {
        let terms = TermsRecord {
            code_lifetime_max_secs: 6000,
            ..default_terms()
        };
        let session = open(terms, NOON);
        let renew = session.resend(Standing::default(), NOON.plus_secs(300));
        assert_eq!(renew.outcome, Resend::Renew);
    }

    #[test]
    fn a_project_can_ask_for_a_new_code_each_time() {
        let terms = TermsRecord {
            resend: ResendPolicy::Renew,
            ..default_terms()
        };
        assert_eq!(
            open(terms, NOON)
                .resend(Standing::default(), NOON.plus_secs(30))
                .outcome,
            Resend::Renew
        );
    }

    #[test]
    fn the_cooldown_is_told_and_costs_nothing() {
        let session = open(default_terms(), NOON);
        let early = session
            .clone()
            .resend(Standing::default(), NOON.plus_secs(29));
        assert_eq!(
            early.outcome,
            Resend::Wait {
                until: NOON.plus_secs(30)
            }
        );
        assert_eq!(early.session, session);
        assert_eq!(
            session
                .resend(Standing::default(), NOON.plus_secs(30))
                .outcome,
            Resend::Repeat
        );
    }

    #[test]
    fn resends_are_capped() {
        let mut session = open(default_terms(), NOON);
        for time in 1..=4 {
            let resent = session.resend(Standing::default(), NOON.plus_secs(30 * time));
            assert!(matches!(resent.outcome, Resend::Repeat), "{time}");
            session = resent.session;
        }
        let fifth = session
            .clone()
            .resend(Standing::default(), NOON.plus_secs(150));
        assert_eq!(fifth.outcome, Resend::Refuse(Refusal::CapReached));
        assert_eq!(fifth.session, session);
    }

    #[test]
    fn the_last_call_is_half_a_minute_before_the_hard_end() {
        let session = open(default_terms(), NOON);
        let last = session
            .clone()
            .resend(Standing::default(), NOON.plus_secs(1770));
        assert_eq!(last.outcome, Resend::Renew);
        assert_eq!(last.session.expires_at(), session.hard_end());

        let late = Timestamp::from_millis(NOON.plus_secs(1770).as_millis() + 1);
        assert_eq!(
            session.clone().resend(Standing::default(), late).outcome,
            Resend::Refuse(Refusal::Ended)
        );

        let over = session
            .clone()
            .resend(Standing::default(), session.hard_end());
        assert_eq!(over.outcome, Resend::Refuse(Refusal::Ended));
        assert!(over.session.pending().is_none());
    }

    #[derive(Clone, Debug)]
    enum Step {
        Wait(u32),
        Resend,
        Guess(Option<u32>),
    }

    fn steps() -> impl Strategy<Value = alloc::vec::Vec<Step>> {
        let step = prop_oneof![
            (0_u32..700).prop_map(Step::Wait),
            Just(Step::Resend),
            proptest::option::of(0_u32..4).prop_map(Step::Guess),
        ];
        proptest::collection::vec(step, 1..40)
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "the form in which a session asks for its code"
    )]
    fn code_of(generation: u32) -> Result<Code, Infallible> {
        Ok(Code::from_number(
            u64::from(generation) + 1,
            crate::CodeLength::DEFAULT,
        ))
    }

    proptest! {
        /// After a resend: attempts unchanged; a renewed code's predecessor never works; a
        /// repeated one always does, while its session can be answered.
        #[test]
        fn at_no_time_do_two_codes_work(
            steps in steps(),
            lifetime_secs in 30_u32..3600,
            cooldown_secs in 0_u32..60,
            attempts_max in 1_u8..=10,
            renews: bool,
        ) {
            let resend = if renews { ResendPolicy::Renew } else { ResendPolicy::Repeat };
            let terms = TermsRecord {
                lifetime_secs, attempts_max, cooldown_secs, resend, ..default_terms()
            };
            let mut session = open(terms, NOON);
            let mut now = NOON;
            let mut judged = 0;
            for step in steps {
                let before = session.clone();
                let generation = before.pending().map(Pending::generation);
                match step {
                    Step::Wait(secs) => now = now.plus_secs(secs),
                    Step::Resend => {
                        let resent = session.resend(Standing::default(), now);
                        session = resent.session;
                        prop_assert_eq!(session.attempts(), before.attempts());
                        let next = session.pending().map(Pending::generation);
                        match resent.outcome {
                            Resend::Repeat => {
                                prop_assert_eq!(next, generation);
                                prop_assert!(now < before.expires_at());
                            }
                            Resend::Renew => {
                                prop_assert_eq!(next, generation.map(|g| g + 1));
                            }
                            Resend::Wait { .. } => prop_assert_eq!(&session, &before),
                            Resend::Refuse(_) => prop_assert_eq!(next.and(generation), next),
                        }
                        prop_assert!(session.expires_at() <= session.hard_end());
                    }
                    Step::Guess(guess) => {
                        let typed = guess.map_or(Code::from_number(999_999, Terms::new(terms)
                            .unwrap().code_length()), |g| code_of(g).unwrap());
                        let submission = Submission {
                            candidate: Candidate::normalise(typed.reveal()),
                            binding: Binding::Holds,
                        };
                        let Ok(submitted) = session.submit(&submission, Standing::default(), now, code_of);
                        session = submitted.session;
                        let in_force = generation.is_some()
                            && generation == guess
                            && now < before.expires_at();
                        prop_assert_eq!(submitted.outcome == Verdict::Verified, in_force);
                        if session.attempts() != before.attempts() {
                            judged += 1;
                        }
                    }
                }
                prop_assert_eq!(session.attempts(), judged);
                prop_assert!(judged <= attempts_max);
                prop_assert_eq!(Session::restore(&session.record()), Ok(session.clone()));
            }
        }
    }
}
