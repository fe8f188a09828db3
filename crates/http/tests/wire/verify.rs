//! `POST /verify`: every row of the table of outcomes.

use otpost_service::Policy;

use crate::support::{Answer, VERIFY, Wire};

const DOCUMENTED: &str = r#"{"success":false,"error":{"code":"INVALID_CODE","message":"The verification code is invalid or expired."}}"#;

/// The documented failure with `details`.
fn failure(details: &str) -> String {
    DOCUMENTED.replace(r#"."}}"#, &format!(r#".","details":{details}}}}}"#))
}

fn assert_refused(answer: &Answer, details: &str) {
    assert_eq!((answer.status, answer.text()), (400, &*failure(details)));
    assert_eq!(answer.header("www-authenticate"), None);
}

#[test]
fn the_right_code_is_answered_as_documented() {
    let wire = Wire::start();
    let session_id = wire.open();
    let answer = wire.verify(&session_id, &wire.code(&session_id));
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.text(),
        r#"{"success":true,"data":{"verified":true,"email":"user@example.com"}}"#
    );
    assert_eq!(wire.attempts(&session_id), 1);
    insta::assert_snapshot!("verify", answer.snapshot());
}

#[test]
fn a_wrong_code_is_an_attempt() {
    let wire = Wire::start();
    let session_id = wire.open();
    for (judged, remaining) in [(1, 4), (2, 3), (3, 2), (4, 1), (5, 0)] {
        let wrong = match judged {
            1 => wire.wrong_code(&session_id),
            _ => "000000".to_owned(),
        };
        let answer = wire.verify(&session_id, &wrong);
        let details = format!(r#"{{"reason":"wrong_code","attempts_remaining":{remaining}}}"#);
        assert_refused(&answer, &details);
        assert_eq!(wire.attempts(&session_id), judged);
    }
}

#[test]
fn attempts_used_up_refuse_also_the_right_code() {
    let wire = Wire::start();
    let session_id = wire.open();
    let (right, wrong) = (wire.code(&session_id), wire.wrong_code(&session_id));
    for _ in 0..5 {
        wire.verify(&session_id, &wrong);
    }
    for code in [&right, &wrong] {
        let answer = wire.ask_in_vain(&wire.verification(&session_id, code));
        assert_refused(&answer, r#"{"reason":"too_many_attempts"}"#);
    }
}

#[test]
fn the_right_code_succeeds_on_the_last_attempt() {
    let wire = Wire::start();
    let session_id = wire.open();
    let (right, wrong) = (wire.code(&session_id), wire.wrong_code(&session_id));
    for _ in 0..4 {
        wire.verify(&session_id, &wrong);
    }
    assert_eq!(wire.verify(&session_id, &right).status, 200);
    assert_eq!(wire.attempts(&session_id), 5);
}

#[test]
fn a_verified_session_verifies_nobody_again() {
    let wire = Wire::start();
    let session_id = wire.open();
    let (right, wrong) = (wire.code(&session_id), wire.wrong_code(&session_id));
    assert_eq!(wire.verify(&session_id, &right).status, 200);
    for code in [&*right, &*wrong, "x"] {
        let answer = wire.ask_in_vain(&wire.verification(&session_id, code));
        assert_refused(&answer, r#"{"reason":"already_verified"}"#);
    }
}

#[test]
fn the_instant_of_expiry_is_too_late() {
    let wire = Wire::start();
    let session_id = wire.open();
    let right = wire.code(&session_id);
    wire.clock.advance(300);
    let answer = wire.ask_in_vain(&wire.verification(&session_id, &right));
    assert_refused(&answer, r#"{"reason":"expired"}"#);

    wire.clock.advance_millis(-1);
    assert_eq!(wire.verify(&session_id, &right).status, 200);
}

#[test]
fn an_expired_session_says_so_before_it_looks_at_the_code() {
    let wire = Wire::start();
    let session_id = wire.open();
    wire.clock.advance(301);
    let answer = wire.ask_in_vain(&wire.verification(&session_id, "x"));
    assert_refused(&answer, r#"{"reason":"expired"}"#);
}

#[test]
fn what_is_no_code_of_the_length_is_no_attempt() {
    let wire = Wire::start();
    let session_id = wire.open();
    let long = "1".repeat(10_000);
    for code in [
        "12345", "1234567", "12345a", "hello", " ", "-", "½23456", &long,
    ] {
        let answer = wire.ask_in_vain(&wire.verification(&session_id, code));
        assert_refused(&answer, r#"{"reason":"malformed","attempts_remaining":5}"#);
    }
    assert_eq!(wire.attempts(&session_id), 0);
}

#[test]
fn another_address_or_purpose_is_an_attempt_and_a_mismatch() {
    let wire = Wire::start();
    let session_id = wire.open_with(r#"{"email":"User@example.com","template":"signup"}"#);
    let code = wire.code(&session_id);
    for (member, remaining) in [
        (r#""email":"other@example.com""#, 4),
        (r#""email":"user@example.com""#, 3),
        (r#""template":"reset""#, 2),
        (r#""purpose":"login""#, 1),
    ] {
        let body = format!(r#"{{"session_id":"{session_id}","code":"{code}",{member}}}"#);
        let answer = wire.ask(&wire.post(VERIFY, &body));
        let details = format!(r#"{{"reason":"mismatch","attempts_remaining":{remaining}}}"#);
        assert_refused(&answer, &details);
    }
    let body = format!(
        r#"{{"session_id":"{session_id}","code":"{code}","email":" User@EXAMPLE.com","purpose":"signup"}}"#
    );
    assert_eq!(wire.ask(&wire.post(VERIFY, &body)).status, 200);
}

#[test]
fn a_malformed_code_is_judged_before_a_mismatch() {
    let wire = Wire::start();
    let session_id = wire.open();
    let body = format!(r#"{{"session_id":"{session_id}","code":"12","template":"reset"}}"#);
    let answer = wire.ask_in_vain(&wire.post(VERIFY, &body));
    assert_refused(&answer, r#"{"reason":"malformed","attempts_remaining":5}"#);
}

#[test]
fn an_unknown_session_is_404() {
    let wire = Wire::start();
    wire.open();
    for id in [
        "abc123...",
        "0",
        "000000000000000000000000000000",
        "é",
        "a/b",
    ] {
        let answer = wire.ask_in_vain(&wire.verification(id, "123456"));
        assert_eq!(
            (answer.status, &*answer.code()),
            (404, "SESSION_NOT_FOUND"),
            "{id}"
        );
    }
    let answer = wire.ask_in_vain(&wire.verification("abc123...", "123456"));
    insta::assert_snapshot!("verify_not_found", answer.snapshot());
}

#[test]
fn a_session_whose_retention_is_over_is_404() {
    let wire = Wire::start();
    let session_id = wire.open();
    let code = wire.code(&session_id);
    // The hard end is 30 minutes after the opening, and 24 hours later it is forgotten.
    wire.clock.advance(1800 + 86_400 - 1);
    let answer = wire.verify(&session_id, &code);
    assert_refused(&answer, r#"{"reason":"expired"}"#);
    wire.clock.advance(1);
    assert_eq!(
        wire.ask_in_vain(&wire.verification(&session_id, &code))
            .status,
        404
    );
}

#[test]
fn either_set_of_names_works() {
    let wire = Wire::start();
    for (id, code) in [
        ("session_id", "code"),
        ("request_id", "otp"),
        ("requestId", "code"),
        ("session_id", "otp"),
    ] {
        let session_id = wire.open();
        let body = format!(
            r#"{{"{id}":"{session_id}","{code}":"{}"}}"#,
            wire.code(&session_id)
        );
        assert_eq!(
            wire.ask(&wire.post(VERIFY, &body)).status,
            200,
            "{id} {code}"
        );
    }
}

#[test]
fn two_names_of_one_member_are_400() {
    let wire = Wire::start();
    let session_id = wire.open();
    let code = wire.code(&session_id);
    for members in [
        format!(r#""session_id":"{session_id}","request_id":"{session_id}","code":"{code}""#),
        format!(r#""request_id":"{session_id}","requestId":"{session_id}","code":"{code}""#),
        format!(r#""session_id":"{session_id}","code":"{code}","otp":"{code}""#),
        format!(r#""session_id":"{session_id}","code":"{code}","code":"{code}""#),
    ] {
        let answer = wire.ask_in_vain(&wire.post(VERIFY, &format!("{{{members}}}")));
        assert_eq!((answer.status, &*answer.code()), (400, "MALFORMED_REQUEST"));
    }
}

#[test]
fn without_error_details_the_documented_body_remains() {
    let wire = Wire::start_with_policy(Policy {
        error_details: false,
        ..Policy::default()
    });
    let session_id = wire.open();
    let (right, wrong) = (wire.code(&session_id), wire.wrong_code(&session_id));
    for code in ["x", &wrong] {
        let answer = wire.verify(&session_id, code);
        assert_eq!((answer.status, answer.text()), (400, DOCUMENTED), "{code}");
    }
    assert_eq!(wire.verify(&session_id, &right).status, 200);
    assert_eq!(wire.verify(&session_id, &right).text(), DOCUMENTED);
    // What is wrong with a request is still said.
    let answer = wire.ask_in_vain(&wire.post(VERIFY, "{}"));
    assert_eq!(answer.fields(), ["code", "session_id"]);
}

#[test]
fn a_guess_is_never_lost_to_a_storage_that_is_away() {
    let wire = Wire::start();
    let session_id = wire.open();
    let code = wire.code(&session_id);
    wire.store.fail(true);
    let answer = wire.ask_in_vain(&wire.verification(&session_id, &code));
    assert_eq!(
        (answer.status, &*answer.code()),
        (503, "SERVICE_UNAVAILABLE")
    );
    assert!(answer.header("retry-after").is_some());
}
