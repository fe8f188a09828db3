//! `POST /resend`: every row of its list.

use otpost_domain::{ResendPolicy, Session, SessionId};
use otpost_service::Policy;

use crate::support::{RESEND, Wire};

#[test]
fn the_answer_is_the_documented_one() {
    let wire = Wire::start();
    let session_id = wire.open();
    wire.clock.advance(60);
    let answer = wire.ask(&wire.resend(&session_id));
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.text(),
        format!(
            r#"{{"success":true,"data":{{"session_id":"{session_id}","expires_at":"2026-01-09T12:06:00Z"}}}}"#
        )
    );
    insta::assert_snapshot!("resend", answer.snapshot());
}

#[test]
fn the_code_that_is_on_its_way_stays_good() {
    let wire = Wire::start();
    let session_id = wire.open();
    let code = wire.code(&session_id);
    wire.clock.advance(60);
    assert_eq!(wire.ask(&wire.resend(&session_id)).status, 200);
    assert_eq!(wire.code(&session_id), code);
    assert_eq!(wire.verify(&session_id, &code).status, 200);
}

#[test]
fn an_expired_code_is_replaced_and_the_attempts_are_kept() {
    let wire = Wire::start();
    let session_id = wire.open();
    let old = wire.code(&session_id);
    wire.verify(&session_id, &wire.wrong_code(&session_id));
    wire.clock.advance(300);
    assert_eq!(wire.ask(&wire.resend(&session_id)).status, 200);

    let new = wire.code(&session_id);
    assert_ne!(new, old);
    assert_eq!(wire.attempts(&session_id), 1);
    assert_eq!(wire.verify(&session_id, &old).status, 400);
    assert_eq!(wire.verify(&session_id, &new).status, 200);
    assert_eq!(wire.attempts(&session_id), 3);
}

#[test]
fn a_project_may_want_a_new_code_each_time() {
    let wire = Wire::start_with_policy(Policy {
        resend: ResendPolicy::Renew,
        ..Policy::default()
    });
    let session_id = wire.open();
    let old = wire.code(&session_id);
    wire.clock.advance(30);
    assert_eq!(wire.ask(&wire.resend(&session_id)).status, 200);
    assert_ne!(wire.code(&session_id), old);
}

#[test]
fn within_the_cooldown_it_is_429_and_told_when() {
    let wire = Wire::start();
    let session_id = wire.open();
    wire.clock.advance_millis(12_500);
    let answer = wire.ask_in_vain(&wire.resend(&session_id));
    assert_eq!((answer.status, &*answer.code()), (429, "RATE_LIMITED"));
    assert_eq!(answer.header("retry-after"), Some("18"));
    let details = r#""details":{"limit":"session_cooldown","retry_after":18}"#;
    assert!(answer.text().contains(details), "{}", answer.text());
    insta::assert_snapshot!("resend_cooldown", answer.snapshot());

    wire.clock.advance_millis(17_499);
    assert_eq!(
        wire.ask_in_vain(&wire.resend(&session_id))
            .header("retry-after"),
        Some("1")
    );
    wire.clock.advance_millis(1);
    assert_eq!(wire.ask(&wire.resend(&session_id)).status, 200);
}

#[test]
fn the_cooldown_is_that_of_the_session_whatever_the_policy_says_by_now() {
    let wire = Wire::start();
    let session_id = wire.open();
    wire.store.edit(|tables| {
        let id = SessionId::parse(&session_id).unwrap();
        let session = &mut tables.sessions.get_mut(&id).unwrap().stored.session;
        let mut record = session.record();
        record.terms.cooldown_secs = 7;
        *session = Session::restore(&record).unwrap();
    });
    let answer = wire.ask_in_vain(&wire.resend(&session_id));
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (429, Some("7"))
    );
    let policy = r#""session_cooldown";q=1;w=7"#;
    assert_eq!(answer.header("ratelimit-policy"), Some(policy));
}

