//! What an address asks for under a test key: an outcome without waiting for it.

use std::time::Duration;

use otpost_domain::{
    Address, Binding, Candidate, Session, SessionId, Standing, State, Submission, Terms, Timestamp,
};

use crate::{Caller, Limited, Limits};

/// An outcome named by the tag of an address, such as `user+expired@example.com`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TestOutcome {
    /// A session whose code is too late already.
    Expired,
    /// A session whose attempts are used up already.
    Exhausted,
    /// No session, for a limit is reached.
    RateLimited,
    /// A session whose mail cannot be delivered.
    Undeliverable,
}

impl TestOutcome {
    /// The outcome that `address` asks for; never one for a live key.
    pub(crate) fn asked_for(caller: &Caller, address: &Address) -> Option<Self> {
        if !caller.is_test() {
            return None;
        }
        match address.tag()? {
            "expired" => Some(Self::Expired),
            "exhausted" => Some(Self::Exhausted),
            "ratelimited" => Some(Self::RateLimited),
            "undeliverable" => Some(Self::Undeliverable),
            _ => None,
        }
    }

    /// A session with this outcome, reached by the rules that every session has.
    pub(crate) fn session(self, id: SessionId, terms: Terms, now: Timestamp) -> Session {
        match self {
            Self::Expired => {
                // A deadline is rounded up to the whole second: one more makes it past.
                Session::open(id, terms, now.minus_secs(terms.lifetime_secs() + 1))
            }
            Self::Exhausted => exhausted(Session::open(id, terms, now), now),
            Self::RateLimited | Self::Undeliverable => Session::open(id, terms, now),
        }
    }
}

/// Guesses wrongly until the session closes itself.
fn exhausted(mut session: Session, now: Timestamp) -> Session {
    let wrong = Submission {
        candidate: Candidate::normalise(
            &"0".repeat(usize::from(session.terms().code_length().digits())),
        ),
        binding: Binding::Broken,
    };
    while let State::Pending(_) = session.state() {
        let expected = |_| Err(core::fmt::Error);
        match session
            .clone()
            .submit(&wrong, Standing::default(), now, expected)
        {
            Ok(transition) => session = transition.session,
            // A broken binding is judged without the code: it is never asked for.
            Err(core::fmt::Error) => break,
        }
    }
    session
}

/// A limit that is reached.
pub(crate) fn limited() -> Limited {
    Limited {
        name: "recipient_per_10_minutes",
        limit: Limits::default().recipient.per_10_minutes,
        wait: Duration::from_mins(1),
    }
}
