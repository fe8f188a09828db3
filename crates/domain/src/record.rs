//! A session as plain values, and back with every invariant checked.

use core::fmt;

use crate::{ExpiryCause, Pending, Session, SessionId, State, Terms, TermsRecord, Timestamp};

/// A session as plain values, for a database or a wire. Instants are milliseconds since the Unix
/// epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SessionRecord {
    /// [`SessionId::as_bytes`].
    pub id: [u8; SessionId::BYTES],
    /// The terms that it was opened under.
    pub terms: TermsRecord,
    /// When it was opened.
    pub opened_at: i64,
    /// From when not even a resend helps.
    pub hard_end: i64,
    /// When the code in force is too late.
    pub expires_at: i64,
    /// Guesses judged so far.
    pub attempts: u8,
    /// Where it stands.
    pub state: StateRecord,
}

/// [`State`] as plain values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum StateRecord {
    /// It waits for the right code.
    Pending {
        /// Which code is in force, from 0.
        generation: u32,
        /// Resends so far.
        resends: u8,
        /// When the code in force was first mailed.
        code_issued_at: i64,
        /// When the last mail was queued.
        mailed_at: i64,
    },
    /// The right code came.
    Verified {
        /// When.
        at: i64,
    },
    /// It can never be verified.
    Expired {
        /// Since when.
        at: i64,
        /// Why.
        cause: ExpiryCause,
    },
}

/// A record that no session ever wrote: someone else did, or a disk lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidRecord(&'static str);

impl fmt::Display for InvalidRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no session has this record: {}", self.0)
    }
}

impl core::error::Error for InvalidRecord {}

impl Session {
    /// The session as plain values.
    #[must_use]
    pub fn record(&self) -> SessionRecord {
        SessionRecord {
            id: *self.id.as_bytes(),
            terms: self.terms.record(),
            opened_at: self.opened_at.as_millis(),
            hard_end: self.hard_end.as_millis(),
            expires_at: self.expires_at.as_millis(),
            attempts: self.attempts,
            state: match self.state {
                State::Pending(pending) => StateRecord::Pending {
                    generation: pending.generation,
                    resends: pending.resends,
                    code_issued_at: pending.code_issued_at.as_millis(),
                    mailed_at: pending.mailed_at.as_millis(),
                },
                State::Verified { at } => StateRecord::Verified { at: at.as_millis() },
                State::Expired { at, cause } => StateRecord::Expired {
                    at: at.as_millis(),
                    cause,
                },
            },
        }
    }

    /// The session that wrote `record`.
    ///
    /// Instants are checked against each other only where the state machine rests on it: a clock
    /// that was set back must not make a session unreadable.
    ///
    /// # Errors
    ///
    /// When an invariant does not hold.
    pub fn restore(record: &SessionRecord) -> Result<Self, InvalidRecord> {
        let terms =
            Terms::new(record.terms).map_err(|_| InvalidRecord("a term is out of bounds"))?;
        check(
            record.expires_at <= record.hard_end,
            "it expires after its hard end",
        )?;
        check(
            record.opened_at < record.hard_end,
            "it ends before it was opened",
        )?;
        check(
            record.attempts <= terms.attempts_max(),
            "more attempts than allowed",
        )?;
        let state = match record.state {
            StateRecord::Pending {
                generation,
                resends,
                code_issued_at,
                mailed_at,
            } => {
                check(
                    record.attempts < terms.attempts_max(),
                    "it waits without attempts left",
                )?;
                check(
                    resends <= record.terms.resends_max,
                    "more resends than allowed",
                )?;
                check(generation <= u32::from(resends), "more codes than mails")?;
                State::Pending(Pending {
                    generation,
                    resends,
                    code_issued_at: Timestamp::from_millis(code_issued_at),
                    mailed_at: Timestamp::from_millis(mailed_at),
                })
            }
            StateRecord::Verified { at } => {
                check(record.attempts > 0, "verified without an attempt")?;
                State::Verified {
                    at: Timestamp::from_millis(at),
                }
            }
            StateRecord::Expired { at, cause } => {
                check(
                    cause == ExpiryCause::HardEndReached || record.attempts > 0,
                    "exhausted without an attempt",
                )?;
                State::Expired {
                    at: Timestamp::from_millis(at),
                    cause,
                }
            }
        };
        Ok(Self {
            id: SessionId::from_bytes(record.id),
            terms,
            opened_at: Timestamp::from_millis(record.opened_at),
            hard_end: Timestamp::from_millis(record.hard_end),
            expires_at: Timestamp::from_millis(record.expires_at),
            attempts: record.attempts,
            state,
        })
    }
}

fn check(holds: bool, violated: &'static str) -> Result<(), InvalidRecord> {
    if holds {
        Ok(())
    } else {
        Err(InvalidRecord(violated))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::tests::{NOON, default_terms, open};

    #[test]
    fn a_session_survives_its_record() {
        let session = open(default_terms(), NOON);
        assert_eq!(Session::restore(&session.record()), Ok(session));
    }

    #[test]
    fn a_record_that_no_session_wrote_is_refused() {
        let good = open(default_terms(), NOON).record();
        let pending = |generation, resends| StateRecord::Pending {
            generation,
            resends,
            code_issued_at: good.opened_at,
            mailed_at: good.opened_at,
        };
        let exhausted = ExpiryCause::AttemptsExhausted;
        for (name, bad) in [
            (
                "attempts",
                SessionRecord {
                    attempts: 6,
                    ..good.clone()
                },
            ),
            (
                "none left",
                SessionRecord {
                    attempts: 5,
                    ..good.clone()
                },
            ),
            (
                "deadline",
                SessionRecord {
                    expires_at: good.hard_end + 1,
                    ..good.clone()
                },
            ),
            (
                "hard end",
                SessionRecord {
                    opened_at: good.hard_end,
                    ..good.clone()
                },
            ),
            (
                "resends",
                SessionRecord {
                    state: pending(0, 5),
                    ..good.clone()
                },
            ),
            (
                "generation",
                SessionRecord {
                    state: pending(2, 1),
                    ..good.clone()
                },
            ),
            (
                "untried",
                SessionRecord {
                    state: StateRecord::Verified { at: 0 },
                    ..good.clone()
                },
            ),
            (
                "exhausted",
                SessionRecord {
                    state: StateRecord::Expired {
                        at: 0,
                        cause: exhausted,
                    },
                    ..good.clone()
                },
            ),
            (
                "terms",
                SessionRecord {
                    terms: TermsRecord {
                        code_length: 9,
                        ..good.terms
                    },
                    ..good.clone()
                },
            ),
        ] {
            assert!(Session::restore(&bad).is_err(), "{name}");
        }
    }

    #[cfg(feature = "serde")]
    #[test]
    fn a_record_survives_json() {
        let record = open(default_terms(), NOON).record();
        let json = serde_json::to_string(&record).unwrap();
        assert_eq!(
            serde_json::from_str::<SessionRecord>(&json).unwrap(),
            record
        );
    }
}
