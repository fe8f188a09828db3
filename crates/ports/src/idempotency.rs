//! A request that its caller wants carried out once, and the answer that is kept to be said again.

use core::fmt;

use otpost_domain::{Address, Refusal, SessionId, Timestamp, Verdict};

use crate::{Sealed, SealedField, Vault, VaultError};

/// The endpoints whose answers are kept. The same key names another request at each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `POST /send`.
    Send,
    /// `POST /verify`.
    Verify,
    /// `POST /resend`.
    Resend,
}

/// Keyed digest of an `Idempotency-Key` with the project, mode and endpoint that it is of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdempotencyDigest(pub [u8; 32]);

impl fmt::Debug for IdempotencyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdempotencyDigest(..)")
    }
}

/// Keyed digest of a whole request, which may contain a code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestDigest(pub [u8; 32]);

impl fmt::Debug for RequestDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestDigest(..)")
    }
}

/// A wish to be carried out once.
#[derive(Clone, Copy, Debug)]
pub struct Once {
    /// Under which key.
    pub key: IdempotencyDigest,
    /// For which request.
    pub request: RequestDigest,
    /// The first instant at which the answer is forgotten.
    pub until: Timestamp,
}

/// An answer that was committed with what it tells of.
#[derive(Clone, Debug)]
pub struct KeptAnswer {
    /// The wish that it fulfilled.
    pub once: Once,
    /// The session that it is about.
    pub session: SessionId,
    /// What was said, sealed for that session.
    pub answer: Sealed,
    /// How often another request to verify came under the key. From [`CONFLICTS_MAX`] on it is
    /// not said again.
    pub conflicts: u8,
}

/// As many as a session has guesses: who tries codes under the key of a verification that
/// succeeded learns by its replay which was the right one.
pub const CONFLICTS_MAX: u8 = 5;

/// What was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A mail was queued, whose code is too late from this instant on.
    Mailed {
        /// That instant.
        expires_at: Timestamp,
    },
    /// The mail was not queued again.
    NotMailed(Refusal),
    /// The code was right, for this address.
    Verified {
        /// The address on the wire.
        email: Address,
    },
    /// The code was not accepted; any verdict but [`Verdict::Verified`].
    Refused(Verdict),
    /// There was no such session.
    NotFound,
}

/// An answer that is said again, and nothing else happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// The session that it is about.
    pub session: SessionId,
    /// The answer.
    pub said: Said,
}

/// A request whose key came before.
pub(crate) enum Known {
    /// With this very request.
    Same(Replayed),
    /// With another one.
    Other,
}

impl Once {
    /// What to keep for this wish.
    ///
    /// # Errors
    ///
    /// When no random bytes can be had.
    pub fn keep(
        self,
        session: &SessionId,
        said: &Said,
        vault: &dyn Vault,
    ) -> Result<KeptAnswer, VaultError> {
        Ok(KeptAnswer {
            once: self,
            session: *session,
            answer: vault.seal(session, SealedField::Answer, &said.to_bytes())?,
            conflicts: 0,
        })
    }

    /// Whether `kept` answers this wish at `now` already.
    ///
    /// # Errors
    ///
    /// Those of the vault.
    pub(crate) fn known(
        self,
        kept: &KeptAnswer,
        now: Timestamp,
        vault: &dyn Vault,
    ) -> Result<Option<Known>, VaultError> {
        if now >= kept.once.until {
            return Ok(None);
        }
        if kept.once.request != self.request || kept.conflicts >= CONFLICTS_MAX {
            return Ok(Some(Known::Other));
        }
        let plain = vault.open(&kept.session, SealedField::Answer, &kept.answer)?;
        let said = Said::from_bytes(&plain).ok_or(VaultError::Tampered)?;
        Ok(Some(Known::Same(Replayed {
            session: kept.session,
            said,
        })))
    }
}

