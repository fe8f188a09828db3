//! `POST /send`: what opens a session, and what the answer is.

use otpost_domain::CodeLength;
use otpost_service::{Policy, UnknownMembers};

use crate::support::{SEND, Wire};

#[test]
fn the_answer_is_the_documented_one() {
    let wire = Wire::start();
    let answer = wire.ask(&wire.post(SEND, r#"{"email": "user@example.com"}"#));
    let session_id = answer.member("session_id");
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.text(),
        format!(
            r#"{{"success":true,"data":{{"session_id":"{session_id}","email":"user@example.com","expires_at":"2026-01-09T12:05:00Z"}}}}"#
        )
    );
    insta::assert_snapshot!("send", answer.snapshot());
}

#[test]
fn a_session_id_is_safe_in_a_url() {
    let wire = Wire::start();
    let session_id = wire.open();
    // 30 base62 digits hold 128 random bits and the time.
    assert_eq!(session_id.len(), 30);
    assert!(session_id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    assert_ne!(session_id, wire.open());
}

#[test]
fn every_documented_member_is_taken() {
    let wire = Wire::start();
    let session_id = wire.open_with(
        r#"{"email":"user@example.com","template":"reset","expires_in":600,"code_length":8,
            "locale":"de-AT","client_ip":"2001:db8::1","variables":{"device":"Firefox <3"}}"#,
    );
    let stored = wire.row(&session_id).stored;
    assert_eq!(stored.session.id().to_string(), session_id);
    assert_eq!(stored.session.terms().lifetime_secs(), 600);
    assert_eq!(stored.session.terms().code_length().digits(), 8);
    assert_eq!(stored.context.template.as_str(), "reset");
    assert_eq!(stored.context.language.as_str(), "de");
    assert!(stored.context.variables.is_some());
    assert_eq!(wire.code(&session_id).len(), 8);
}

#[test]
fn what_is_absent_or_null_has_its_default() {
    let wire = Wire::start();
    for body in [
        r#"{"email":"user@example.com"}"#,
        r#"{"email":"user@example.com","template":null,"expires_in":null,"code_length":null,
            "locale":null,"client_ip":null,"variables":null}"#,
    ] {
        let session_id = wire.open_with(body);
        let stored = wire.row(&session_id).stored;
        assert_eq!(stored.session.terms().lifetime_secs(), 300, "{body}");
        assert_eq!(stored.session.terms().code_length().digits(), 6, "{body}");
        assert_eq!(stored.context.template.as_str(), "login", "{body}");
        assert_eq!(stored.context.language.as_str(), "en", "{body}");
        assert!(stored.context.variables.is_none(), "{body}");
    }
}

#[test]
fn purpose_is_another_name_of_template() {
    let wire = Wire::start();
    let session_id = wire.open_with(r#"{"email":"user@example.com","purpose":"signup"}"#);
    let stored = wire.row(&session_id).stored;
    assert_eq!(stored.context.template.as_str(), "signup");
}

#[test]
fn the_echo_is_the_address_that_the_mail_goes_to() {
    let wire = Wire::start();
    for (typed, wired) in [
        (
            r" User.Name+tag@EXAMPLE.com\r\n",
            "User.Name+tag@example.com",
        ),
        ("a@bücher.example", "a@xn--bcher-kva.example"),
    ] {
        let answer = wire.ask(&wire.post(SEND, &format!(r#"{{"email":"{typed}"}}"#)));
        assert_eq!(answer.member("email"), wired);
    }
}

#[test]
fn the_deadline_is_rounded_up_to_the_whole_second() {
    let wire = Wire::start();
    wire.clock.advance_millis(1);
    let answer = wire.ask(&wire.post(SEND, r#"{"email":"user@example.com"}"#));
    assert_eq!(answer.member("expires_at"), "2026-01-09T12:05:01Z");
}

#[test]
fn the_language_is_the_locale_then_the_header_then_the_projects() {
    let wire = Wire::start();
    for (locale, header, language) in [
        (r#""de""#, "en", "de"),
        (r#""de-CH""#, "en", "de"),
        (r#""fr""#, "de", "de"),
        (r#""fr""#, "es", "en"),
        ("null", "de-DE,de;q=0.9,en;q=0.8", "de"),
        ("null", "en;q=0.1, de;q=0.2", "de"),
        ("null", "*", "en"),
        ("null", "de;q=0", "en"),
        ("null", ";;;", "en"),
        ("null", "", "en"),
    ] {
        let body = format!(r#"{{"email":"user@example.com","locale":{locale}}}"#);
        let answer = wire.ask(&wire.post(SEND, &body).header("Accept-Language", header));
        let stored = wire.row(&answer.member("session_id")).stored;
        assert_eq!(
            stored.context.language.as_str(),
            language,
            "{locale} {header}"
        );
    }
}

#[test]
fn a_project_bounds_what_may_be_asked() {
    let wire = Wire::start_with_policy(Policy {
        expires_in_max: 200,
        code_length_min: CodeLength::DEFAULT,
        ..Policy::default()
    });
    let session_id = wire.open();
    let stored = wire.row(&session_id).stored;
    assert_eq!(stored.session.terms().lifetime_secs(), 200);
    for (member, message) in [
        (
            r#""expires_in":201"#,
            "The expires_in field must be between 30 and 200 (policy.expires_in_max).",
        ),
        (
            r#""code_length":5"#,
            "The code_length field must be between 6 and 8 (policy.code_length_min).",
        ),
    ] {
        let body = format!(r#"{{"email":"user@example.com",{member}}}"#);
        let answer = wire.ask_in_vain(&wire.post(SEND, &body));
        assert_eq!((answer.status, &*answer.message()), (422, message));
    }
}

#[test]
fn unknown_members_are_passed_over_where_a_project_says_so() {
    let wire = Wire::start_with_policy(Policy {
        unknown_members: UnknownMembers::Ignore,
        ..Policy::default()
    });
    wire.open_with(r#"{"email":"user@example.com","brand":"Acme"}"#);
    let twice = wire.post(SEND, r#"{"email":"user@example.com","brand":1,"brand":2}"#);
    assert_eq!(wire.ask_in_vain(&twice).status, 400);
}

#[test]
fn a_storage_that_is_away_is_503_and_nothing_is_opened() {
    let wire = Wire::start();
    wire.store.fail(true);
    let answer = wire.ask_in_vain(&wire.post(SEND, r#"{"email":"user@example.com"}"#));
    assert_eq!(
        (answer.status, &*answer.code()),
        (503, "SERVICE_UNAVAILABLE")
    );
    assert_eq!(answer.header("retry-after"), Some("5"));
    insta::assert_snapshot!("send_unavailable", answer.snapshot());

    wire.store.fail(false);
    wire.open();
}

#[test]
fn a_broken_part_is_500_and_nothing_is_opened() {
    let wire = Wire::start();
    wire.entropy.fail(true);
    let answer = wire.ask_in_vain(&wire.post(SEND, r#"{"email":"user@example.com"}"#));
    assert_eq!((answer.status, &*answer.code()), (500, "INTERNAL_ERROR"));
    insta::assert_snapshot!("send_broken", answer.snapshot());
}
