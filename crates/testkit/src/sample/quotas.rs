//! Limits as tests need them: none but those that a test is about.

use otpost_domain::{Limit, Profile};
use otpost_ports::{Charge, NetworkDigest, Quotas, RecipientLimits, Subject};

/// The network from which the samples are sent.
pub const NETWORK: NetworkDigest = NetworkDigest([0x4e; 32]);

/// At most `quota` within the window that is the end of the limit's name.
#[must_use]
pub fn limit(name: &str, quota: u32) -> Limit {
    let window_secs = match name.rsplit_once("_per_").map(|(_, window)| window) {
        Some("minute") => 60,
        Some("10_minutes") => 600,
        Some("hour") => 3_600,
        Some("day") => 86_400,
        _ => panic!("{name} says no window"),
    };
    Limit::new(quota, window_secs)
}

/// What a mail of the project `acme`, asked for from [`NETWORK`], is counted against: these
/// limits by their names, every other one off.
#[must_use]
pub fn mail_quotas(limits: &[(&str, u32)]) -> Quotas {
    let project = Subject::project(&super::owner().project);
    let network = Subject::network_of(&super::owner().project, &NETWORK);
    let caller = [
        (project, 0, "project_sends_per_minute"),
        (Subject::installation(), 0, "installation_mails_per_minute"),
        (network.clone(), 0, "client_ip_per_10_minutes"),
        (network, 1, "client_ip_per_day"),
    ];
    quotas(caller, limits)
}

/// What a verification of the project `acme` is counted against: these limits by their names,
/// every other one off.
#[must_use]
pub fn verify_quotas(limits: &[(&str, u32)]) -> Quotas {
    let project = Subject::project(&super::owner().project);
    quotas([(project, 1, "project_verifies_per_minute")], limits)
}

fn quotas<const N: usize>(
    caller: [(Subject, usize, &'static str); N],
    limits: &[(&str, u32)],
) -> Quotas {
    let of_all = [
        "recipient_per_10_minutes",
        "recipient_per_hour",
        "recipient_per_day",
        "project_failures_per_day",
    ];
    for (name, _) in limits {
        let is_known = of_all.contains(name) || caller.iter().any(|(_, _, known)| known == name);
        assert!(is_known, "{name} limits something else");
    }
    let quota = |name: &str| {
        let given = limits.iter().find(|(given, _)| *given == name);
        given.map_or(0, |(_, quota)| *quota)
    };
    let named = |name: &str| limit(name, quota(name));
    let [per_10_minutes, per_hour, per_day, failures] = of_all.map(named);
    let caller = caller.map(|(subject, bucket, name)| Charge {
        subject,
        bucket,
        name,
        limit: named(name),
    });
    let recipient = RecipientLimits {
        per_10_minutes,
        per_hour,
        per_day,
    };
    Quotas {
        caller: caller.to_vec(),
        recipient,
        everywhere: recipient.over_installation(),
        failures,
        profile: Profile::Standard,
    }
}
