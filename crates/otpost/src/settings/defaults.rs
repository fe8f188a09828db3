//! What holds where nothing is set.

use otpost_domain::Limit;
use otpost_service::Policy;

use super::limits;

/// The policy and the limits below all that is set.
#[derive(Clone, Debug)]
pub(crate) struct Defaults {
    /// `[policy]` and `[limits]`.
    pub(crate) policy: Policy,
    /// `limits.peer_requests_per_second`.
    pub(crate) peer_limit: Limit,
}

impl Defaults {
    /// Those of a development run: no limit, and addresses at which nothing arrives are taken.
    #[must_use]
    pub(crate) fn of_development() -> Self {
        let service = Self::default();
        Self {
            policy: Policy {
                limits: limits::off(&service.policy.limits),
                reserved_domains: true,
                ..service.policy
            },
            peer_limit: service.peer_limit.times(0),
        }
    }
}

/// Those of a service, as documented.
impl Default for Defaults {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            peer_limit: limits::PEER_DEFAULT,
        }
    }
}
