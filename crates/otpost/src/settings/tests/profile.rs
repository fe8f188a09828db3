//! What a profile makes of a policy, and for whom.

use super::*;

type Narrowed = (Profile, u8, u32, Option<u32>, ResendPolicy);

/// A policy under the strict profile, beside which nothing is set.
const STRICT: Narrowed = (Profile::Strict, 6, 300, Some(600), ResendPolicy::Renew);

/// What the strict profile narrows.
fn narrowed(policy: &Policy) -> Narrowed {
    (
        policy.profile,
        policy.code_length_min.digits(),
        policy.expires_in_max,
        policy.code_lifetime_max,
        policy.resend,
    )
}

#[test]
fn the_strict_profile_narrows_what_is_not_set() {
    let all = load("policy.profile = \"strict\"", &[]).unwrap();
    assert_eq!(narrowed(&all.policy), STRICT);

    let toml = "[policy]\nexpires_in_max = 3600\nresend = \"repeat\"\n\
                [projects.bank.policy]\nprofile = \"strict\"";
    let one = load(toml, &[]).unwrap();
    let bank = &one.projects[&ProjectName::parse("bank").unwrap()];
    assert_eq!(narrowed(&bank.policy), STRICT);
    assert_eq!(one.policy.profile, Profile::Standard);
    assert_eq!(one.policy.expires_in_max, 3600);

    let toml = "[policy]\nprofile = \"strict\"\ncode_length_min = 8\nexpires_in_max = 60\n\
                code_lifetime_max = 90\nresend = \"renew\"";
    let stricter = load(toml, &[]).unwrap();
    let expected = (Profile::Strict, 8, 60, Some(90), ResendPolicy::Renew);
    assert_eq!(narrowed(&stricter.policy), expected);
}

#[test]
fn a_project_inherits_what_is_set_and_not_what_the_general_profile_makes_of_it() {
    let toml = "[policy]\nprofile = \"strict\"\nattempts_max = 3\n\
                [projects.shop.policy]\nprofile = \"standard\"\n\
                [projects.bank]\nproduct = \"Bank\"\n\
                [projects.desk.policy]\nexpires_in_max = 60";
    let settings = load(toml, &[]).unwrap();
    let desk = (Profile::Strict, 6, 60, Some(600), ResendPolicy::Renew);
    let shop = (Profile::Standard, 4, 3_600, None, ResendPolicy::Repeat);
    assert_eq!(narrowed(&settings.policy), STRICT);
    for (name, expected) in [("shop", shop), ("bank", STRICT), ("desk", desk)] {
        let policy = &settings.projects[&ProjectName::parse(name).unwrap()].policy;
        assert_eq!(narrowed(policy), expected, "{name}");
        assert_eq!(policy.attempts_max, 3, "{name}");
    }
}

#[test]
fn a_project_that_is_strict_by_the_general_profile_is_held_to_its_rules() {
    let toml = "policy.profile = \"strict\"\nprojects.bank.policy.expires_in_max = 301";
    let refused = refusal(toml, &[]);
    let path = "projects.bank.policy.expires_in_max (in ";
    assert!(
        refused.contains(path) && refused.contains("at most 300"),
        "{refused}"
    );
    assert_eq!(refused.lines().count(), 2, "{refused}");
}

#[test]
fn a_setting_that_contradicts_the_strict_profile_is_refused_with_the_rule() {
    for (setting, rule) in [
        ("code_length_min = 4", "at least 6"),
        ("expires_in_max = 3600", "at most 300"),
        ("code_lifetime_max = 601", "at most 600"),
        ("resend = \"repeat\"", "always \"renew\""),
    ] {
        for prefix in ["", "projects.bank."] {
            let toml = format!("{prefix}policy.profile = \"strict\"\n{prefix}policy.{setting}");
            let refused = refusal(&toml, &[]);
            let (name, _) = setting.split_once(' ').unwrap();
            for part in [&format!("{prefix}policy.{name} (in "), "\"strict\"", rule] {
                assert!(refused.contains(part), "{part} is not in {refused}");
            }
            assert_eq!(refused.lines().count(), 2, "{refused}");
        }
    }
}