#[test]
fn a_verified_session_is_409() {
    let wire = Wire::start();
    let session_id = wire.open();
    wire.verify(&session_id, &wire.code(&session_id));
    // Whatever else holds, this is judged first.
    let answer = wire.ask_in_vain(&wire.resend(&session_id));
    assert_eq!(
        (answer.status, &*answer.code()),
        (409, "SESSION_ALREADY_VERIFIED")
    );
    insta::assert_snapshot!("resend_verified", answer.snapshot());
}

#[test]
fn attempts_used_up_are_410() {
    let wire = Wire::start();
    let session_id = wire.open();
    let wrong = wire.wrong_code(&session_id);
    for _ in 0..5 {
        wire.verify(&session_id, &wrong);
    }
    let answer = wire.ask_in_vain(&wire.resend(&session_id));
    assert_eq!((answer.status, &*answer.code()), (410, "SESSION_EXPIRED"));
    insta::assert_snapshot!("resend_expired", answer.snapshot());
}

#[test]
fn half_a_minute_before_the_hard_end_it_is_410() {
    let wire = Wire::start();
    let (early, late) = (wire.open(), wire.open());
    wire.clock.advance(1770);
    assert_eq!(wire.ask(&wire.resend(&early)).status, 200);
    wire.clock.advance_millis(1);
    let answer = wire.ask_in_vain(&wire.resend(&late));
    assert_eq!((answer.status, &*answer.code()), (410, "SESSION_EXPIRED"));
}

#[test]
fn the_last_lifetime_ends_at_the_hard_end() {
    let wire = Wire::start();
    let session_id = wire.open();
    wire.clock.advance(1700);
    let answer = wire.ask(&wire.resend(&session_id));
    assert_eq!(answer.member("expires_at"), "2026-01-09T12:30:00Z");
}

#[test]
fn the_fifth_resend_is_409() {
    let wire = Wire::start();
    let session_id = wire.open();
    for _ in 0..4 {
        wire.clock.advance(30);
        assert_eq!(wire.ask(&wire.resend(&session_id)).status, 200);
    }
    // Also within the cooldown, for it is judged after.
    let answer = wire.ask_in_vain(&wire.resend(&session_id));
    assert_eq!(
        (answer.status, &*answer.code()),
        (409, "RESEND_LIMIT_REACHED")
    );
    insta::assert_snapshot!("resend_limit", answer.snapshot());
}

#[test]
fn an_unknown_session_is_404() {
    let wire = Wire::start();
    for id in ["abc123...", "000000000000000000000000000000"] {
        let answer = wire.ask_in_vain(&wire.resend(id));
        assert_eq!(
            (answer.status, &*answer.code()),
            (404, "SESSION_NOT_FOUND"),
            "{id}"
        );
    }
}

#[test]
fn every_alias_works_and_every_other_member_is_refused() {
    let wire = Wire::start();
    for name in ["session_id", "request_id", "requestId"] {
        let session_id = wire.open();
        wire.clock.advance(30);
        let body = format!(r#"{{"{name}":"{session_id}"}}"#);
        assert_eq!(wire.ask(&wire.post(RESEND, &body)).status, 200, "{name}");
    }
    for (body, message) in [
        ("{}", "The session_id field is required."),
        (
            r#"{"request_id":null}"#,
            "The session_id field is required.",
        ),
        (
            r#"{"session_id":7}"#,
            "The session_id field must be a string.",
        ),
        (
            r#"{"session_id":"x","email":"a@example.com"}"#,
            "The email field is unknown.",
        ),
    ] {
        let answer = wire.ask_in_vain(&wire.post(RESEND, body));
        assert_eq!(
            (answer.status, &*answer.message()),
            (422, message),
            "{body}"
        );
    }
}

#[test]
fn a_storage_that_is_away_is_503() {
    let wire = Wire::start();
    let session_id = wire.open();
    wire.clock.advance(60);
    wire.store.fail(true);
    assert_eq!(wire.ask_in_vain(&wire.resend(&session_id)).status, 503);
}
