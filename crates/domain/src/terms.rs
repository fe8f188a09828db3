//! The terms that a session is opened under and keeps, whatever the configuration says later.

use core::fmt;

use crate::CodeLength;

/// Which code a resend carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ResendPolicy {
    /// The code in force while it has life enough, so that the mail already on its way keeps its
    /// worth; then a new one.
    Repeat,
    /// Always a new one.
    Renew,
}

/// Terms as plain numbers, to be checked by [`Terms::new`]; also the form in which they are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TermsRecord {
    /// How long a code can be answered after each mail: 1 to 86 400 seconds.
    pub lifetime_secs: u32,
    /// Digits of the code: 4 to 8.
    pub code_length: u8,
    /// Guesses in all: 1 to 10.
    pub attempts_max: u8,
    /// Resends in all: 0 to 10.
    pub resends_max: u8,
    /// Time between two mails: 0 to 3 600 seconds.
    pub cooldown_secs: u32,
    /// How long one code may live over all its mails: 1 to 172 800 seconds.
    pub code_lifetime_max_secs: u32,
    /// Which code a resend carries.
    pub resend: ResendPolicy,
}

/// Checked terms of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    record: TermsRecord,
    code_length: CodeLength,
}

impl Terms {
    /// The longest lifetime: 24 hours, what NIST SP 800-63A-4, 3.8 allows a code sent by e-mail.
    pub const LIFETIME_SECS_MAX: u32 = 86_400;
    /// The most guesses that a session can have.
    pub const ATTEMPTS_MAX: u8 = 10;
    /// The most resends that a session can have.
    pub const RESENDS_MAX: u8 = 10;
    /// The longest cooldown.
    pub const COOLDOWN_SECS_MAX: u32 = 3_600;
    /// The longest life of one code.
    pub const CODE_LIFETIME_SECS_MAX: u32 = 2 * Self::LIFETIME_SECS_MAX;
    /// A session can be resent for at least this long after it was opened: 30 minutes.
    pub const HARD_END_SECS_MIN: u32 = 1_800;

    /// Checks every number against its bounds.
    ///
    /// # Errors
    ///
    /// The first term that is out of bounds.
    pub fn new(record: TermsRecord) -> Result<Self, InvalidTerms> {
        let code_length = CodeLength::new(record.code_length).ok_or(InvalidTerms::CodeLength)?;
        let bounds = [
            (
                record.lifetime_secs,
                1,
                Self::LIFETIME_SECS_MAX,
                InvalidTerms::Lifetime,
            ),
            (
                record.attempts_max.into(),
                1,
                Self::ATTEMPTS_MAX.into(),
                InvalidTerms::Attempts,
            ),
            (
                record.resends_max.into(),
                0,
                Self::RESENDS_MAX.into(),
                InvalidTerms::Resends,
            ),
            (
                record.cooldown_secs,
                0,
                Self::COOLDOWN_SECS_MAX,
                InvalidTerms::Cooldown,
            ),
            (
                record.code_lifetime_max_secs,
                1,
                Self::CODE_LIFETIME_SECS_MAX,
                InvalidTerms::CodeLifetime,
            ),
        ];
        for (value, least, most, error) in bounds {
            if value < least || value > most {
                return Err(error);
            }
        }
        Ok(Self {
            record,
            code_length,
        })
    }

    /// The terms as plain numbers.
    #[must_use]
    pub const fn record(&self) -> TermsRecord {
        self.record
    }

    /// Digits of the code.
    #[must_use]
    pub const fn code_length(&self) -> CodeLength {
        self.code_length
    }

    /// How long a code can be answered after each mail, in seconds.
    #[must_use]
    pub const fn lifetime_secs(&self) -> u32 {
        self.record.lifetime_secs
    }

    /// Guesses in all.
    #[must_use]
    pub const fn attempts_max(&self) -> u8 {
        self.record.attempts_max
    }

    /// Seconds from the opening to the hard end: 30 minutes or twice the lifetime, whichever is
    /// longer.
    #[must_use]
    pub const fn hard_end_secs(&self) -> u32 {
        let twice = 2 * self.record.lifetime_secs;
        if twice > Self::HARD_END_SECS_MIN {
            twice
        } else {
            Self::HARD_END_SECS_MIN
        }
    }
}

/// Which term is out of bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidTerms {
    /// [`TermsRecord::lifetime_secs`].
    Lifetime,
    /// [`TermsRecord::code_length`].
    CodeLength,
    /// [`TermsRecord::attempts_max`].
    Attempts,
    /// [`TermsRecord::resends_max`].
    Resends,
    /// [`TermsRecord::cooldown_secs`].
    Cooldown,
    /// [`TermsRecord::code_lifetime_max_secs`].
    CodeLifetime,
}

impl fmt::Display for InvalidTerms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lifetime => "the lifetime is out of bounds",
            Self::CodeLength => "the code length is out of bounds",
            Self::Attempts => "the number of attempts is out of bounds",
            Self::Resends => "the number of resends is out of bounds",
            Self::Cooldown => "the cooldown is out of bounds",
            Self::CodeLifetime => "the longest life of a code is out of bounds",
        })
    }
}

impl core::error::Error for InvalidTerms {}
