//! Who is let in: every row of the table of credentials.

use otpost_domain::{ApiKey, Mode};

use crate::support::{Options, Request, SEND, VERIFY, Wire};

const BODY: &str = r#"{"email":"user@example.com"}"#;

fn refusals(wire: &Wire) -> Vec<(&'static str, Request)> {
    let powerless = wire.key(false, None);
    let revoked = wire.key(true, None);
    wire.revoke(&revoked);
    let expired = wire.key(true, Some(otpost_testkit::sample::NOON));
    let unknown = ApiKey::new(Mode::Live, [9; 6], [9; 32]);
    let post = || Request::post(SEND, BODY);
    let authorization = |value: &str| post().header("Authorization", value);
    vec![
        ("no credentials", post()),
        ("another scheme", authorization("Basic dXNlcjpwYXNz")),
        ("unknown key", post().key(&unknown)),
        ("no key at all", authorization("Bearer YOUR_API_KEY")),
        ("revoked key", post().key(&revoked)),
        ("expired key", post().key(&expired)),
        ("key without otp", post().key(&powerless)),
        ("header twice", post().key(&wire.live).key(&wire.live)),
        ("header malformed", authorization("Bearer")),
        ("key with a blank", authorization("Bearer otp live")),
    ]
}

#[test]
fn every_refusal_has_its_status_code_and_challenge() {
    let wire = Wire::start();
    let expected = [
        (401, "UNAUTHORIZED", r#"Bearer realm="otp""#),
        (401, "UNAUTHORIZED", r#"Bearer realm="otp""#),
        (
            401,
            "UNAUTHORIZED",
            r#"Bearer realm="otp", error="invalid_token""#,
        ),
        (
            401,
            "UNAUTHORIZED",
            r#"Bearer realm="otp", error="invalid_token""#,
        ),
        (
            401,
            "UNAUTHORIZED",
            r#"Bearer realm="otp", error="invalid_token""#,
        ),
        (
            401,
            "UNAUTHORIZED",
            r#"Bearer realm="otp", error="invalid_token""#,
        ),
        (
            403,
            "FORBIDDEN",
            r#"Bearer realm="otp", error="insufficient_scope", scope="otp""#,
        ),
        (
            400,
            "MALFORMED_REQUEST",
            r#"Bearer realm="otp", error="invalid_request""#,
        ),
        (
            400,
            "MALFORMED_REQUEST",
            r#"Bearer realm="otp", error="invalid_request""#,
        ),
        (
            400,
            "MALFORMED_REQUEST",
            r#"Bearer realm="otp", error="invalid_request""#,
        ),
    ];

    let refusals = refusals(&wire);
    assert_eq!(refusals.len(), expected.len());
    for ((case, request), (status, code, challenge)) in refusals.into_iter().zip(expected) {
        let answer = wire.ask_in_vain(&request);
        assert_eq!(answer.status, status, "{case}");
        assert_eq!(answer.code(), code, "{case}");
        assert_eq!(answer.header("www-authenticate"), Some(challenge), "{case}");
        assert_eq!(answer.header("otpost-test"), None, "{case}");
    }
    assert!(wire.store.sessions().is_empty());
}

#[test]
fn the_bodies_of_refusals_are_as_written() {
    let wire = Wire::start();
    for (case, request) in refusals(&wire) {
        let name = format!("auth_{}", case.replace(' ', "_"));
        insta::assert_snapshot!(name, wire.ask_in_vain(&request).snapshot());
    }
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
    let successor = wire.key(true, None);
    wire.revoke(&wire.live);

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
    let challenge = r#"Bearer realm="otp", error="invalid_token""#;
    assert_eq!(answer.header("www-authenticate"), Some(challenge));
    assert_eq!(answer.header("otpost-test"), None);
}
