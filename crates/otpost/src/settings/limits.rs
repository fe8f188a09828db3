//! `[limits]`: how often things may happen, for all projects or for one.

use otpost_domain::Limit;
use otpost_service::{Exempt, Limits};

use super::problem::Origin;
use super::reader::Reader;

/// Where a limit of a project stands.
type Place = fn(&mut Limits) -> &mut Limit;

/// Every limit of a project, as configurations and answers name it.
const NAMED: [(&str, Place); 10] = [
    ("project_sends_per_minute", |limits| {
        &mut limits.project_sends_per_minute
    }),
    ("project_verifies_per_minute", |limits| {
        &mut limits.project_verifies_per_minute
    }),
    ("project_reads_per_minute", |limits| {
        &mut limits.project_reads_per_minute
    }),
    ("recipient_per_10_minutes", |limits| {
        &mut limits.recipient.per_10_minutes
    }),
    ("recipient_per_hour", |limits| {
        &mut limits.recipient.per_hour
    }),
    ("recipient_per_day", |limits| &mut limits.recipient.per_day),
    ("client_ip_per_10_minutes", |limits| {
        &mut limits.client_ip_per_10_minutes
    }),
    ("client_ip_per_day", |limits| &mut limits.client_ip_per_day),
    ("project_failures_per_day", |limits| {
        &mut limits.project_failures_per_day
    }),
    ("installation_mails_per_minute", |limits| {
        &mut limits.installation_mails_per_minute
    }),
];

/// The limit of requests without a valid key, which knows no project.
pub(crate) const PEER: &str = "peer_requests_per_second";
/// That limit where nothing is set.
pub(crate) const PEER_DEFAULT: Limit = Limit::new(100, 1);

/// The limits below `prefix`, which is empty or `projects.NAME.`; what is not set there is as in
/// `base`.
pub(crate) fn read(reader: &mut Reader, prefix: &str, base: &Limits) -> Limits {
    let mut limits = base.clone();
    for (name, place) in NAMED {
        let limit = place(&mut limits);
        *limit = quota(reader, &format!("{prefix}limits.{name}"), *limit);
    }
    if prefix.is_empty() {
        // A project has its own limits and shares those over all.
        limits.recipient_everywhere = limits.recipient.over_installation();
    }
    let path = format!("{prefix}limits.exempt_recipients");
    if let Some(recipients) = reader.list(&path) {
        let read: Vec<_> = recipients.iter().map(|text| Exempt::parse(text)).collect();
        if read.contains(&None) {
            let what = "holds what is neither an address such as qa@example.com nor a domain \
                        such as example.com";
            reader.refuse(&path, what);
        }
        limits.exempt_recipients = read.into_iter().flatten().collect();
    }
    limits
}

/// The limit of requests without a valid key.
pub(crate) fn read_peer(reader: &mut Reader, base: Limit) -> Limit {
    quota(reader, &format!("limits.{PEER}"), base)
}

/// The same limits, all switched off; what is set on top keeps its window.
pub(crate) fn off(limits: &Limits) -> Limits {
    let mut off = limits.clone();
    for (_, place) in NAMED {
        let limit = place(&mut off);
        *limit = limit.times(0);
    }
    off.recipient_everywhere = off.recipient.over_installation();
    off
}

/// The quota of every limit of a project, by name; 0 where it is off.
pub(crate) fn quotas(limits: &Limits) -> [(&'static str, u32); NAMED.len()] {
    let mut limits = limits.clone();
    NAMED.map(|(name, place)| (name, place(&mut limits).quota()))
}

/// The limit with the quota that is set at `path`, or as it was. A built-in default is not set:
/// it would switch on what a development run has off.
fn quota(reader: &mut Reader, path: &str, base: Limit) -> Limit {
    match reader.number(path) {
        Some(quota) if reader.origin(path) != Origin::Default => {
            Limit::new(quota, base.window_secs())
        }
        _ => base,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::known::{Kind, SETTINGS};

    #[test]
    fn the_table_of_settings_has_the_defaults_of_the_service() {
        let peer = [(PEER, PEER_DEFAULT.quota())];
        let mut expected: Vec<_> = quotas(&Limits::default()).into_iter().chain(peer).collect();
        let mut listed: Vec<_> = SETTINGS
            .iter()
            .filter(|setting| matches!(setting.kind, Kind::Number(..)))
            .filter_map(|setting| {
                let name = setting.path.strip_prefix("limits.")?;
                Some((name, setting.default?.parse().unwrap()))
            })
            .collect();
        expected.sort_unstable();
        listed.sort_unstable();
        assert_eq!(listed, expected);
    }

    #[test]
    fn a_limit_that_is_off_keeps_its_window() {
        let off = off(&Limits::default());
        assert!(quotas(&off).iter().all(|(_, quota)| *quota == 0));
        assert_eq!(off.recipient.per_10_minutes, Limit::new(0, 600));
        assert_eq!(off.project_failures_per_day, Limit::new(0, 86_400));
    }

    #[test]
    fn the_window_of_a_limit_is_the_one_in_its_name() {
        let mut limits = Limits::default();
        for (name, place) in NAMED {
            let window_secs = match name.rsplit_once("_per_").unwrap().1 {
                "minute" => 60,
                "10_minutes" => 600,
                "hour" => 3_600,
                "day" => 86_400,
                other => panic!("{other}"),
            };
            assert_eq!(place(&mut limits).window_secs(), window_secs, "{name}");
        }
    }
}
