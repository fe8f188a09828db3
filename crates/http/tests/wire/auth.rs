//! Who is let in: every row of the table of credentials.

use otpost_domain::{ApiKey, Mode, Permissions};
use otpost_testkit::sample::NOON;

use crate::support::{Options, Request, SEND, VERIFY, Wire};

const BODY: &str = r#"{"email":"user@example.com"}"#;

/// The status, code and challenge of a refusal.
type Refusal = (u16, &'static str, &'static str);

const NO_CREDENTIALS: Refusal = (401, "UNAUTHORIZED", r#"Bearer realm="otp""#);
const KEY_REFUSED: Refusal = (
    401,
    "UNAUTHORIZED",
    r#"Bearer realm="otp", error="invalid_token""#,
);
const NO_PERMISSION: Refusal = (
    403,
    "FORBIDDEN",
    r#"Bearer realm="otp", error="insufficient_scope", scope="otp""#,
);
const MALFORMED: Refusal = (
    400,
    "MALFORMED_REQUEST",
    r#"Bearer realm="otp", error="invalid_request""#,
);

#[test]
fn every_refusal_has_its_status_code_challenge_and_body() {
    let wire = Wire::start();
    let powerless = wire.key(|new| new.permissions = Permissions::default());
    let revoked = wire.key(|_| ());
    wire.revoke(&revoked);
    let expired = wire.key(|new| new.expires_at = Some(NOON));
    let unknown = ApiKey::new(Mode::Live, [9; 6], [9; 32]);
    let post = || Request::post(SEND, BODY);
    let with = |value: &str| post().header("Authorization", value);
    let twice = post().key(&wire.live).key(&wire.live);

    for (case, request, (status, code, challenge)) in [
        ("no credentials", post(), NO_CREDENTIALS),
        ("another scheme", with("Basic dXNlcjpwYXNz"), NO_CREDENTIALS),
        ("unknown key", post().key(&unknown), KEY_REFUSED),
        ("no key at all", with("Bearer YOUR_API_KEY"), KEY_REFUSED),
        ("revoked key", post().key(&revoked), KEY_REFUSED),
        ("expired key", post().key(&expired), KEY_REFUSED),
        ("key without otp", post().key(&powerless), NO_PERMISSION),
        ("header twice", twice, MALFORMED),
        ("header malformed", with("Bearer"), MALFORMED),
        ("key with a blank", with("Bearer otp live"), MALFORMED),
    ] {
        let answer = wire.ask_in_vain(&request);
        assert_eq!(answer.status, status, "{case}");
        assert_eq!(answer.code(), code, "{case}");
        assert_eq!(answer.header("www-authenticate"), Some(challenge), "{case}");
        assert_eq!(answer.header("otpost-test"), None, "{case}");
        let name = format!("auth_{}", case.replace(' ', "_"));
        insta::assert_snapshot!(name, answer.snapshot());
    }
    assert!(wire.store.sessions().is_empty());
}

#[test]
fn the_scheme_is_taken_in_any_case() {
    let wire = Wire::start();
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR", "Bearer  "] {
        let value = format!("{scheme} {}", wire.live.reveal());
        let answer = wire.ask(&Request::post(SEND, BODY).header("Authorization", value));
        assert_eq!(answer.status, 200, "{scheme}");
    }
}

#[test]
fn every_endpoint_asks_for_a_key() {
    let wire = Wire::start();
    let session_id = wire.open();
    let status = format!("/api/v1/otp/status/{session_id}");
    let verify = format!(
        r#"{{"session_id":"{session_id}","code":"{}"}}"#,
        wire.code(&session_id)
    );
    wire.clock.advance(60);
    for request in [
        Request::post(SEND, BODY),
        Request::post(VERIFY, verify),
        Request::post(
            "/api/v1/otp/resend",
            format!(r#"{{"session_id":"{session_id}"}}"#),
        ),
        Request::get(&status),
        Request::new("HEAD", &status),
    ] {
        assert_eq!(wire.ask_in_vain(&request).status, 401);
    }
}

#[test]
fn an_address_bar_is_no_place_for_a_key() {
    let wire = Wire::start();
    let path = format!("{SEND}?access_token={}", wire.live.reveal());
    assert_eq!(wire.ask_in_vain(&Request::post(&path, BODY)).status, 401);
}

#[test]
fn another_projects_session_does_not_exist() {
    let wire = Wire::start();
    let session_id = wire.open();
    let code = wire.code(&session_id);
    wire.clock.advance(60);
    let body = format!(r#"{{"session_id":"{session_id}","code":"{code}"}}"#);
    let resend = format!(r#"{{"session_id":"{session_id}"}}"#);
    for stranger in [&wire.other, &wire.test] {
        for request in [
            Request::post(VERIFY, &body),
            Request::post("/api/v1/otp/resend", &resend),
            Request::get(&format!("/api/v1/otp/status/{session_id}")),
        ] {
            let answer = wire.ask_in_vain(&request.key(stranger));
            assert_eq!((answer.status, &*answer.code()), (404, "SESSION_NOT_FOUND"));
        }
    }
    assert_eq!(wire.verify(&session_id, &code).status, 200);
}

#[test]
fn a_replaced_key_leaves_sessions_alive() {
    let wire = Wire::start();
    let session_id = wire.open();
    let code = wire.code(&session_id);
    let successor = wire.key(|_| ());
    wire.revoke(&wire.live);
    // What was read of a key is believed for a second.
    wire.clock.advance(1);

    assert_eq!(wire.verify(&session_id, &code).status, 401);
    let body = format!(r#"{{"session_id":"{session_id}","code":"{code}"}}"#);
    assert_eq!(
        wire.ask(&Request::post(VERIFY, body).key(&successor))
            .status,
        200
    );
}

#[test]
fn test_keys_are_refused_in_production() {
    let wire = Wire::start_with(Options {
        accepts_test_keys: false,
        ..Options::default()
    });
    let answer = wire.ask_in_vain(&Request::post(SEND, BODY).key(&wire.test));
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("www-authenticate"), Some(KEY_REFUSED.2));
    assert_eq!(answer.header("otpost-test"), None);
}
