//! The fields `RateLimit` and `RateLimit-Policy` of answers that were counted.

use otpost_domain::Limit;
use otpost_service::Policy;

use crate::support::{Answer, Request, SEND, Wire};

/// The documented limits.
fn start() -> Wire {
    Wire::start_with_policy(Policy::default())
}

fn fields(answer: &Answer) -> (&str, &str) {
    (
        answer.header("ratelimit").unwrap(),
        answer.header("ratelimit-policy").unwrap(),
    )
}

#[test]
fn a_send_tells_how_each_of_its_limits_stands() {
    let wire = start();
    let body = r#"{"email":"user@example.com","client_ip":"192.0.2.1"}"#;
    let answer = wire.ask(&wire.post(SEND, body));
    assert_eq!(answer.status, 200);
    insta::assert_snapshot!("fields_send", answer.snapshot());
    // The limits of a recipient are told of once, though the installation has them too.
    let (stands, policy) = fields(&answer);
    assert_eq!(stands.matches("recipient_per_hour").count(), 1);
    assert!(
        stands.contains(r#""recipient_per_hour";r=9;t=360"#),
        "{stands}"
    );
    assert!(
        policy.contains(r#""recipient_per_hour";q=10;w=3600"#),
        "{policy}"
    );
}

#[test]
fn a_resend_tells_how_each_of_its_limits_stands() {
    let wire = start();
    let session_id = wire.open();
    wire.clock.advance(30);
    let answer = wire.ask(&wire.resend(&session_id));
    assert_eq!(answer.status, 200);
    insta::assert_snapshot!("fields_resend", answer.snapshot());
}

#[test]
fn a_verification_tells_it_whatever_it_comes_to() {
    let wire = start();
    let session_id = wire.open();
    let (right, wrong) = (wire.code(&session_id), wire.wrong_code(&session_id));
    let mut left = 600;
    for (code, status) in [("x", 400), (&*wrong, 400), (&*right, 200), (&*right, 400)] {
        left -= 1;
        let answer = wire.verify(&session_id, code);
        assert_eq!(answer.status, status);
        let (stands, policy) = fields(&answer);
        let used = (600_u32 - left).div_ceil(10);
        let expected = format!(r#""project_verifies_per_minute";r={left};t={used}"#);
        assert_eq!(stands, expected);
        assert_eq!(policy, r#""project_verifies_per_minute";q=600;w=60"#);
    }
}

#[test]
fn a_wrong_code_is_answered_as_written() {
    let wire = start();
    let session_id = wire.open();
    let answer = wire.verify(&session_id, &wire.wrong_code(&session_id));
    insta::assert_snapshot!("fields_wrong_code", answer.snapshot());
}

#[test]
fn a_look_tells_it_also_where_there_is_nothing_to_see() {
    let wire = start();
    let session_id = wire.open();
    for (id, status, left) in [
        (&*session_id, 200, 1199),
        (&"0".repeat(30), 404, 1198),
        ("nobody", 404, 1197),
    ] {
        let answer = wire.status(id);
        assert_eq!(answer.status, status);
        let expected = format!(r#""project_reads_per_minute";r={left};t=1"#);
        let policy = r#""project_reads_per_minute";q=1200;w=60"#;
        assert_eq!(fields(&answer), (&*expected, policy));
    }
}

#[test]
fn a_verification_tells_it_also_where_there_is_nothing_to_judge() {
    let wire = start();
    for (id, left) in [(&*"0".repeat(30), 599), ("nobody", 598), ("abc123...", 597)] {
        let answer = wire.verify(id, "123456");
        assert_eq!((answer.status, &*answer.code()), (404, "SESSION_NOT_FOUND"));
        let expected = format!(r#""project_verifies_per_minute";r={left};t=1"#);
        assert_eq!(fields(&answer).0, expected, "{id}");
    }
}

#[test]
fn what_was_not_counted_does_not_tell_it() {
    let wire = start();
    let session_id = wire.open();
    for (request, status) in [
        (wire.post(SEND, "{}"), 422),
        (wire.post(SEND, "{"), 400),
        (Request::post(SEND, "{}"), 401),
        (Request::get("/healthz"), 200),
        (Request::get("/nothing"), 404),
        (wire.resend("nobody"), 404),
        (wire.resend(&"0".repeat(30)), 404),
    ] {
        let answer = wire.ask_in_vain(&request);
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("ratelimit"), None);
        assert_eq!(answer.header("ratelimit-policy"), None);
    }
    // Nor does a resend that is refused by its session.
    wire.verify(&session_id, &wire.code(&session_id));
    let answer = wire.ask_in_vain(&wire.resend(&session_id));
    assert_eq!((answer.status, answer.header("ratelimit")), (409, None));
}

#[test]
fn a_limit_that_is_off_is_not_told_of() {
    let wire = Wire::start_with_limits(|limits| {
        limits.installation_mails_per_minute = Limit::new(7, 60);
    });
    let answer = wire.ask(&wire.post(SEND, r#"{"email":"user@example.com"}"#));
    let policy = r#""installation_mails_per_minute";q=7;w=60"#;
    assert_eq!(
        fields(&answer),
        (r#""installation_mails_per_minute";r=6;t=9"#, policy)
    );
}
