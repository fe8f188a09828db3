//! `GET /status/{session_id}`: true at the instant of the answer, and changing nothing.

use crate::support::{Request, Wire};

fn line(wire: &Wire, session_id: &str) -> (String, u64) {
    let before = wire.store.sessions();
    let answer = wire.status(session_id);
    assert_eq!(wire.store.sessions(), before);
    assert_eq!(answer.status, 200);
    let attempts = answer.json()["data"]["attempts"].as_u64().unwrap();
    (answer.member("status"), attempts)
}

#[test]
fn the_answer_has_the_documented_six_members() {
    let wire = Wire::start();
    let session_id = wire.open();
    let wrong = wire.wrong_code(&session_id);
    wire.verify(&session_id, &wrong);
    wire.verify(&session_id, &wrong);
    let answer = wire.status(&session_id);
    assert_eq!(
        answer.text(),
        format!(
            r#"{{"success":true,"data":{{"session_id":"{session_id}","email":"user@example.com","status":"pending","attempts":2,"max_attempts":5,"expires_at":"2026-01-09T12:05:00Z"}}}}"#
        )
    );
    assert_eq!(answer.header("otpost-delivery"), Some("queued"));
    insta::assert_snapshot!("status", answer.snapshot());
}

#[test]
fn past_its_deadline_a_session_is_expired() {
    let wire = Wire::start();
    let session_id = wire.open();
    wire.clock.advance_millis(299_999);
    assert_eq!(line(&wire, &session_id), ("pending".to_owned(), 0));
    wire.clock.advance_millis(1);
    assert_eq!(line(&wire, &session_id), ("expired".to_owned(), 0));
}

#[test]
fn with_its_attempts_used_up_a_session_is_expired() {
    let wire = Wire::start();
    let session_id = wire.open();
    let wrong = wire.wrong_code(&session_id);
    for _ in 0..5 {
        wire.verify(&session_id, &wrong);
    }
    assert_eq!(line(&wire, &session_id), ("expired".to_owned(), 5));
}

#[test]
fn a_verified_session_stays_verified() {
    let wire = Wire::start();
    let session_id = wire.open();
    wire.verify(&session_id, &wire.code(&session_id));
    assert_eq!(line(&wire, &session_id), ("verified".to_owned(), 1));
    wire.clock.advance(3600);
    assert_eq!(line(&wire, &session_id), ("verified".to_owned(), 1));
}

#[test]
fn a_resend_brings_an_expired_session_back() {
    let wire = Wire::start();
    let session_id = wire.open();
    wire.clock.advance(400);
    assert_eq!(line(&wire, &session_id).0, "expired");
    wire.ask(&wire.resend(&session_id));
    assert_eq!(line(&wire, &session_id).0, "pending");
}

#[test]
fn a_day_after_its_hard_end_a_session_is_404() {
    let wire = Wire::start();
    let session_id = wire.open();
    wire.clock.advance(1800 + 86_400 - 1);
    assert_eq!(line(&wire, &session_id).0, "expired");
    wire.clock.advance(1);
    let answer = wire.status(&session_id);
    assert_eq!((answer.status, &*answer.code()), (404, "SESSION_NOT_FOUND"));
}

#[test]
fn what_is_no_session_is_404() {
    let wire = Wire::start();
    let session_id = wire.open();
    let longer = format!("{session_id}0");
    for id in [
        "abc123...",
        "0",
        &session_id[1..],
        &longer,
        "%00",
        "a%2Fb",
        "...",
    ] {
        let answer = wire.status(id);
        assert_eq!(
            (answer.status, &*answer.code()),
            (404, "SESSION_NOT_FOUND"),
            "{id}"
        );
        assert_eq!(answer.header("otpost-delivery"), None, "{id}");
    }
}

#[test]
fn a_storage_that_is_away_is_503() {
    let wire = Wire::start();
    let session_id = wire.open();
    wire.store.fail(true);
    let path = format!("/api/v1/otp/status/{session_id}");
    let answer = wire.ask_in_vain(&Request::get(&path).key(&wire.live));
    assert_eq!(answer.status, 503);
}
