//! Looking at a session, which changes nothing.

use std::sync::PoisonError;

use otpost_domain::{Address, Admission, SessionId, Standing, Status, Timestamp};
use otpost_ports::{Counted, DeliveryState, RecipientDigest};

use crate::{Caller, Limited, Metered, Otp, ServiceError};

/// A session as its owner sees it.
#[derive(Clone, Debug)]
pub struct SessionView {
    /// Its identifier.
    pub session_id: SessionId,
    /// Where its mails go.
    pub email: Address,
    /// How it stands at this instant.
    pub status: Status,
    /// Guesses judged so far.
    pub attempts: u8,
    /// Guesses in all, by the bound in force; never less than those judged.
    pub attempts_max: u8,
    /// When the code in force is too late.
    pub expires_at: Timestamp,
    /// What became of its last mail.
    pub delivery: DeliveryState,
}

/// What a look at a session shows.
#[derive(Clone, Debug)]
pub enum StatusAnswer {
    /// The session as it stands now.
    Found(Box<SessionView>),
    /// A limit is reached.
    Limited(Limited),
    /// No session of this caller has this identifier.
    NotFound,
}

impl Otp {
    /// The session as it stands now.
    ///
    /// # Errors
    ///
    /// [`ServiceError`].
    pub async fn status(
        &self,
        caller: &Caller,
        session_id: &SessionId,
    ) -> Result<Metered<StatusAnswer>, ServiceError> {
        let now = self.ports.clock.now();
        let counted = match caller.live(|_| self.count_read(caller, now)).transpose() {
            Ok(counted) => counted.unwrap_or_default(),
            Err(limited) => return Ok(Metered::free(StatusAnswer::Limited(limited))),
        };
        let Some(stored) = self.find(caller, session_id).await? else {
            return Ok(Metered::new(StatusAnswer::NotFound, counted));
        };
        let session = &stored.session;
        let standing = self
            .standing(caller, &stored.context.recipient, now)
            .await?;
        let address = &stored.context.address;
        let answer = StatusAnswer::Found(Box::new(SessionView {
            session_id: *session_id,
            email: self.ports.vault.open_address(session_id, address)?,
            status: session.status(standing, now),
            attempts: session.attempts(),
            attempts_max: session.attempts_max(standing).max(session.attempts()),
            expires_at: session.expires_at(),
            delivery: stored.delivery.state,
        }));
        Ok(Metered::new(answer, counted))
    }

    /// Counts one read, for this process alone: it must cost less than the read.
    pub(crate) fn count_read(
        &self,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Vec<Counted>, Limited> {
        let (name, owner) = ("project_reads_per_minute", &caller.owner);
        let limit = self
            .policies
            .of(&owner.project)
            .limits
            .project_reads_per_minute;
        if limit.is_off() {
            return Ok(Vec::new());
        }
        let mut reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = reads.entry(owner.clone()).or_default();
        match limit.admit(*bucket, now) {
            Admission::Admitted(next) => {
                *bucket = next;
                let allowance = limit.allowance(next, now);
                Ok(vec![Counted {
                    name,
                    limit,
                    allowance,
                }])
            }
            Admission::Wait(wait) => Err(Limited { name, limit, wait }),
        }
    }

    async fn standing(
        &self,
        caller: &Caller,
        recipient: &RecipientDigest,
        now: Timestamp,
    ) -> Result<Standing, ServiceError> {
        let policy = self.policies.of(&caller.owner.project);
        let Some(quotas) = caller.live(|_| policy.limits.of_look(policy.profile)) else {
            return Ok(Standing::default());
        };
        let subjects = quotas.subjects(&caller.owner, Some(recipient));
        let ledger = self.ports.sessions.ledger(&subjects).await?;
        Ok(quotas.standing(&caller.owner, recipient, &ledger, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mocks::{Bench, caller, stored};
    use otpost_domain::{Limit, Mode};
    use otpost_ports::{Counters, Ledger, Subject};
    use otpost_testkit::sample;

    async fn status(after_secs: u32, state: DeliveryState) -> Option<SessionView> {
        let mut bench = Bench::new();
        bench.clock.advance(after_secs);
        let mut stored = stored(&bench.vault);
        stored.delivery.state = state;
        let id = *stored.session.id();
        bench
            .sessions
            .expect_find()
            .once()
            .return_once(move |_, _| Ok(Some(stored)));
        bench
            .sessions
            .expect_ledger()
            .returning(|_| Ok(Ledger::default()));
        match bench
            .otp()
            .status(&caller(Mode::Live), &id)
            .await
            .unwrap()
            .answer
        {
            StatusAnswer::Found(view) => Some(*view),
            StatusAnswer::NotFound => None,
            StatusAnswer::Limited(limited) => panic!("{limited:?}"),
        }
    }

    #[tokio::test]
    async fn the_status_is_true_at_this_instant() {
        for (after, seen) in [
            (0, Status::Pending),
            (299, Status::Pending),
            (300, Status::Expired),
        ] {
            let view = status(after, DeliveryState::Sent).await.unwrap();
            assert_eq!(view.status, seen, "{after}");
            assert_eq!(view.email, sample::address());
            assert_eq!((view.attempts, view.attempts_max), (0, 5));
        }
    }

    #[tokio::test]
    async fn it_tells_what_became_of_the_mail() {
        for state in [
            DeliveryState::Queued,
            DeliveryState::Sent,
            DeliveryState::Failed,
        ] {
            assert_eq!(status(0, state).await.unwrap().delivery, state);
        }
    }

    #[tokio::test]
    async fn a_session_is_found_for_a_day_after_its_hard_end() {
        let over = 1800 + 86_400;
        assert!(status(over - 1, DeliveryState::Sent).await.is_some());
        assert!(status(over, DeliveryState::Sent).await.is_none());
    }

    #[tokio::test]
    async fn reads_of_a_project_are_limited_without_a_read() {
        let mut bench = Bench::new();
        bench.policies.general.limits.project_reads_per_minute = Limit::new(2, 60);
        bench
            .sessions
            .expect_find()
            .times(2)
            .returning(|_, _| Ok(None));
        let id = *stored(&bench.vault).session.id();
        let otp = bench.otp();
        for remaining in [1, 0] {
            let read = otp.status(&caller(Mode::Live), &id).await.unwrap();
            assert!(matches!(read.answer, StatusAnswer::NotFound));
            assert_eq!(read.counted[0].allowance.remaining, remaining);
        }

        let third = otp.status(&caller(Mode::Live), &id).await.unwrap();

        assert!(matches!(
            third.answer,
            StatusAnswer::Limited(Limited {
                name: "project_reads_per_minute",
                ..
            })
        ));
    }

    #[tokio::test]
    async fn the_ladder_shows_in_the_bound() {
        let mut bench = Bench::new();
        let stored = stored(&bench.vault);
        let id = *stored.session.id();
        let subject = Subject::recipient(&stored.context.recipient);
        bench
            .sessions
            .expect_find()
            .return_once(move |_, _| Ok(Some(stored)));
        bench.sessions.expect_ledger().returning(move |_| {
            let failures = 10;
            let counters = Counters {
                failures,
                ..Counters::default()
            };
            Ok(Ledger::new([(subject.clone(), counters)]))
        });

        let seen = bench.otp().status(&caller(Mode::Live), &id).await.unwrap();

        let StatusAnswer::Found(view) = seen.answer else {
            panic!("{seen:?}")
        };
        assert_eq!((view.attempts, view.attempts_max), (0, 3));
    }
}
