//! The session: one attempt to confirm one address.

use crate::{SessionId, Standing, Terms, Timestamp};

/// One attempt to confirm one address.
///
/// Commands take it by value and give back what it has become, with the outcome. It knows
/// neither the address nor the code: both come in as evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub(crate) id: SessionId,
    pub(crate) terms: Terms,
    pub(crate) opened_at: Timestamp,
    pub(crate) hard_end: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) attempts: u8,
    pub(crate) state: State,
}

/// Where a session stands. Only a pending one can be answered: a closed one is final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It waits for the right code.
    Pending(Pending),
    /// The right code came.
    Verified {
        /// When.
        at: Timestamp,
    },
    /// It can never be verified.
    ///
    /// A lifetime that elapsed before the hard end is no such state: a resend renews it.
    Expired {
        /// Since when.
        at: Timestamp,
        /// Why.
        cause: ExpiryCause,
    },
}

/// What only a session that waits has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    pub(crate) generation: u32,
    pub(crate) resends: u8,
    pub(crate) code_issued_at: Timestamp,
    pub(crate) mailed_at: Timestamp,
}

impl Pending {
    /// Which code is in force: 0 for the first, one more for each new one.
    #[must_use]
    pub const fn generation(&self) -> u32 {
        self.generation
    }

    /// When the last mail was queued.
    #[must_use]
    pub const fn mailed_at(&self) -> Timestamp {
        self.mailed_at
    }
}

/// Why a session can never be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ExpiryCause {
    /// The instant passed after which no resend renews it.
    HardEndReached,
    /// Every guess was used and wrong.
    AttemptsExhausted,
}

/// What a command made of a session, and what it has to say.
#[must_use = "commit the session before acting on the outcome"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition<O> {
    /// What the session has become.
    pub session: Session,
    /// What to answer, once that is committed.
    pub outcome: O,
}

/// What a session looks like from outside at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The right code would verify it.
    Pending,
    /// It was verified.
    Verified,
    /// No code verifies it now.
    Expired,
}

impl Session {
    /// Opens a session whose first mail is queued at `now`.
    #[must_use]
    pub fn open(id: SessionId, terms: Terms, now: Timestamp) -> Self {
        let hard_end = now.plus_secs(terms.hard_end_secs()).ceil_to_second();
        let state = State::Pending(Pending {
            generation: 0,
            resends: 0,
            code_issued_at: now,
            mailed_at: now,
        });
        let expires_at = deadline(now, &terms, hard_end);
        Self {
            id,
            terms,
            opened_at: now,
            hard_end,
            expires_at,
            attempts: 0,
            state,
        }
    }

    /// Its identifier.
    #[must_use]
    pub const fn id(&self) -> &SessionId {
        &self.id
    }

    /// The terms that it was opened under.
    #[must_use]
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// When it was opened.
    #[must_use]
    pub const fn opened_at(&self) -> Timestamp {
        self.opened_at
    }

    /// The instant at which the code in force is too late; a whole second, never after the hard
    /// end.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// The instant from which not even a resend helps.
    #[must_use]
    pub const fn hard_end(&self) -> Timestamp {
        self.hard_end
    }

    /// Guesses judged so far, the right one included.
    #[must_use]
    pub const fn attempts(&self) -> u8 {
        self.attempts
    }

    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// What only a session that waits has; `None` for a closed one.
    #[must_use]
    pub const fn pending(&self) -> Option<&Pending> {
        match &self.state {
            State::Pending(pending) => Some(pending),
            State::Verified { .. } | State::Expired { .. } => None,
        }
    }

    /// Guesses in all, while the address stands like this.
    #[must_use]
    pub fn attempts_max(&self, standing: Standing) -> u8 {
        standing.attempts_max(self.terms.attempts_max())
    }

    /// What it looks like at `now`, whether or not that was stored.
    #[must_use]
    pub fn status(&self, standing: Standing, now: Timestamp) -> Status {
        let is_open = now < self.expires_at && self.attempts < self.attempts_max(standing);
        match self.state {
            State::Pending(_) if is_open => Status::Pending,
            State::Verified { .. } => Status::Verified,
            State::Pending(_) | State::Expired { .. } => Status::Expired,
        }
    }

    /// Closes a session whose hard end has come; any other stays as it is.
    #[must_use]
    pub fn close_at_hard_end(self, now: Timestamp) -> Self {
        let at = self.hard_end;
        match self.state {
            State::Pending(_) if now >= at => self.expire(at, ExpiryCause::HardEndReached),
            State::Pending(_) | State::Verified { .. } | State::Expired { .. } => self,
        }
    }

    pub(crate) fn expire(self, at: Timestamp, cause: ExpiryCause) -> Self {
        Self {
            state: State::Expired { at, cause },
            ..self
        }
    }

    pub(crate) fn with<O>(self, outcome: O) -> Transition<O> {
        Transition {
            session: self,
            outcome,
        }
    }
}

/// When a code mailed at `now` is too late.
pub(crate) fn deadline(now: Timestamp, terms: &Terms, hard_end: Timestamp) -> Timestamp {
    now.plus_secs(terms.lifetime_secs())
        .ceil_to_second()
        .min(hard_end)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{ResendPolicy, TermsRecord};

    pub(crate) const NOON: Timestamp = Timestamp::from_millis(1_767_960_000_000);

    pub(crate) fn default_terms() -> TermsRecord {
        TermsRecord {
            lifetime_secs: 300,
            code_length: 6,
            attempts_max: 5,
            resends_max: 4,
            cooldown_secs: 30,
            code_lifetime_max_secs: 600,
            resend: ResendPolicy::Repeat,
        }
    }

    pub(crate) fn open(terms: TermsRecord, now: Timestamp) -> Session {
        Session::open(
            SessionId::new(now, [9; 16]),
            Terms::new(terms).unwrap(),
            now,
        )
    }

    #[test]
    fn a_deadline_is_exclusive_and_a_whole_second() {
        let now = Timestamp::from_millis(NOON.as_millis() + 1);
        let session = open(default_terms(), now);

        assert_eq!(session.expires_at(), NOON.plus_secs(301));
        let last = Timestamp::from_millis(session.expires_at().as_millis() - 1);
        assert_eq!(session.status(Standing::default(), last), Status::Pending);
        assert_eq!(
            session.status(Standing::default(), session.expires_at()),
            Status::Expired
        );
    }

    #[test]
    fn the_hard_end_is_half_an_hour_or_twice_the_lifetime() {
        let short = open(default_terms(), NOON);
        let long = open(
            TermsRecord {
                lifetime_secs: 3600,
                ..default_terms()
            },
            NOON,
        );

        assert_eq!(short.hard_end(), NOON.plus_secs(1800));
        assert_eq!(long.hard_end(), NOON.plus_secs(7200));
    }

    #[test]
    fn only_the_hard_end_closes_a_session_that_nobody_answers() {
        let session = open(default_terms(), NOON);

        let late = session.clone().close_at_hard_end(session.expires_at());
        assert_eq!(late, session);

        let over = session.clone().close_at_hard_end(session.hard_end());
        let expired = State::Expired {
            at: session.hard_end(),
            cause: ExpiryCause::HardEndReached,
        };
        assert_eq!(over.state(), &expired);
    }
}
