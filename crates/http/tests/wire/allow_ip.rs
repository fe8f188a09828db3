//! Keys that are accepted from some addresses only.

use otpost_domain::{ApiKey, Limit, Mode};

use crate::support::{Options, Request, SEND, Wire};

const BODY: &str = r#"{"email":"user@example.com"}"#;

/// Behind these proxies, with as many refusals a second; 0 for any number.
fn start(trusted_proxies: &[&str], refusals: u32) -> Wire {
    let trusted = trusted_proxies.iter().map(|range| range.parse().unwrap());
    Wire::start_with(Options {
        trusted_proxies: trusted.collect(),
        peer_limit: Limit::new(refusals, 1),
        ..Options::default()
    })
}

fn key(wire: &Wire, ranges: &[&str]) -> ApiKey {
    let ranges = ranges.iter().map(|range| range.parse().unwrap());
    wire.key(|new| new.allowed_from = ranges.collect())
}

fn send(key: &ApiKey) -> Request {
    Request::post(SEND, BODY).key(key)
}

/// Asks with a key from where it is not allowed: the answer is that to an unknown one.
fn refused(wire: &Wire, request: &Request) {
    let unknown = send(&ApiKey::new(Mode::Live, [9; 6], [9; 32]));
    let answer = wire.ask_in_vain(request);
    assert_eq!(answer.status, 401);
    assert_eq!(answer.snapshot(), wire.ask(&unknown).snapshot());
}

#[test]
fn a_key_is_accepted_from_its_ranges_alone() {
    for refusals in [0, 100] {
        let wire = start(&[], refusals);
        for ranges in [
            &["127.0.0.1"][..],
            &["127.0.0.0/8"],
            &["::ffff:127.0.0.1"],
            &["::ffff:127.0.0.0/104"],
            &["2001:db8::/32", "127.0.0.1", "192.0.2.0/24"],
            &[],
        ] {
            let answer = wire.ask(&send(&key(&wire, ranges)));
            assert_eq!(answer.status, 200, "{ranges:?}");
        }
        for ranges in [
            &["127.0.0.2"][..],
            &["192.0.2.0/24", "10.0.0.0/8"],
            &["::1"],
            &["::127.0.0.1"],
        ] {
            refused(&wire, &send(&key(&wire, ranges)));
        }
    }
}

#[test]
fn behind_a_trusted_proxy_the_client_counts() {
    for refusals in [0, 100] {
        let wire = start(&["127.0.0.0/8", "10.0.0.7"], refusals);
        let key = key(&wire, &["192.0.2.0/24", "2001:db8::/32"]);
        let from = |hops: &str| send(&key).header("X-Forwarded-For", hops);
        for hops in [
            "192.0.2.1",
            "::ffff:192.0.2.1",
            "192.0.2.1:5555",
            "198.51.100.1, 192.0.2.1",
            "192.0.2.1, 10.0.0.7",
            "2001:db8::1",
            "[2001:db8:ffff::1]:5555",
        ] {
            assert_eq!(wire.ask(&from(hops)).status, 200, "{hops}");
        }
        for hops in [
            "198.51.100.1",
            // What stands left of the client, the client itself may have sent.
            "192.0.2.1, 198.51.100.1",
            "2001:db9::1",
            "::192.0.2.1",
            "unknown",
            "",
        ] {
            refused(&wire, &from(hops));
        }
        refused(&wire, &send(&key));
    }
}

#[test]
fn a_client_that_a_proxy_hides_does_not_pass_for_the_proxy() {
    let wire = start(&["127.0.0.0/8"], 100);
    let key = key(&wire, &["127.0.0.1"]);
    let from = |hops: &str| send(&key).header("X-Forwarded-For", hops);
    assert_eq!(wire.ask(&send(&key)).status, 200, "the proxy itself");
    for hops in ["unknown", "203.0.113.9:70000", "203.0.113.9,", ""] {
        refused(&wire, &from(hops));
    }
}

#[test]
fn without_a_trusted_proxy_a_forwarded_address_is_not_believed() {
    for trusted in [&[][..], &["10.0.0.0/8"]] {
        let wire = start(trusted, 0);
        let elsewhere = key(&wire, &["192.0.2.0/24"]);
        refused(
            &wire,
            &send(&elsewhere).header("X-Forwarded-For", "192.0.2.1"),
        );
        let here = send(&key(&wire, &["127.0.0.1"]));
        let here = here.header("X-Forwarded-For", "198.51.100.1");
        assert_eq!(wire.ask(&here).status, 200);
    }
}

#[test]
fn from_elsewhere_not_even_the_permission_is_told() {
    let wire = start(&[], 0);
    let ranges = vec!["192.0.2.0/24".parse().unwrap()];
    let powerless = wire.key(|new| {
        new.permissions = crate::support::ADMIN;
        new.allowed_from = ranges;
    });
    refused(&wire, &send(&powerless));
}

#[test]
fn a_key_that_is_used_from_elsewhere_is_charged_like_an_unknown_one() {
    let wire = start(&["127.0.0.1"], 2);
    let key = key(&wire, &["192.0.2.0/24"]);
    let from = |hops: &str| send(&key).header("X-Forwarded-For", hops);
    for status in [401, 401, 429, 429] {
        assert_eq!(wire.ask_in_vain(&from("198.51.100.1")).status, status);
    }
    for _ in 0..3 {
        assert_eq!(wire.ask(&from("192.0.2.1")).status, 200);
    }
}
