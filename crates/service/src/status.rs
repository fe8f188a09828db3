//! Looking at a session, which changes nothing.

use otpost_domain::{Address, SessionId, Status, Timestamp};
use otpost_ports::DeliveryState;

use crate::{Caller, Otp, ServiceError};

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
    /// Guesses in all.
    pub attempts_max: u8,
    /// When the code in force is too late.
    pub expires_at: Timestamp,
    /// What became of its last mail.
    pub delivery: DeliveryState,
}

impl Otp {
    /// The session as it stands now; `None` when no session of this caller has this identifier.
    ///
    /// # Errors
    ///
    /// [`ServiceError`].
    pub async fn status(
        &self,
        caller: &Caller,
        session_id: &SessionId,
    ) -> Result<Option<SessionView>, ServiceError> {
        let Some(stored) = self.find(caller, session_id).await? else {
            return Ok(None);
        };
        let session = &stored.session;
        Ok(Some(SessionView {
            session_id: *session_id,
            email: self
                .ports
                .vault
                .open_address(session_id, &stored.context.address)?,
            status: session.status(self.ports.clock.now()),
            attempts: session.attempts(),
            attempts_max: session.terms().attempts_max(),
            expires_at: session.expires_at(),
            delivery: stored.delivery.state,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mocks::{Bench, caller, stored};
    use otpost_domain::Mode;
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
        bench.otp().status(&caller(Mode::Live), &id).await.unwrap()
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
}
