//! Judging what came back.

use otpost_domain::{Address, Candidate, SessionId, TemplateName, Verdict};
use otpost_ports::{Action, Applied, Command, Endpoint, Once, Outcome, Quotas, Said, Submitted};

use crate::error::foreign_outcome;
use crate::{Caller, Idempotency, Limited, Metered, Otp, ServiceError};

/// What a caller submits.
#[derive(Clone, Debug)]
pub struct VerifyRequest {
    /// The session; [`SessionId::NONE`] where the caller named none that can be.
    pub session_id: SessionId,
    /// What the person typed.
    pub candidate: Candidate,
    /// The address that the caller expects to confirm.
    pub email: Option<Address>,
    /// The purpose that the caller expects.
    pub template: Option<TemplateName>,
    /// Whether it is to be carried out once.
    pub idempotency: Option<Idempotency>,
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
    /// Another request came under the same idempotency key; nothing was judged.
    KeyReused,
    /// No session of this caller has this identifier.
    NotFound,
    /// The code is not accepted; any verdict but [`Verdict::Verified`].
    Refused(Verdict),
}

impl Otp {
    /// Judges a code; a judged one is an attempt, and committed before this returns. A request that
    /// came before gets the answer that it got then, and is no attempt.
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
            idempotency,
        } = request;
        let once = self.once(caller, Endpoint::Verify, idempotency.as_ref());
        let action = Action::Submit(Submitted {
            candidate,
            email,
            template,
        });
        let policy = self.policies.of(&caller.owner.project);
        let quotas = caller.live(|project| policy.limits.of_verification(project, policy.profile));
        let command = self.command(caller, action, quotas, once);
        let at = command.at;
        let judged = match self.ports.sessions.apply(&session_id, command).await? {
            Applied::Limited(limited) => return Ok(Metered::free(VerifyAnswer::Limited(limited))),
            Applied::NotFound(counted) => {
                return Ok(Metered::new(VerifyAnswer::NotFound, counted));
            }
            Applied::KeyReused(counted) => {
                return Ok(Metered::new(VerifyAnswer::KeyReused, counted));
            }
            Applied::Replayed(replayed) => {
                return Ok(Metered::replayed(said_again(replayed.said)?));
            }
            Applied::Judged(judged) => *judged,
        };
        if judged.used_up_failures {
            self.alarms.failures_used_up(&caller.owner.project, at);
        }
        let answer = match judged.outcome {
            Outcome::Submitted(Verdict::Verified) => {
                let sealed = &judged.stored.context.address;
                let email = self.ports.vault.open_address(&session_id, sealed)?;
                VerifyAnswer::Verified { email }
            }
            Outcome::Submitted(verdict) => VerifyAnswer::Refused(verdict),
            Outcome::Resent(_) => return Err(foreign_outcome()),
        };
        Ok(Metered::new(answer, judged.counted))
    }

    /// A command of `caller`, as of now.
    pub(crate) fn command(
        &self,
        caller: &Caller,
        action: Action,
        quotas: Option<Quotas>,
        once: Option<Once>,
    ) -> Command {
        Command {
            owner: caller.owner.clone(),
            at: self.now(),
            action,
            quotas,
            once,
        }
    }
}

fn said_again(said: Said) -> Result<VerifyAnswer, ServiceError> {
    match said {
        Said::Verified { email } => Ok(VerifyAnswer::Verified { email }),
        Said::Refused(verdict) => Ok(VerifyAnswer::Refused(verdict)),
        Said::NotFound => Ok(VerifyAnswer::NotFound),
        Said::Mailed { .. } | Said::NotMailed(_) => Err(foreign_outcome()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mocks::{Bench, caller, stored, unavailable};
    use otpost_domain::{Allowance, Limit, Mode};
    use otpost_ports::{Counted, Judged, StoredSession};
    use otpost_testkit::{FakeVault, sample};

    fn request(session_id: SessionId) -> VerifyRequest {
        VerifyRequest {
            session_id,
            candidate: Candidate::normalise("123456"),
            email: None,
            template: None,
            idempotency: None,
        }
    }

    async fn verify(
        answered: impl Fn(StoredSession) -> Applied + Send + 'static,
    ) -> Result<VerifyAnswer, ServiceError> {
        let mut bench = Bench::new();
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
                used_up_failures: false,
            }))
        }
    }

    #[tokio::test]
    async fn the_right_code_tells_the_address() {
        let answer = verify(with(Outcome::Submitted(Verdict::Verified))).await;
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
        let answer = verify(with(Outcome::Submitted(wrong))).await;
        assert!(
            matches!(answer, Ok(VerifyAnswer::Refused(verdict)) if verdict == wrong),
            "{answer:?}"
        );
    }

    #[tokio::test]
    async fn an_unknown_session_tells_what_was_charged() {
        let counted = vec![Counted {
            name: "project_verifies_per_minute",
            limit: Limit::new(600, 60),
            allowance: Allowance {
                remaining: 599,
                full_in_secs: 1,
            },
        }];
        let mut bench = Bench::new();
        let told = counted.clone();
        bench
            .sessions
            .expect_apply()
            .once()
            .return_once(|_, _| Ok(Applied::NotFound(told)));
        let verified = bench
            .otp()
            .verify(&caller(Mode::Live), request(SessionId::NONE))
            .await
            .unwrap();
        assert!(matches!(verified.answer, VerifyAnswer::NotFound));
        assert_eq!(verified.counted, counted);
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
        let foreign = verify(with(Outcome::Resent(Resend::Repeat))).await;
        assert!(
            matches!(foreign, Err(ServiceError::Broken(_))),
            "{foreign:?}"
        );
    }
}