/// As bytes to seal: the number of the case, and what it holds.
impl Said {
    fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Mailed { expires_at } => {
                [&[0], &expires_at.as_millis().to_be_bytes()[..]].concat()
            }
            Self::NotMailed(refusal) => vec![
                1,
                match refusal {
                    Refusal::Verified => 0,
                    Refusal::Ended => 1,
                    Refusal::OnHold => 2,
                    Refusal::CapReached => 3,
                },
            ],
            Self::Verified { email } => [&[2], email.as_str().as_bytes()].concat(),
            Self::Refused(verdict) => {
                let (number, attempts_remaining) = match *verdict {
                    Verdict::AlreadyVerified => (0, 0),
                    Verdict::TooManyAttempts => (1, 0),
                    Verdict::Expired => (2, 0),
                    Verdict::OnHold => (3, 0),
                    Verdict::Malformed { attempts_remaining } => (4, attempts_remaining),
                    Verdict::Mismatch { attempts_remaining } => (5, attempts_remaining),
                    Verdict::WrongCode { attempts_remaining } => (6, attempts_remaining),
                    Verdict::Verified => (7, 0),
                };
                vec![3, number, attempts_remaining]
            }
            Self::NotFound => vec![4],
        }
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(match bytes {
            [0, millis @ ..] => Self::Mailed {
                expires_at: Timestamp::from_millis(i64::from_be_bytes(millis.try_into().ok()?)),
            },
            [1, number] => Self::NotMailed(match number {
                0 => Refusal::Verified,
                1 => Refusal::Ended,
                2 => Refusal::OnHold,
                3 => Refusal::CapReached,
                _ => return None,
            }),
            [2, email @ ..] => Self::Verified {
                email: Address::parse(core::str::from_utf8(email).ok()?).ok()?,
            },
            [3, number, left] => {
                let attempts_remaining = *left;
                Self::Refused(match number {
                    0 => Verdict::AlreadyVerified,
                    1 => Verdict::TooManyAttempts,
                    2 => Verdict::Expired,
                    3 => Verdict::OnHold,
                    4 => Verdict::Malformed { attempts_remaining },
                    5 => Verdict::Mismatch { attempts_remaining },
                    6 => Verdict::WrongCode { attempts_remaining },
                    7 => Verdict::Verified,
                    _ => return None,
                })
            }
            [4] => Self::NotFound,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_survives_its_bytes() {
        let attempts_remaining = 4;
        for said in [
            Said::Mailed {
                expires_at: Timestamp::from_millis(1_767_960_000_001),
            },
            Said::NotMailed(Refusal::Verified),
            Said::NotMailed(Refusal::Ended),
            Said::NotMailed(Refusal::OnHold),
            Said::NotMailed(Refusal::CapReached),
            Said::Verified {
                email: Address::parse("Person@example.com").unwrap(),
            },
            Said::Refused(Verdict::AlreadyVerified),
            Said::Refused(Verdict::TooManyAttempts),
            Said::Refused(Verdict::Expired),
            Said::Refused(Verdict::OnHold),
            Said::Refused(Verdict::Malformed { attempts_remaining }),
            Said::Refused(Verdict::Mismatch { attempts_remaining }),
            Said::Refused(Verdict::WrongCode { attempts_remaining }),
            Said::Refused(Verdict::Verified),
            Said::NotFound,
        ] {
            let read = Said::from_bytes(&said.to_bytes());
            assert_eq!(read.as_ref(), Some(&said), "{said:?}");
        }
    }

    #[test]
    fn bytes_that_nobody_wrote_say_nothing() {
        for bytes in [
            &b""[..],
            &[0],
            &[0, 1],
            &[1],
            &[1, 4],
            &[2, b'x'],
            &[2, 0xff],
            &[3, 0],
            &[3, 8, 0],
            &[4, 0],
            &[5],
        ] {
            assert_eq!(Said::from_bytes(bytes), None, "{bytes:?}");
        }
    }
}
