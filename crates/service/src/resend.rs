//! Mailing the code again.

use otpost_domain::{Refusal, Resend, SessionId, Timestamp};
use otpost_ports::{Action, Applied, Endpoint, Judged, MessageId, Outcome, Said};

use crate::error::foreign_outcome;
use crate::{Caller, Idempotency, Limited, Metered, Otp, ServiceError};

/// What a caller wants mailed again.
#[derive(Clone, Debug)]
pub struct ResendRequest {
    /// The session; [`SessionId::NONE`] where the caller named none that can be.
    pub session_id: SessionId,
    /// Whether it is to be carried out once.
    pub idempotency: Option<Idempotency>,
}

/// The answer, committed before it was given.
#[derive(Clone, Copy, Debug)]
pub enum ResendAnswer {
    /// The mail is queued.
    Resent {
        /// When its code is too late.
        expires_at: Timestamp,
    },
    /// A limit is reached; nothing was charged.
    Limited(Limited),
    /// Another request came under the same idempotency key; nothing was mailed.
    KeyReused,
    /// No session of this caller has this identifier.
    NotFound,
    /// The last mail is too recent.
    Wait {
        /// For how long, in seconds.
        retry_after_secs: u32,
        /// Between two mails of this session, in seconds.
        cooldown_secs: u32,
    },
    /// It is mailed no more.
    Refused(Refusal),
}

impl Otp {
    /// Queues the mail of a session again, with the same code or a new one. A request that came
    /// before gets the answer that it got then, and mails nothing.
    ///
    /// # Errors
    ///
    /// [`ServiceError`].
    pub async fn resend(
        &self,
        caller: &Caller,
        request: ResendRequest,
    ) -> Result<Metered<ResendAnswer>, ServiceError> {
        let once = self.once(caller, Endpoint::Resend, request.idempotency.as_ref());
        let action = Action::Resend(MessageId(self.ports.entropy.bytes()?));
        let policy = self.policies.of(&caller.owner.project);
        let quotas = caller.live(|project| {
            let vault = &*self.ports.vault;
            policy.limits.of_mail(project, None, policy.profile, vault)
        });
        let command = self.command(caller, action, quotas, once);
        let at = command.at;
        let applied = self
            .ports
            .sessions
            .apply(&request.session_id, command)
            .await?;
        match applied {
            Applied::Limited(limited) => Ok(Metered::free(ResendAnswer::Limited(limited))),
            Applied::NotFound(counted) => Ok(Metered::new(ResendAnswer::NotFound, counted)),
            Applied::KeyReused(counted) => Ok(Metered::new(ResendAnswer::KeyReused, counted)),
            Applied::Replayed(replayed) => Ok(Metered::replayed(said_again(&replayed.said)?)),
            Applied::Judged(judged) => {
                let answer = self.answer(&judged, at)?;
                Ok(Metered::new(answer, judged.counted))
            }
        }
    }

    fn answer(&self, judged: &Judged, at: Timestamp) -> Result<ResendAnswer, ServiceError> {
        let session = &judged.stored.session;
        Ok(match judged.outcome {
            Outcome::Resent(Resend::Repeat | Resend::Renew) => {
                self.slots.announce();
                ResendAnswer::Resent {
                    expires_at: session.expires_at(),
                }
            }
            Outcome::Resent(Resend::Wait { until }) => ResendAnswer::Wait {
                retry_after_secs: at.secs_until(until).max(1),
                cooldown_secs: session.terms().record().cooldown_secs,
            },
            Outcome::Resent(Resend::Refuse(refusal)) => ResendAnswer::Refused(refusal),
            Outcome::Submitted(_) => return Err(foreign_outcome()),
        })
    }
}

fn said_again(said: &Said) -> Result<ResendAnswer, ServiceError> {
    match *said {
        Said::Mailed { expires_at } => Ok(ResendAnswer::Resent { expires_at }),
        Said::NotMailed(refusal) => Ok(ResendAnswer::Refused(refusal)),
        Said::NotFound => Ok(ResendAnswer::NotFound),
        Said::Verified { .. } | Said::Refused(_) => Err(foreign_outcome()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mocks::{Bench, caller, stored, was_announced};
    use otpost_domain::Mode;
    use otpost_testkit::sample;

    /// Resends, and says whether the mailer was told.
    async fn resend(outcome: Option<Resend>) -> (ResendAnswer, bool) {
        let mut bench = Bench::new();
        let stored = stored(&bench.vault);
        let id = *stored.session.id();
        let slots = bench.slots.clone();
        bench
            .sessions
            .expect_apply()
            .once()
            .withf(|_, command| matches!(command.action, Action::Resend(_)))
            .return_once(move |_, _| {
                Ok(outcome.map_or(Applied::NotFound(vec![]), |outcome| {
                    Applied::Judged(Box::new(Judged {
                        stored,
                        outcome: Outcome::Resent(outcome),
                        counted: vec![],
                        used_up_failures: false,
                    }))
                }))
            });
        let otp = bench.otp();
        let request = ResendRequest {
            session_id: id,
            idempotency: None,
        };
        let resent = otp.resend(&caller(Mode::Live), request).await;
        let answer = resent.unwrap().answer;
        (answer, was_announced(&slots))
    }

    #[tokio::test]
    async fn a_queued_mail_is_announced() {
        for outcome in [Resend::Repeat, Resend::Renew] {
            let (answer, announced) = resend(Some(outcome)).await;
            let expires_at = sample::NOON.plus_secs(300);
            assert!(
                matches!(answer, ResendAnswer::Resent { expires_at: at } if at == expires_at),
                "{answer:?}"
            );
            assert!(announced, "{outcome:?}");
        }
    }

    #[tokio::test]
    async fn a_refused_resend_announces_nothing() {
        for outcome in [
            None,
            Some(Resend::Refuse(Refusal::Verified)),
            Some(Resend::Refuse(Refusal::Ended)),
            Some(Resend::Refuse(Refusal::OnHold)),
            Some(Resend::Refuse(Refusal::CapReached)),
        ] {
            let (answer, announced) = resend(outcome).await;
            match (outcome, answer) {
                (None, ResendAnswer::NotFound) => {}
                (Some(Resend::Refuse(said)), ResendAnswer::Refused(told)) if said == told => {}
                other => panic!("{other:?}"),
            }
            assert!(!announced, "{outcome:?}");
        }
    }

    #[tokio::test]
    async fn a_wait_is_told_in_whole_seconds_and_never_none() {
        for (millis, told) in [(0, 1), (1, 1), (1000, 1), (1001, 2)] {
            let until = Timestamp::from_millis(sample::NOON.as_millis() + millis);
            let (answer, announced) = resend(Some(Resend::Wait { until })).await;
            assert!(
                matches!(answer, ResendAnswer::Wait { retry_after_secs, cooldown_secs: 30 } if retry_after_secs == told),
                "{millis}: {answer:?}"
            );
            assert!(!announced);
        }
    }
}
