//! Test keys: known codes, no cooldown, outcomes by the tag of an address.

use crate::support::{Answer, RESEND, Request, SEND, VERIFY, Wire};

fn post(wire: &Wire, path: &str, body: &str) -> Answer {
    let answer = wire.ask(&Request::post(path, body).key(&wire.test));
    assert_eq!(answer.header("otpost-test"), Some("true"), "{body}");
    answer
}

fn open(wire: &Wire, email: &str) -> String {
    let answer = post(wire, SEND, &format!(r#"{{"email":"{email}"}}"#));
    assert_eq!(answer.status, 200);
    answer.member("session_id")
}

fn verify(wire: &Wire, session_id: &str, code: &str) -> Answer {
    post(
        wire,
        VERIFY,
        &format!(r#"{{"session_id":"{session_id}","code":"{code}"}}"#),
    )
}

fn status(wire: &Wire, session_id: &str) -> Answer {
    let path = format!("/api/v1/otp/status/{session_id}");
    let answer = wire.ask(&Request::get(&path).key(&wire.test));
    assert_eq!(answer.header("otpost-test"), Some("true"));
    answer
}

#[test]
fn the_code_is_known_beforehand() {
    let wire = Wire::start();
    for (length, code) in [(4, "4242"), (6, "424242"), (8, "42424242")] {
        let body = format!(r#"{{"email":"user@example.com","code_length":{length}}}"#);
        let session_id = post(&wire, SEND, &body).member("session_id");
        assert_eq!(verify(&wire, &session_id, &"0".repeat(length)).status, 400);
        assert_eq!(verify(&wire, &session_id, code).status, 200, "{length}");
    }
}

#[test]
fn every_answer_says_that_it_is_a_test() {
    let wire = Wire::start();
    let session_id = open(&wire, "user@example.com");
    insta::assert_snapshot!("test_status", status(&wire, &session_id).snapshot());
    for (path, body) in [
        (SEND, "{"),
        (SEND, "{}"),
        (VERIFY, "[]"),
        (RESEND, r#"{"x":1}"#),
    ] {
        assert!(post(&wire, path, body).status >= 400);
    }
    let answer = wire.ask(
        &Request::post(SEND, "")
            .key(&wire.test)
            .without("Content-Type"),
    );
    assert_eq!(
        (answer.status, answer.header("otpost-test")),
        (415, Some("true"))
    );
    assert_eq!(wire.status("0").header("otpost-test"), None);
}

#[test]
fn there_is_no_cooldown_and_a_second_is_long_enough() {
    let wire = Wire::start();
    let body = r#"{"email":"user@example.com","expires_in":1}"#;
    let session_id = post(&wire, SEND, body).member("session_id");
    let again = format!(r#"{{"session_id":"{session_id}"}}"#);
    assert_eq!(post(&wire, RESEND, &again).status, 200);
    assert_eq!(post(&wire, RESEND, &again).status, 200);
    let answer = post(
        &wire,
        SEND,
        r#"{"email":"user@example.com","expires_in":0}"#,
    );
    assert_eq!(
        answer.message(),
        "The expires_in field must be between 1 and 3600."
    );
}

#[test]
fn a_tag_gives_an_expired_session() {
    let wire = Wire::start();
    let session_id = open(&wire, "user+expired@example.com");
    assert_eq!(status(&wire, &session_id).member("status"), "expired");
    let answer = verify(&wire, &session_id, "424242");
    assert!(answer.text().contains(r#""details":{"reason":"expired"}"#));
}

#[test]
fn a_tag_gives_an_exhausted_session() {
    let wire = Wire::start();
    let session_id = open(&wire, "user+exhausted@example.com");
    assert_eq!(status(&wire, &session_id).member("status"), "expired");
    let answer = verify(&wire, &session_id, "424242");
    assert!(
        answer
            .text()
            .contains(r#""details":{"reason":"too_many_attempts"}"#)
    );
    let answer = post(
        &wire,
        RESEND,
        &format!(r#"{{"session_id":"{session_id}"}}"#),
    );
    assert_eq!(answer.status, 410);
}

#[test]
fn a_tag_gives_a_limit_that_is_reached() {
    let wire = Wire::start();
    let answer = post(&wire, SEND, r#"{"email":"user+ratelimited@example.com"}"#);
    assert_eq!(answer.status, 429);
    assert!(wire.store.sessions().is_empty());
    insta::assert_snapshot!("test_rate_limited", answer.snapshot());
}

#[test]
fn a_tag_gives_a_mail_that_cannot_be_delivered() {
    let wire = Wire::start();
    let session_id = open(&wire, "user+undeliverable@example.com");
    assert_eq!(
        status(&wire, &session_id).header("otpost-delivery"),
        Some("failed")
    );
}

#[test]
fn a_tag_means_nothing_under_a_live_key() {
    let wire = Wire::start();
    let session_id = wire.open_with(r#"{"email":"user+expired@example.com"}"#);
    assert_eq!(wire.status(&session_id).member("status"), "pending");
}

#[test]
fn a_reserved_domain_is_taken() {
    let wire = Wire::start();
    open(&wire, "user@example.test");
}
