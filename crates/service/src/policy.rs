//! What an operator decides for all projects or for one, and what a caller may therefore ask.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::Limits;
use otpost_domain::{
    Address, CodeLength, Language, Mode, Profile, ProjectName, ResendPolicy, TemplateName, Terms,
    TermsRecord,
};
use otpost_ports::Catalogue;

/// What is done with a member of a request that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownMembers {
    /// It is refused by name, so that a typing error is never silently a default.
    Refuse,
    /// It is passed over, for clients that are being migrated.
    Ignore,
}

/// The rules of one project.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The longest lifetime that a caller may ask for, in seconds; at most
    /// [`Terms::LIFETIME_SECS_MAX`].
    pub expires_in_max: u32,
    /// The least number of digits that a caller may ask for.
    pub code_length_min: CodeLength,
    /// Guesses a session.
    pub attempts_max: u8,
    /// Resends a session.
    pub resends_max: u8,
    /// Seconds between two mails of a session.
    pub session_cooldown: u32,
    /// How long one code may live over all its mails, in seconds; `None`: twice the session's
    /// lifetime, at least 600.
    pub code_lifetime_max: Option<u32>,
    /// Which code a resend carries.
    pub resend: ResendPolicy,
    /// Whether a refused code's answer says why.
    pub error_details: bool,
    /// What is done with unknown members.
    pub unknown_members: UnknownMembers,
    /// Whether addresses are taken whose domain never receives mail: a development run.
    pub reserved_domains: bool,
    /// What the project, its recipients and its visitors may do.
    pub limits: Limits,
    /// What becomes of an address with many failures.
    pub profile: Profile,
    /// The language of mails whose request names none that there is.
    pub language: Language,
}

impl Policy {
    /// Lifetime of a session unless asked otherwise, in seconds.
    pub const EXPIRES_IN_DEFAULT: u32 = 300;
    /// The shortest lifetime that a live key may ask for, in seconds.
    pub const EXPIRES_IN_MIN: u32 = 30;
    /// The least that [`Policy::code_lifetime_max`] is when it is not set, in seconds.
    const CODE_LIFETIME_MAX_LEAST: u32 = 600;

    /// The terms of a new session; bounds are those of [`Rules`] and of the configuration.
    pub(crate) fn terms(&self, mode: Mode, lifetime_secs: u32, length: CodeLength) -> TermsRecord {
        let twice = 2 * lifetime_secs;
        TermsRecord {
            lifetime_secs,
            code_length: length.digits(),
            attempts_max: self.attempts_max,
            resends_max: self.resends_max,
            cooldown_secs: match mode {
                Mode::Live => self.session_cooldown,
                Mode::Test => 0,
            },
            code_lifetime_max_secs: self
                .code_lifetime_max
                .unwrap_or(twice.max(Self::CODE_LIFETIME_MAX_LEAST)),
            resend: self.resend,
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            expires_in_max: 3600,
            code_length_min: CodeLength::new(CodeLength::MIN).unwrap_or(CodeLength::DEFAULT),
            attempts_max: 5,
            resends_max: 4,
            session_cooldown: 30,
            code_lifetime_max: None,
            resend: ResendPolicy::Repeat,
            error_details: true,
            unknown_members: UnknownMembers::Refuse,
            reserved_domains: false,
            limits: Limits::default(),
            profile: Profile::Standard,
            language: Language::new("en"),
        }
    }
}

/// The policy of every project: its own, or the one for all others.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    /// For every project that has none of its own.
    pub general: Policy,
    /// By project.
    pub projects: BTreeMap<ProjectName, Policy>,
}

impl Policies {
    /// Strict, if any project is.
    #[must_use]
    pub fn strictest_profile(&self) -> Profile {
        let all = std::iter::once(&self.general).chain(self.projects.values());
        let is_strict = all
            .into_iter()
            .any(|policy| policy.profile == Profile::Strict);
        if is_strict {
            Profile::Strict
        } else {
            Profile::Standard
        }
    }

    /// The policy of `project`.
    #[must_use]
    pub fn of(&self, project: &ProjectName) -> &Policy {
        self.projects.get(project).unwrap_or(&self.general)
    }
}

/// What one caller may ask: a policy seen through the mode of a key.
#[derive(Clone, Debug)]
pub struct Rules<'a> {
    /// The policy of the caller's project.
    pub policy: &'a Policy,
    /// The messages of the caller's project.
    pub catalogue: Arc<Catalogue>,
    /// The mode of the caller's key.
    pub mode: Mode,
}

impl Rules<'_> {
    /// Lifetimes that may be asked for, in seconds.
    #[must_use]
    pub fn lifetime_secs(&self) -> RangeInclusive<u32> {
        let least = match self.mode {
            Mode::Live => Policy::EXPIRES_IN_MIN,
            Mode::Test => 1,
        };
        least..=self.policy.expires_in_max.min(Terms::LIFETIME_SECS_MAX)
    }

    /// Lifetime of a session for which none was asked, in seconds.
    #[must_use]
    pub fn lifetime_secs_default(&self) -> u32 {
        Policy::EXPIRES_IN_DEFAULT.min(self.policy.expires_in_max)
    }

    /// Numbers of digits that may be asked for.
    #[must_use]
    pub fn code_length(&self) -> RangeInclusive<u8> {
        self.policy.code_length_min.digits()..=CodeLength::MAX
    }

    /// The number of digits of a code for which none was asked.
    #[must_use]
    pub fn code_length_default(&self) -> CodeLength {
        CodeLength::DEFAULT.max(self.policy.code_length_min)
    }

    /// Whether mails may go to `address` at all.
    #[must_use]
    pub fn takes(&self, address: &Address) -> bool {
        self.mode == Mode::Test || self.policy.reserved_domains || !address.is_reserved()
    }

    /// Every template.
    #[must_use]
    pub fn templates(&self) -> &[TemplateName] {
        &self.catalogue.templates
    }

    /// The template called `name`.
    #[must_use]
    pub fn template(&self, name: &str) -> Option<&TemplateName> {
        self.templates()
            .iter()
            .find(|template| template.as_str() == name)
    }
}
