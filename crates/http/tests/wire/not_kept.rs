//! `Idempotency-Key`: what was refused is not kept, so that the same request may be tried again.

use otpost_domain::{Limit, Profile};
use otpost_service::{Limits, Policy};

use crate::idempotency::{fresh, replayed, start};
use crate::support::{Request, SEND, Wire};

const BODY: &str = r#"{"email":"user@example.com"}"#;

#[test]
fn what_is_refused_before_the_use_case_is_not_kept() {
    let wire = start();
    let powerless = wire.admin();
    let send = Request::post(SEND, BODY).once("k");
    let keyed = send.clone().key(&wire.live);
    for (what, status, request) in [
        ("no key", 401, send.clone()),
        (
            "half a header",
            400,
            send.clone().header("Authorization", "Bearer"),
        ),
        ("no permission", 403, send.clone().key(&powerless)),
        ("no type", 415, keyed.clone().without("Content-Type")),
        (
            "too large",
            413,
            keyed.clone().body(" ".repeat(16 * 1024 + 1)),
        ),
        ("no JSON", 400, keyed.clone().body("{")),
        ("no address", 422, keyed.clone().body("{}")),
        (
            "no path",
            404,
            wire.post("/api/v1/otp/nothing", BODY).once("k"),
        ),
    ] {
        let answer = wire.ask_in_vain(&request);
        assert_eq!(answer.status, status, "{what}");
        assert!(!answer.is_replayed(), "{what}");
    }
    let first = fresh(&wire, &keyed, 200);
    replayed(&wire, &keyed, &first);
}

#[test]
fn a_limit_is_not_kept() {
    let wire = Wire::start_with_limits(|limits| {
        limits.project_sends_per_minute = Limit::new(2, 60);
        limits.project_verifies_per_minute = Limit::new(1, 60);
    });
    let session_id = wire.open();
    let resend = wire.resend(&session_id).once("k");
    // The cooldown, and then a limit.
    assert_eq!(wire.ask_in_vain(&resend).status, 429);
    wire.open();
    let send = wire.post(SEND, BODY).once("k");
    assert_eq!(wire.ask_in_vain(&send).status, 429);
    wire.clock.advance(30);
    fresh(&wire, &resend, 200);
    wire.clock.advance(30);
    fresh(&wire, &send, 200);

    let wrong = wire.verification(&session_id, &wire.wrong_code(&session_id));
    fresh(&wire, &wrong, 400);
    let wrong = wrong.once("k");
    assert_eq!(wire.ask_in_vain(&wrong).status, 429);
    wire.clock.advance(60);
    let refused = fresh(&wire, &wrong, 400);
    assert_eq!(wire.attempts(&session_id), 2);
    // What came before is said again also where a limit would refuse it now.
    replayed(&wire, &wrong, &refused);
}

#[test]
fn a_limit_of_test_keys_is_not_kept() {
    let wire = start();
    let limited = Request::post(SEND, r#"{"email":"user+ratelimited@example.com"}"#).once("k");
    assert_eq!(
        wire.ask_in_vain(&limited.clone().key(&wire.test)).status,
        429
    );
    fresh(
        &wire,
        &Request::post(SEND, BODY).once("k").key(&wire.test),
        200,
    );
}

#[test]
fn a_hold_is_not_kept() {
    let wire = Wire::start_with_policy(Policy {
        profile: Profile::Strict,
        limits: Limits::off(),
        ..Policy::default()
    });
    wire.fail(1);
    let session_id = wire.open();
    let send = wire.post(SEND, BODY).once("k");
    let resend = wire.resend(&session_id).once("k");
    let verify = wire
        .verification(&session_id, &wire.code(&session_id))
        .once("k");
    wire.clock.advance(60);
    wire.count(100);
    for (what, request, status) in [
        ("send", &send, 403),
        ("resend", &resend, 403),
        ("verify", &verify, 400),
    ] {
        let answer = wire.ask_in_vain(request);
        assert_eq!(answer.status, status, "{what}");
        assert!(
            answer.text().to_lowercase().contains("recipient_on_hold"),
            "{what}"
        );
    }
    wire.count(1);
    fresh(&wire, &send, 200);
    fresh(&wire, &resend, 200);
    fresh(&wire, &verify, 200);
}

#[test]
fn a_service_that_cannot_is_not_kept() {
    let wire = start();
    let send = wire.post(SEND, BODY).once("k");
    wire.store.fail(true);
    assert_eq!(wire.ask_in_vain(&send).status, 503);
    wire.store.fail(false);
    wire.entropy.fail(true);
    assert_eq!(wire.ask_in_vain(&send).status, 500);
    wire.entropy.fail(false);
    let first = fresh(&wire, &send, 200);

    let session_id = first.member("session_id");
    let wrong = wire
        .verification(&session_id, &wire.wrong_code(&session_id))
        .once("k");
    wire.clock.advance(30);
    let resend = wire.resend(&session_id).once("k");
    for request in [&wrong, &resend] {
        wire.store.fail(true);
        assert_eq!(wire.ask_in_vain(request).status, 503);
        wire.store.fail(false);
    }
    fresh(&wire, &wrong, 400);
    fresh(&wire, &resend, 200);
    assert_eq!(wire.attempts(&session_id), 1);
}

#[test]
fn an_unknown_session_is_no_resend_to_keep() {
    let wire = start();
    let lost = wire.resend("nobody").once("k");
    let answer = wire.ask_in_vain(&lost);
    assert_eq!((answer.status, answer.is_replayed()), (404, false));
    let session_id = wire.open();
    wire.clock.advance(30);
    fresh(&wire, &wire.resend(&session_id).once("k"), 200);
}
