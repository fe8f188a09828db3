//! `[policy]`: what callers may ask, for all projects or for one.

use otpost_domain::{CodeLength, ResendPolicy};
use otpost_service::{Policy, UnknownMembers};

use super::reader::Reader;

/// The policy below `prefix`, which is empty or `projects.NAME.`; what is not set there is as in
/// `base`. The language is set elsewhere.
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
        language: base.language.clone(),
    }
}
