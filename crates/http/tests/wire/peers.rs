//! Floods of requests without a valid key.

use otpost_domain::{ApiKey, Limit, Mode, Permissions};

use crate::support::{Answer, Options, Request, SEND, Wire};

const BODY: &str = r#"{"email":"user@example.com"}"#;

/// Two refusals a second, behind these proxies.
fn start(trusted_proxies: &[&str]) -> Wire {
    let trusted = trusted_proxies.iter().map(|range| range.parse().unwrap());
    Wire::start_with(Options {
        peer_limit: Limit::new(2, 1),
        trusted_proxies: trusted.collect(),
        ..Options::default()
    })
}

fn unknown() -> ApiKey {
    ApiKey::new(Mode::Live, [9; 6], [9; 32])
}

fn assert_refused(answer: &Answer) {
    assert_eq!((answer.status, &*answer.code()), (429, "RATE_LIMITED"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    let details = r#""details":{"limit":"peer_requests_per_second","retry_after":1}"#;
    assert!(answer.text().contains(details), "{}", answer.text());
}

#[test]
fn whatever_is_wrong_with_a_credential_is_charged_and_then_refused_without_the_storage() {
    let wire = start(&[]);
    let powerless = wire.key(|new| new.permissions = Permissions::default());
    let without = Request::post(SEND, BODY);
    let bad = without.clone().key(&unknown());
    let malformed = without.clone().header("Authorization", "Bearer");
    for (first, second) in [(&without, &bad), (&bad, &malformed), (&malformed, &without)] {
        assert_ne!(wire.ask_in_vain(first).status, 429);
        assert_ne!(wire.ask_in_vain(second).status, 429);
        // A storage that is away would be 503, if it was asked.
        wire.store.fail(true);
        for request in [&without, &bad, &malformed] {
            assert_refused(&wire.ask_in_vain(request));
        }
        wire.store.fail(false);
        wire.clock.advance(1);
    }
    // A key without permission is a key all the same.
    for _ in 0..5 {
        let answer = wire.ask_in_vain(&without.clone().key(&powerless));
        assert_eq!(answer.status, 403);
    }
}

/// How many of as many requests at once were answered with each of `statuses`; there must be no
/// other.
fn ask_at_once<const N: usize>(
    wire: &Wire,
    request: &Request,
    times: usize,
    statuses: [u16; N],
) -> [usize; N] {
    let answers = wire.ask_at_once(request, times);
    let found: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    let counts = statuses.map(|status| found.iter().filter(|found| **found == status).count());
    assert_eq!(counts.iter().sum::<usize>(), times, "{found:?}");
    counts
}

#[test]
fn requests_under_way_do_not_overshoot_the_limit() {
    let wire = start(&[]);
    let flood = Request::post(SEND, BODY).key(&unknown());

    let counts = ask_at_once(&wire, &flood, 60, [401, 429]);

    assert_eq!((counts, wire.store.lookups()), ([2, 58], 2));
    assert!(wire.store.sessions().is_empty());
}

#[test]
fn a_key_that_was_not_accepted_yet_is_charged_while_it_is_looked_up_and_no_longer() {
    let wire = start(&[]);
    let flood = Request::post(SEND, BODY).key(&unknown());
    let nothing_sent = wire.post(SEND, "{}");

    assert_eq!(ask_at_once(&wire, &nothing_sent, 60, [422, 429]), [2, 58]);

    // Nothing is left of the charge, and from now on there is none.
    assert_eq!(ask_at_once(&wire, &nothing_sent, 60, [422, 429]), [60, 0]);
    assert_eq!(ask_at_once(&wire, &flood, 60, [401, 429]), [2, 58]);
    assert_eq!(ask_at_once(&wire, &nothing_sent, 60, [422, 429]), [60, 0]);
    assert_refused(&wire.ask_in_vain(&flood));
}

#[test]
fn a_key_that_was_not_accepted_yet_is_refused_until_a_peer_with_its_limit_used_up_has_paid() {
    let wire = start(&[]);
    let flood = Request::post(SEND, BODY).key(&unknown());
    for _ in 0..2 {
        assert_eq!(wire.ask_in_vain(&flood).status, 401);
    }
    assert_refused(&wire.ask_in_vain(&wire.post(SEND, BODY)));
    wire.clock.advance_millis(500);
    wire.open();
    assert_eq!(wire.ask_in_vain(&flood).status, 401);
    assert_refused(&wire.ask_in_vain(&flood));
    wire.open();
}

#[test]
fn the_refusal_is_as_written() {
    let wire = start(&[]);
    let flood = Request::post(SEND, BODY).key(&unknown());
    wire.ask_in_vain(&flood);
    wire.ask_in_vain(&flood);
    insta::assert_snapshot!("peers", wire.ask_in_vain(&flood).snapshot());
    // Half a second pays one back.
    wire.clock.advance_millis(499);
    assert_refused(&wire.ask_in_vain(&flood));
    wire.clock.advance_millis(1);
    assert_eq!(wire.ask_in_vain(&flood).status, 401);
    assert_refused(&wire.ask_in_vain(&flood));
}

#[test]
fn a_key_that_works_goes_on_working_for_everyone_behind_the_same_address() {
    let wire = start(&[]);
    wire.open();
    let flood = Request::post(SEND, BODY).key(&unknown());
    for _ in 0..5 {
        wire.ask_in_vain(&flood);
    }
    assert_refused(&wire.ask_in_vain(&flood));
    for _ in 0..5 {
        wire.open();
    }
    assert_refused(&wire.ask_in_vain(&flood));
    // Revoked, it is looked up once more, and then no more. What was read of it is believed for a
    // second, in which the peer has paid.
    wire.revoke(&wire.live);
    wire.clock.advance(1);
    for _ in 0..2 {
        assert_eq!(wire.ask_in_vain(&flood).status, 401);
    }
    let revoked = wire.post(SEND, BODY);
    assert_eq!(wire.ask_in_vain(&revoked).status, 401);
    assert_refused(&wire.ask_in_vain(&revoked));
}

#[test]
fn requests_with_a_key_and_paths_without_one_are_not_charged() {
    let wire = start(&[]);
    for _ in 0..5 {
        wire.open();
        assert_eq!(wire.ask(&wire.post(SEND, "{}")).status, 422);
        assert_eq!(wire.ask(&Request::get("/healthz")).status, 200);
        assert_eq!(wire.ask(&Request::get("/nothing")).status, 404);
        assert_eq!(wire.ask(&Request::get(SEND)).status, 405);
    }
    assert_eq!(wire.ask_in_vain(&Request::post(SEND, BODY)).status, 401);
}

#[test]
fn a_storage_that_is_away_charges_nobody() {
    let wire = start(&[]);
    wire.store.fail(true);
    for _ in 0..5 {
        let answer = wire.ask_in_vain(&wire.post(SEND, BODY));
        assert_eq!(answer.status, 503);
    }
    wire.store.fail(false);
    wire.open();
}

#[test]
fn behind_a_trusted_proxy_each_client_is_a_peer() {
    let wire = start(&["127.0.0.0/8", "10.0.0.7"]);
    let from = |hops: &str| Request::post(SEND, BODY).header("X-Forwarded-For", hops);
    for _ in 0..2 {
        assert_eq!(wire.ask_in_vain(&from("192.0.2.1")).status, 401);
    }
    // What stands left of the client, the client itself may have sent.
    for same in [
        "192.0.2.1",
        "198.51.100.1, 192.0.2.1",
        "192.0.2.1, 10.0.0.7",
    ] {
        assert_refused(&wire.ask_in_vain(&from(same)));
    }
    for other in ["192.0.2.2", "192.0.2.1, 192.0.2.3", "2001:db8::1"] {
        assert_eq!(wire.ask_in_vain(&from(other)).status, 401, "{other}");
    }
    assert_eq!(wire.ask_in_vain(&from("2001:db8::2")).status, 401);
    assert_refused(&wire.ask_in_vain(&from("2001:db8::3")));
}

#[test]
fn without_a_trusted_proxy_a_forwarded_address_is_not_believed() {
    for trusted in [&[][..], &["10.0.0.0/8"]] {
        let wire = start(trusted);
        let from = |hops: &str| Request::post(SEND, BODY).header("X-Forwarded-For", hops);
        assert_eq!(wire.ask_in_vain(&from("192.0.2.1")).status, 401);
        assert_eq!(wire.ask_in_vain(&from("192.0.2.2")).status, 401);
        assert_refused(&wire.ask_in_vain(&from("192.0.2.3")));
    }
}

#[test]
fn by_default_there_is_no_such_limit() {
    let wire = Wire::start();
    for _ in 0..300 {
        assert_eq!(wire.ask_in_vain(&Request::post(SEND, BODY)).status, 401);
    }
}
