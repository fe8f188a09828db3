//! Limits: what each of them refuses, what it leaves alone, and in which order they are judged.

use otpost_domain::Limit;
use otpost_service::{Exempt, Limits, Policy};

use crate::support::{Answer, Options, RESEND, Request, SEND, VERIFY, Wire};

const BODY: &str = r#"{"email":"user@example.com","client_ip":"192.0.2.1"}"#;

/// Two in ten minutes: one more every five.
const TWO: Limit = Limit::new(2, 600);

/// Asks for what one limit refuses, for `wait` seconds.
fn refused(wire: &Wire, request: &Request, name: &str, wait: u32) -> Answer {
    let answer = wire.ask_in_vain(request);
    assert_eq!((answer.status, &*answer.code()), (429, "RATE_LIMITED"));
    let secs = wait.to_string();
    assert_eq!(answer.header("retry-after"), Some(&*secs));
    let details = format!(r#""details":{{"limit":"{name}","retry_after":{wait}}}"#);
    assert!(answer.text().contains(&details), "{}", answer.text());
    let stands = format!(r#""{name}";r=0;t={wait}"#);
    assert_eq!(answer.header("ratelimit"), Some(&*stands));
    answer
}

type Row = (&'static str, fn(&mut Limits) -> &mut Limit);

/// The limits of a mail, and where each is set.
const OF_MAILS: [Row; 7] = [
    ("project_sends_per_minute", |limits| {
        &mut limits.project_sends_per_minute
    }),
    ("installation_mails_per_minute", |limits| {
        &mut limits.installation_mails_per_minute
    }),
    ("client_ip_per_10_minutes", |limits| {
        &mut limits.client_ip_per_10_minutes
    }),
    ("client_ip_per_day", |limits| &mut limits.client_ip_per_day),
    ("recipient_per_10_minutes", |limits| {
        &mut limits.recipient.per_10_minutes
    }),
    ("recipient_per_hour", |limits| {
        &mut limits.recipient.per_hour
    }),
    ("recipient_per_day", |limits| &mut limits.recipient.per_day),
];

#[test]
fn every_limit_of_a_mail_refuses_a_send() {
    for (name, of) in OF_MAILS {
        let wire = Wire::start_with_limits(|limits| *of(limits) = TWO);
        let send = wire.post(SEND, BODY);
        assert_eq!(wire.ask(&send).status, 200, "{name}");
        assert_eq!(wire.ask(&send).status, 200, "{name}");
        refused(&wire, &send, name, 300);
        wire.clock.advance_millis(299_001);
        let answer = refused(&wire, &send, name, 1);
        insta::assert_snapshot!(format!("limits_{name}"), answer.snapshot());
        wire.clock.advance_millis(999);
        assert_eq!(wire.ask(&send).status, 200, "{name}");
        assert_eq!(wire.store.sessions().len(), 3, "{name}");
    }
}

#[test]
fn a_resend_counts_as_a_mail_of_its_project_and_recipient() {
    for (name, of) in OF_MAILS {
        let wire = Wire::start_with_limits(|limits| *of(limits) = TWO);
        let session_id = wire.open_with(BODY);
        wire.clock.advance(30);
        assert_eq!(wire.ask(&wire.resend(&session_id)).status, 200, "{name}");
        wire.clock.advance(30);
        let resend = wire.resend(&session_id);
        if name.starts_with("client_ip") {
            // Who resends is not known.
            assert_eq!(wire.ask(&resend).status, 200, "{name}");
        } else {
            refused(&wire, &resend, name, 240);
            wire.clock.advance(240);
            assert_eq!(wire.ask(&resend).status, 200, "{name}");
        }
    }
}

#[test]
fn a_limit_of_verifications_judges_not_even_the_right_code() {
    let wire = Wire::start_with_limits(|limits| limits.project_verifies_per_minute = TWO);
    let session_id = wire.open();
    let right = wire.verification(&session_id, &wire.code(&session_id));
    let wrong = wire.wrong_code(&session_id);
    // Also what is not judged or not found is counted.
    assert_eq!(wire.verify(&session_id, "x").status, 400);
    let unknown = "0".repeat(session_id.len());
    assert_eq!(wire.verify(&unknown, &wrong).status, 404);
    let answer = refused(&wire, &right, "project_verifies_per_minute", 300);
    insta::assert_snapshot!("limits_verify", answer.snapshot());
    // The limit comes before the session.
    for id in [&unknown, "nobody"] {
        let lost = wire.verification(id, &wrong);
        refused(&wire, &lost, "project_verifies_per_minute", 300);
    }
    assert_eq!(wire.attempts(&session_id), 0);

    wire.ask(&Request::post(VERIFY, "{}").key(&wire.other));
    wire.clock.advance(299);
    refused(&wire, &right, "project_verifies_per_minute", 1);
    wire.clock.advance(1);
    let answer = wire.ask(&right);
    // By now the code has expired; it is judged again all the same.
    assert!(answer.text().contains(r#""reason":"expired""#));
}

#[test]
fn a_limit_of_reads_refuses_a_look() {
    let wire = Wire::start_with_limits(|limits| limits.project_reads_per_minute = TWO);
    let session_id = wire.open();
    assert_eq!(wire.status(&session_id).status, 200);
    assert_eq!(wire.status(&session_id).status, 200);
    let look = Request::get(&format!("/api/v1/otp/status/{session_id}")).key(&wire.live);
    let answer = refused(&wire, &look, "project_reads_per_minute", 300);
    insta::assert_snapshot!("limits_status", answer.snapshot());
    // Another project has its own.
    let path = format!("/api/v1/otp/status/{session_id}");
    let nobody = Request::get("/api/v1/otp/status/nobody").key(&wire.live);
    refused(&wire, &nobody, "project_reads_per_minute", 300);
    let stranger = Request::get(&path).key(&wire.other);
    assert_eq!(wire.ask(&stranger).status, 404);
    wire.clock.advance(300);
    assert_eq!(wire.status(&session_id).status, 200);
}

#[test]
fn the_limit_that_waits_longest_is_named() {
    let wire = Wire::start_with_limits(|limits| {
        limits.project_sends_per_minute = Limit::new(1, 60);
        limits.client_ip_per_day = Limit::new(1, 86_400);
        limits.client_ip_per_10_minutes = Limit::new(1, 600);
    });
    let send = wire.post(SEND, BODY);
    assert_eq!(wire.ask(&send).status, 200);
    refused(&wire, &send, "client_ip_per_day", 86_400);
    let elsewhere = BODY.replace("192.0.2.1", "192.0.2.2");
    let send = wire.post(SEND, &elsewhere);
    refused(&wire, &send, "project_sends_per_minute", 60);
}

#[test]
fn one_network_is_counted_however_it_is_written() {
    for (first, same, other) in [
        ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"),
        ("2001:db8::1", "2001:0DB8::ffff:1:2", "2001:db8:0:1::1"),
    ] {
        let wire = Wire::start_with_limits(|limits| limits.client_ip_per_day = Limit::new(1, 60));
        let send = |ip: &str| wire.post(SEND, &BODY.replace("192.0.2.1", ip));
        assert_eq!(wire.ask(&send(first)).status, 200);
        refused(&wire, &send(same), "client_ip_per_day", 60);
        assert_eq!(wire.ask(&send(other)).status, 200);
        // Where nobody says from where, nobody is counted.
        assert_eq!(
            wire.ask(&wire.post(SEND, r#"{"email":"a@example.com"}"#))
                .status,
            200
        );
    }
}

#[test]
fn one_mailbox_is_counted_however_it_is_written() {
    let wire = Wire::start_with_limits(|limits| limits.recipient.per_day = Limit::new(1, 60));
    let send = |email: &str| wire.post(SEND, &format!(r#"{{"email":"{email}"}}"#));
    assert_eq!(wire.ask(&send("user@example.com")).status, 200);
    for same in ["USER@example.com", "user+tag@Example.Com"] {
        refused(&wire, &send(same), "recipient_per_day", 60);
    }
    assert_eq!(wire.ask(&send("other@example.com")).status, 200);
}

#[test]
fn an_exempt_recipient_has_no_limits_of_its_own() {
    let wire = Wire::start_with_limits(|limits| {
        limits.recipient.per_day = Limit::new(1, 60);
        limits.project_sends_per_minute = Limit::new(3, 60);
        limits
            .exempt_recipients
            .extend(Exempt::parse("example.org"));
    });
    let send = wire.post(SEND, r#"{"email":"qa@example.org"}"#);
    for _ in 0..3 {
        assert_eq!(wire.ask(&send).status, 200);
    }
    refused(&wire, &send, "project_sends_per_minute", 20);
}

#[test]
fn what_cannot_be_understood_is_refused_before_limits_and_charged_nothing() {
    let wire = Wire::start_with_limits(|limits| {
        limits.project_sends_per_minute = Limit::new(1, 60);
        limits.project_verifies_per_minute = Limit::new(1, 60);
    });
    for (path, body, status) in [
        (SEND, "{", 400),
        (SEND, "{}", 422),
        (VERIFY, "[]", 400),
        (VERIFY, "{}", 422),
        (RESEND, r#"{"session_id":"0"}"#, 404),
    ] {
        assert_eq!(wire.ask_in_vain(&wire.post(path, body)).status, status);
    }
    let session_id = wire.open();
    wire.verify(&session_id, "x");
    for (path, body, status) in [
        (SEND, "{", 400),
        (SEND, "{}", 422),
        (SEND, BODY, 429),
        (VERIFY, "{}", 422),
    ] {
        assert_eq!(wire.ask_in_vain(&wire.post(path, body)).status, status);
    }
}

#[test]
fn the_cooldown_comes_before_the_limits_of_a_recipient_and_after_those_of_a_project() {
    let hour = Limit::new(1, 3600);
    let wire = Wire::start_with_limits(|limits| limits.recipient.per_hour = hour);
    let session_id = wire.open();
    refused(&wire, &wire.resend(&session_id), "session_cooldown", 30);
    wire.clock.advance(30);
    let resend = wire.resend(&session_id);
    refused(&wire, &resend, "recipient_per_hour", 3570);

    let wire = Wire::start_with_limits(|limits| limits.project_sends_per_minute = hour);
    let session_id = wire.open();
    let resend = wire.resend(&session_id);
    refused(&wire, &resend, "project_sends_per_minute", 3600);
}

#[test]
fn test_keys_touch_no_counter() {
    let wire = Wire::start_with(Options {
        policy: Policy {
            limits: Limits {
                project_sends_per_minute: Limit::new(1, 60),
                project_reads_per_minute: Limit::new(1, 60),
                project_verifies_per_minute: Limit::new(1, 60),
                ..Limits::default()
            },
            ..Policy::default()
        },
        ..Options::default()
    });
    for _ in 0..3 {
        let answer = wire.ask(&Request::post(SEND, BODY).key(&wire.test));
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("ratelimit"), None);
        let session_id = answer.member("session_id");
        let path = format!("/api/v1/otp/status/{session_id}");
        assert_eq!(wire.ask(&Request::get(&path).key(&wire.test)).status, 200);
        for (code, status) in [("000000", 400), ("424242", 200)] {
            let body = format!(r#"{{"session_id":"{session_id}","code":"{code}"}}"#);
            let answer = wire.ask(&Request::post(VERIFY, body).key(&wire.test));
            assert_eq!(answer.status, status);
            assert_eq!(answer.header("ratelimit"), None);
        }
    }
    assert!(wire.store.edit(|tables| tables.counters.is_empty()));
    assert_eq!(wire.ask(&wire.post(SEND, BODY)).status, 200);
}
