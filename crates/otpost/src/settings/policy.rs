//! `[policy]`: what callers may ask, for all projects or for one.

use otpost_domain::{CodeLength, Profile, ResendPolicy};
use otpost_service::{Policy, UnknownMembers};

use super::limits;
use super::problem::Origin;
use super::reader::Reader;

/// The longest `expires_in` of the strict profile, in seconds.
const STRICT_EXPIRES_IN_MAX: u32 = 300;
/// The longest life of a code of the strict profile, in seconds.
const STRICT_CODE_LIFETIME_MAX: u32 = 600;
/// The fewest digits of the strict profile.
const STRICT_CODE_LENGTH_MIN: CodeLength = CodeLength::DEFAULT;

/// What is set below `prefix`, which is empty or `projects.NAME.`, with its limits; what is not
/// set there is as in `base`. Neither is under its profile yet, so that a project inherits what
/// was set and not what the general profile made of it. The language is set elsewhere.
pub(crate) fn read(reader: &mut Reader, prefix: &str, base: &Policy) -> Policy {
    let path = |name: &str| format!("{prefix}policy.{name}");
    let code_length_min = reader.small_number(&path("code_length_min"));
    let resend = reader.choice(&path("resend")).map(|word| match word {
        "renew" => ResendPolicy::Renew,
        _ => ResendPolicy::Repeat,
    });
    let unknown_members = reader
        .choice(&path("unknown_members"))
        .map(|word| match word {
            "ignore" => UnknownMembers::Ignore,
            _ => UnknownMembers::Refuse,
        });
    let profile = reader.choice(&path("profile")).map(|word| match word {
        "strict" => Profile::Strict,
        _ => Profile::Standard,
    });
    Policy {
        expires_in_max: reader
            .number(&path("expires_in_max"))
            .unwrap_or(base.expires_in_max),
        code_length_min: code_length_min
            .and_then(CodeLength::new)
            .unwrap_or(base.code_length_min),
        attempts_max: reader
            .small_number(&path("attempts_max"))
            .unwrap_or(base.attempts_max),
        resends_max: reader
            .small_number(&path("resends_max"))
            .unwrap_or(base.resends_max),
        session_cooldown: reader
            .number(&path("session_cooldown"))
            .unwrap_or(base.session_cooldown),
        code_lifetime_max: reader
            .number(&path("code_lifetime_max"))
            .or(base.code_lifetime_max),
        resend: resend.unwrap_or(base.resend),
        error_details: reader
            .flag(&path("error_details"))
            .unwrap_or(base.error_details),
        unknown_members: unknown_members.unwrap_or(base.unknown_members),
        reserved_domains: base.reserved_domains,
        limits: limits::read(reader, prefix, &base.limits),
        profile: profile.unwrap_or(base.profile),
        language: base.language.clone(),
    }
}

/// What was read below `prefix`, under its profile.
pub(crate) fn under_profile(reader: &mut Reader, prefix: &str, policy: Policy) -> Policy {
    match policy.profile {
        Profile::Standard => policy,
        Profile::Strict => strict(reader, prefix, policy),
    }
}

/// The policy under the strict profile, which is more than the hold: what is set below `prefix`
/// and contradicts it is refused, what is not set is narrowed.
fn strict(reader: &mut Reader, prefix: &str, policy: Policy) -> Policy {
    let code_lifetime_max = policy.code_lifetime_max.unwrap_or(STRICT_CODE_LIFETIME_MAX);
    for (name, holds, rule) in [
        (
            "code_length_min",
            policy.code_length_min >= STRICT_CODE_LENGTH_MIN,
            "at least 6",
        ),
        (
            "expires_in_max",
            policy.expires_in_max <= STRICT_EXPIRES_IN_MAX,
            "at most 300",
        ),
        (
            "code_lifetime_max",
            code_lifetime_max <= STRICT_CODE_LIFETIME_MAX,
            "at most 600",
        ),
        (
            "resend",
            policy.resend == ResendPolicy::Renew,
            "always \"renew\"",
        ),
    ] {
        let path = format!("{prefix}policy.{name}");
        if !holds && reader.origin(&path) != Origin::Default {
            let what = format!(
                "contradicts policy.profile = \"strict\", under which it is {rule}: change it, \
                 or leave it out"
            );
            reader.refuse(&path, what);
        }
    }
    Policy {
        code_length_min: policy.code_length_min.max(STRICT_CODE_LENGTH_MIN),
        expires_in_max: policy.expires_in_max.min(STRICT_EXPIRES_IN_MAX),
        code_lifetime_max: Some(code_lifetime_max.min(STRICT_CODE_LIFETIME_MAX)),
        resend: ResendPolicy::Renew,
        ..policy
    }
}
