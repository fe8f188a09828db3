//! What an answer tells of limits: the fields `RateLimit` and `RateLimit-Policy` of the draft
//! draft-ietf-httpapi-ratelimit-headers, each a list of Structured Fields (RFC 9651, 3.1).

use std::fmt::Write as _;

use actix_web::http::header::HeaderName;
use otpost_domain::{Allowance, Limit};
use otpost_service::{Counted, Limited};

pub(crate) const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
pub(crate) const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The values of both fields.
#[derive(Default)]
struct Lists {
    limits: String,
    policies: String,
}

impl Lists {
    fn add(&mut self, name: &str, limit: Limit, allowance: Allowance) {
        let comma = if self.limits.is_empty() { "" } else { ", " };
        let (left, secs) = (allowance.remaining, allowance.full_in_secs);
        let (quota, window) = (limit.quota(), limit.window_secs());
        // Writing into a string cannot fail.
        let _ = write!(self.limits, r#"{comma}"{name}";r={left};t={secs}"#);
        let _ = write!(self.policies, r#"{comma}"{name}";q={quota};w={window}"#);
    }

    fn fields(self) -> [(HeaderName, String); 2] {
        [
            (RATE_LIMIT, self.limits),
            (RATE_LIMIT_POLICY, self.policies),
        ]
    }
}

/// What is left of every limit that was charged, and nothing where none was.
pub(crate) fn of_counted(counted: &[Counted]) -> Option<[(HeaderName, String); 2]> {
    if counted.is_empty() {
        return None;
    }
    let mut lists = Lists::default();
    for one in scarcest(counted) {
        lists.add(one.name, one.limit, one.allowance);
    }
    Some(lists.fields())
}

/// The fields of an answer that a limit refused.
pub(crate) fn of_refusal(limited: &Limited) -> [(HeaderName, String); 2] {
    let nothing = Allowance {
        remaining: 0,
        full_in_secs: wait_secs(limited),
    };
    let mut lists = Lists::default();
    lists.add(limited.name, limited.limit, nothing);
    lists.fields()
}

/// How long a limit waits, in whole seconds and never none: a client that comes back then is not
/// too early.
pub(crate) fn wait_secs(limited: &Limited) -> u32 {
    let wait = limited.wait;
    let secs = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    u32::try_from(secs).unwrap_or(u32::MAX).max(1)
}

/// Each name once. One that was charged for two subjects, such as a recipient of a project and of
/// the installation, is told of the one with less left.
fn scarcest(counted: &[Counted]) -> Vec<Counted> {
    let mut told: Vec<Counted> = Vec::new();
    for counted in counted {
        match told.iter_mut().find(|known| known.name == counted.name) {
            Some(known) if known.allowance.remaining > counted.allowance.remaining => {
                *known = *counted;
            }
            Some(_) => {}
            None => told.push(*counted),
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn counted(name: &'static str, quota: u32, remaining: u32) -> Counted {
        Counted {
            name,
            limit: Limit::new(quota, 600),
            allowance: Allowance {
                remaining,
                full_in_secs: 7,
            },
        }
    }

    #[test]
    fn every_limit_is_an_item_and_stands_there_once() {
        for (of_project, everywhere, quota, left) in [(4, 14, 5, 4), (4, 1, 15, 1), (3, 3, 5, 3)] {
            let told = of_counted(&[
                counted("recipient", 5, of_project),
                counted("project", 60, 59),
                counted("recipient", 15, everywhere),
            ]);
            let limits = format!(r#""recipient";r={left};t=7, "project";r=59;t=7"#);
            let policies = format!(r#""recipient";q={quota};w=600, "project";q=60;w=600"#);
            assert_eq!(
                told.unwrap(),
                [(RATE_LIMIT, limits), (RATE_LIMIT_POLICY, policies)]
            );
        }
    }

    #[test]
    fn what_was_not_counted_says_nothing() {
        assert_eq!(of_counted(&[]), None);
    }

    #[test]
    fn a_wait_is_told_in_whole_seconds_and_never_none() {
        for (millis, secs) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (59_999, 60)] {
            let limited = Limited {
                name: "project",
                limit: Limit::new(60, 60),
                wait: Duration::from_millis(millis),
            };
            assert_eq!(wait_secs(&limited), secs, "{millis}");
            let [(_, limits), (_, policies)] = of_refusal(&limited);
            assert_eq!(limits, format!(r#""project";r=0;t={secs}"#));
            assert_eq!(policies, r#""project";q=60;w=60"#);
        }
    }
}
