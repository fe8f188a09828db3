//! Judging what came back.

use otpost_domain::{Address, Candidate, SessionId, TemplateName, Verdict};
use otpost_ports::{Action, Applied, Command, Outcome, Quotas, Submitted};

use crate::{Caller, Limited, Metered, Otp, ServiceError};

/// What a caller submits.
#[derive(Clone, Debug)]
pub struct VerifyRequest {
    /// The session.
    pub session_id: SessionId,
    /// What the person typed.
    pub candidate: Candidate,
    /// The address that the caller expects to confirm.
    pub email: Option<Address>,
    /// The purpose that the caller expects.
    pub template: Option<TemplateName>,
}

/// The answer, committed before it was given.
#[derive(Clone, Debug)]
pub enum VerifyAnswer {
    /// The right code: the person controls this address.
    Verified {
        /// The address that the mail went to.
        email: Address,
    },
    /// A limit is reached; nothing was judged.
    Limited(Limited),
    /// No session of this caller has this identifier.
    NotFound,
    /// The code is not accepted; any verdict but [`Verdict::Verified`].
    Refused(Verdict),
}

impl Otp {
    /// Judges a code; a judged one is an attempt, and committed before this returns.
    ///
    /// # Errors
    ///
    /// [`ServiceError`]: never a success, and either nothing was judged or it was counted.
    pub async fn verify(
        &self,
        caller: &Caller,
        request: VerifyRequest,
    ) -> Result<Metered<VerifyAnswer>, ServiceError> {
        let VerifyRequest {
            session_id,
            candidate,
            email,
            template,
        } = request;
        let action = Action::Submit(Submitted {
            candidate,
            email,
            template,
        });
        let policy = self.policies.of(&caller.owner.project);
        let quotas = caller.live(|project| policy.limits.of_verification(project, policy.profile));
        let judged = match self.apply(caller, &session_id, action, quotas).await? {
            Applied::Limited(limited) => return Ok(Metered::free(VerifyAnswer::Limited(limited))),
            Applied::NotFound => return Ok(Metered::free(VerifyAnswer::NotFound)),
            Applied::Judged(judged) => *judged,
        };
        let answer = match judged.outcome {
            Outcome::Submitted(Verdict::Verified) => {
                let sealed = &judged.stored.context.address;
                let email = self.ports.vault.open_address(&session_id, sealed)?;
                VerifyAnswer::Verified { email }
            }
            Outcome::Submitted(verdict) => VerifyAnswer::Refused(verdict),
            Outcome::Resent(_) => return Err(foreign_outcome()),
        };
        let counted = judged.counted;
        Ok(Metered { answer, counted })
    }

    /// Commits a command to a session of `caller` that is still retained.
    pub(crate) async fn apply(
        &self,
        caller: &Caller,
        id: &SessionId,
        action: Action,
        quotas: Option<Quotas>,
    ) -> Result<Applied, ServiceError> {
        let command = Command {
            owner: caller.owner.clone(),
            at: self.ports.clock.now(),
            action,
            quotas,
        };
        Ok(match self.ports.sessions.apply(id, command).await? {
            Applied::Judged(judged) if !self.is_retained(&judged.stored) => Applied::NotFound,
            applied => applied,
        })
    }
}

/// A store answered another command than it was given.
pub(crate) fn foreign_outcome() -> ServiceError {
    ServiceError::Broken("the store answered another command".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mocks::{Bench, caller, stored, unavailable};
    use otpost_domain::Mode;
    use otpost_ports::{Judged, StoredSession};
    use otpost_testkit::{FakeVault, sample};

    fn request(session_id: SessionId) -> VerifyRequest {
        VerifyRequest {
            session_id,
            candidate: Candidate::normalise("123456"),
            email: None,
            template: None,
        }
    }

    async fn verify(
        answered: impl Fn(StoredSession) -> Applied + Send + 'static,
        now_secs: u32,
    ) -> Result<VerifyAnswer, ServiceError> {
        let mut bench = Bench::new();
        bench.clock.advance(now_secs);
        let stored = stored(&bench.vault);
        let id = *stored.session.id();
        bench
            .sessions
            .expect_apply()
            .once()
            .withf(move |asked, command| *asked == id && command.owner == sample::owner())
            .return_once(move |_, _| Ok(answered(stored)));
        let verified = bench.otp().verify(&caller(Mode::Live), request(id)).await;
        verified.map(|metered| metered.answer)
    }

    fn with(outcome: Outcome) -> impl Fn(StoredSession) -> Applied {
        move |stored| {
            Applied::Judged(Box::new(Judged {
                stored,
                outcome,
                counted: vec![],
            }))
        }
    }

    #[tokio::test]
    async fn the_right_code_tells_the_address() {
        let answer = verify(with(Outcome::Submitted(Verdict::Verified)), 0).await;
        let Ok(VerifyAnswer::Verified { email }) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(email, sample::address());
    }

    #[tokio::test]
    async fn any_other_verdict_is_handed_on() {
        let wrong = Verdict::WrongCode {
            attempts_remaining: 3,
        };
        let answer = verify(with(Outcome::Submitted(wrong)), 0).await;
        assert!(
            matches!(answer, Ok(VerifyAnswer::Refused(verdict)) if verdict == wrong),
            "{answer:?}"
        );
    }

    #[tokio::test]
    async fn a_session_is_unknown_when_there_is_none_or_its_retention_is_over() {
        let none = verify(|_| Applied::NotFound, 0).await;
        assert!(matches!(none, Ok(VerifyAnswer::NotFound)), "{none:?}");

        let day_after_hard_end = 1800 + 86_400;
        let expired = || with(Outcome::Submitted(Verdict::Expired));
        let last = verify(expired(), day_after_hard_end - 1).await;
        assert!(matches!(last, Ok(VerifyAnswer::Refused(_))), "{last:?}");
        let over = verify(expired(), day_after_hard_end).await;
        assert!(matches!(over, Ok(VerifyAnswer::NotFound)), "{over:?}");
    }

    #[tokio::test]
    async fn a_store_that_is_away_verifies_nothing() {
        let mut bench = Bench::new();
        let id = *stored(&FakeVault::new()).session.id();
        bench
            .sessions
            .expect_apply()
            .return_once(|_, _| Err(unavailable()));
        let refused = bench.otp().verify(&caller(Mode::Live), request(id)).await;
        assert!(matches!(refused, Err(ServiceError::Unavailable(_))));
    }

    #[tokio::test]
    async fn the_answer_to_another_command_is_no_success() {
        use otpost_domain::Resend;
        let foreign = verify(with(Outcome::Resent(Resend::Repeat)), 0).await;
        assert!(
            matches!(foreign, Err(ServiceError::Broken(_))),
            "{foreign:?}"
        );
    }
}
