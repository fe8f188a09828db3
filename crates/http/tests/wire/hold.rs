//! The ladder: fewer guesses for an address with many failures, and the hold of the strict profile.

use otpost_domain::{Limit, Profile};
use otpost_service::{Limits, Policy};

use crate::support::{SEND, Wire};

const BODY: &str = r#"{"email":"user@example.com"}"#;

fn start(profile: Profile, limits: Limits) -> Wire {
    Wire::start_with_policy(Policy {
        profile,
        limits,
        ..Policy::default()
    })
}

#[test]
fn an_address_on_hold_is_sent_nothing() {
    let wire = start(Profile::Strict, Limits::off());
    wire.fail(99);
    let session_id = wire.open_with(BODY);
    wire.fail(100);

    let answer = wire.ask_in_vain(&wire.post(SEND, BODY));
    assert_eq!((answer.status, &*answer.code()), (403, "RECIPIENT_ON_HOLD"));
    insta::assert_snapshot!("hold_send", answer.snapshot());
    // However it is written.
    let tagged = wire.post(SEND, r#"{"email":"User+x@example.com"}"#);
    assert_eq!(wire.ask_in_vain(&tagged).status, 403);

    wire.clock.advance(60);
    let answer = wire.ask_in_vain(&wire.resend(&session_id));
    assert_eq!((answer.status, &*answer.code()), (403, "RECIPIENT_ON_HOLD"));
    insta::assert_snapshot!("hold_resend", answer.snapshot());
    wire.open_with(r#"{"email":"other@example.com"}"#);
}

#[test]
fn for_an_address_on_hold_not_even_the_right_code_is_judged() {
    let wire = start(Profile::Strict, Limits::off());
    let session_id = wire.open_with(BODY);
    let code = wire.code(&session_id);
    wire.fail(100);
    let typed = [code, wire.wrong_code(&session_id), "x".to_owned()];
    for code in &typed {
        let answer = wire.ask_in_vain(&wire.verification(&session_id, code));
        assert_eq!((answer.status, &*answer.code()), (400, "INVALID_CODE"));
        let details = r#""details":{"reason":"recipient_on_hold"}"#;
        assert!(answer.text().contains(details), "{}", answer.text());
    }
    let answer = wire.ask_in_vain(&wire.verification(&session_id, &typed[0]));
    insta::assert_snapshot!("hold_verify", answer.snapshot());
    assert_eq!(wire.attempts(&session_id), 0);
}

#[test]
fn what_a_session_is_comes_before_the_hold() {
    let wire = start(Profile::Strict, Limits::off());
    let verified = wire.open_with(BODY);
    let code = wire.code(&verified);
    assert_eq!(wire.verify(&verified, &code).status, 200);
    let expired = wire.open_with(BODY);
    wire.clock.advance(300);
    wire.fail(100);
    for (session_id, reason) in [(&verified, "already_verified"), (&expired, "expired")] {
        let answer = wire.ask_in_vain(&wire.verification(session_id, &code));
        let details = format!(r#""details":{{"reason":"{reason}"}}"#);
        assert!(answer.text().contains(&details), "{}", answer.text());
    }
    assert_eq!(wire.ask_in_vain(&wire.resend(&verified)).status, 409);
    assert_eq!(wire.ask_in_vain(&wire.resend(&expired)).status, 403);
}

#[test]
fn the_hold_comes_after_the_limits_of_a_project_and_before_those_of_an_address() {
    let mut limits = Limits::off();
    limits.recipient.per_day = Limit::new(1, 86_400);
    let wire = start(Profile::Strict, limits.clone());
    wire.fail(100);
    assert_eq!(wire.ask_in_vain(&wire.post(SEND, BODY)).status, 403);

    limits.project_sends_per_minute = Limit::new(1, 60);
    let wire = start(Profile::Strict, limits);
    wire.fail(100);
    let answer = wire.ask_in_vain(&wire.post(SEND, BODY));
    assert_eq!(answer.status, 429);
    assert!(answer.text().contains("project_sends_per_minute"));
}

#[test]
fn failures_narrow_a_session_that_was_opened_before_them() {
    let wire = start(Profile::Standard, Limits::off());
    let session_id = wire.open_with(BODY);
    for (failures, bound) in [(9, 5), (10, 3), (49, 3), (50, 1), (1000, 1)] {
        wire.fail(failures);
        let answer = wire.status(&session_id);
        let data = &answer.json()["data"];
        assert_eq!(
            (&data["status"], &data["attempts"]),
            (&"pending".into(), &0.into())
        );
        assert_eq!(data["max_attempts"], bound, "{failures}");
    }
    // It is never without its one guess, and closes with it.
    let right = wire.code(&session_id);
    let answer = wire.verify(&session_id, &wire.wrong_code(&session_id));
    assert!(answer.text().contains(r#""attempts_remaining":0"#));
    let answer = wire.verify(&session_id, &right);
    assert!(answer.text().contains(r#""reason":"too_many_attempts""#));
    assert_eq!(wire.attempts(&session_id), 1);
}

#[test]
fn a_success_lets_an_address_start_anew() {
    let wire = start(Profile::Standard, Limits::off());
    wire.fail(60);
    let session_id = wire.open_with(BODY);
    assert_eq!(
        wire.verify(&session_id, &wire.code(&session_id)).status,
        200
    );
    let fresh = wire.open_with(BODY);
    assert_eq!(wire.status(&fresh).json()["data"]["max_attempts"], 5);
}

#[test]
fn past_its_failures_a_project_has_single_guesses_and_only_the_strict_profile_refuses() {
    let mut limits = Limits::off();
    limits.project_failures_per_day = Limit::new(1, 86_400);
    let wire = start(Profile::Standard, limits.clone());
    wire.fail(1);
    let session_id = wire.open_with(BODY);
    assert_eq!(wire.status(&session_id).json()["data"]["max_attempts"], 1);
    assert_eq!(
        wire.verify(&session_id, &wire.code(&session_id)).status,
        200
    );

    let wire = start(Profile::Strict, limits);
    wire.fail(1);
    let session_id = wire.open_with(BODY);
    let right = wire.verification(&session_id, &wire.code(&session_id));
    let answer = wire.ask_in_vain(&right);
    assert_eq!((answer.status, &*answer.code()), (429, "RATE_LIMITED"));
    assert!(
        answer
            .text()
            .contains(r#""limit":"project_failures_per_day""#)
    );
}
