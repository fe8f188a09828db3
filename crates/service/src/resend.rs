//! Mailing the code again.

use otpost_domain::{Refusal, Resend, SessionId, Timestamp};
use otpost_ports::{Action, Applied, MessageId, Outcome};

use crate::verify::foreign_outcome;
use crate::{Caller, Limited, Metered, Otp, ServiceError};

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
    /// No session of this caller has this identifier.
    NotFound,
    /// The last mail is too recent.
    Wait {
        /// For how long, in seconds.
        retry_after_secs: u32,
    },
    /// It is mailed no more.
    Refused(Refusal),
}

impl Otp {
    /// Queues the mail of a session again, with the same code or a new one.
    ///
    /// # Errors
    ///
    /// [`ServiceError`].
    pub async fn resend(
        &self,
        caller: &Caller,
        session_id: &SessionId,
    ) -> Result<Metered<ResendAnswer>, ServiceError> {
        let now = self.ports.clock.now();
        let action = Action::Resend(MessageId(self.ports.entropy.bytes()?));
        let policy = self.policies.of(&caller.owner.project);
        let quotas = caller.live(|project| {
            let vault = &*self.ports.vault;
            policy.limits.of_mail(project, None, policy.profile, vault)
        });
        let judged = match self.apply(caller, session_id, action, quotas).await? {
            Applied::Limited(limited) => return Ok(Metered::free(ResendAnswer::Limited(limited))),
            Applied::NotFound => return Ok(Metered::free(ResendAnswer::NotFound)),
            Applied::Judged(judged) => *judged,
        };
        let answer = match judged.outcome {
            Outcome::Resent(Resend::Repeat | Resend::Renew) => {
                self.mail_queued.notify_one();
                ResendAnswer::Resent {
                    expires_at: judged.stored.session.expires_at(),
                }
            }
            Outcome::Resent(Resend::Wait { until }) => ResendAnswer::Wait {
                retry_after_secs: now.secs_until(until).max(1),
            },
            Outcome::Resent(Resend::Refuse(refusal)) => ResendAnswer::Refused(refusal),
            Outcome::Submitted(_) => return Err(foreign_outcome()),
        };
        let counted = judged.counted;
        Ok(Metered { answer, counted })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mocks::{Bench, caller, stored, was_announced};
    use otpost_domain::Mode;
    use otpost_ports::Judged;
    use otpost_testkit::sample;

    /// Resends, and says whether the mailer was told.
    async fn resend(outcome: Option<Resend>) -> (ResendAnswer, bool) {
        let mut bench = Bench::new();
        let stored = stored(&bench.vault);
        let id = *stored.session.id();
        let mail_queued = bench.mail_queued.clone();
        bench
            .sessions
            .expect_apply()
            .once()
            .withf(|_, command| matches!(command.action, Action::Resend(_)))
            .return_once(move |_, _| {
                Ok(outcome.map_or(Applied::NotFound, |outcome| {
                    Applied::Judged(Box::new(Judged {
                        stored,
                        outcome: Outcome::Resent(outcome),
                        counted: vec![],
                    }))
                }))
            });
        let otp = bench.otp();
        let answer = otp.resend(&caller(Mode::Live), &id).await.unwrap().answer;
        (answer, was_announced(&mail_queued).await)
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
                matches!(answer, ResendAnswer::Wait { retry_after_secs } if retry_after_secs == told),
                "{millis}: {answer:?}"
            );
            assert!(!announced);
        }
    }
}
