//! What is digested of an `Idempotency-Key`.
//!
//! ```text
//! message = mode (1) ‖ endpoint (1) ‖ be32(length) ‖ project ‖ be32(length) ‖ key
//! ```
//!
//! The mode is 0 for live and 1 for test; the endpoint is 0 for send, 1 for verify and 2 for
//! resend. A request is digested as the digest of its key (32) ‖ its body.

use otpost_domain::Mode;
use otpost_ports::{Endpoint, Owner};

pub(crate) fn message(owner: &Owner, endpoint: Endpoint, key: &str) -> Vec<u8> {
    let mode = match owner.mode {
        Mode::Live => 0,
        Mode::Test => 1,
    };
    let endpoint = match endpoint {
        Endpoint::Send => 0,
        Endpoint::Verify => 1,
        Endpoint::Resend => 2,
    };
    let mut message = vec![mode, endpoint];
    for text in [owner.project.as_str(), key] {
        // A name and a key are short: neither length is ever cut.
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        message.extend(length.to_be_bytes());
        message.extend(text.as_bytes());
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use otpost_domain::ProjectName;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_requests_are_digested_as_the_same_message() {
        let mut messages = BTreeSet::new();
        for (project, key) in [("acme", "b"), ("acme", "bb"), ("acmeb", "b"), ("acm", "eb")] {
            for mode in [Mode::Live, Mode::Test] {
                let owner = Owner {
                    project: ProjectName::parse(project).unwrap(),
                    mode,
                };
                for endpoint in [Endpoint::Send, Endpoint::Verify, Endpoint::Resend] {
                    messages.insert(message(&owner, endpoint, key));
                }
            }
        }
        assert_eq!(messages.len(), 4 * 2 * 3);
    }

    #[test]
    fn the_layout_of_a_message_is_as_documented() {
        let owner = Owner {
            project: ProjectName::parse("acme").unwrap(),
            mode: Mode::Test,
        };
        let message = message(&owner, Endpoint::Verify, "key");
        assert_eq!(message, b"\x01\x01\0\0\0\x04acme\0\0\0\x03key");
    }
}
