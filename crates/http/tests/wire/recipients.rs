//! The recipient endpoints: looked up, released and erased, within a project.

use otpost_domain::{ApiKey, Limit, Permissions, Profile};
use otpost_service::{Actor, AuditEntry, Limits, Policy};
use otpost_testkit::sample;

use crate::support::{
    ADMIN, Answer, ERASE, LOOKUP, OTP, RELEASE, RESEND, Request, SEND, VERIFY, Wire,
};

const BODY: &str = r#"{"email":"user@example.com"}"#;
const ENDPOINTS: [&str; 3] = [LOOKUP, RELEASE, ERASE];

fn start(profile: Profile) -> Wire {
    Wire::start_with_policy(Policy {
        profile,
        limits: Limits::off(),
        ..Policy::default()
    })
}

/// Asks as an administrator of `acme`, of the usual address.
fn ask(wire: &Wire, admin: &ApiKey, path: &str) -> Answer {
    let answer = wire.ask(&Request::post(path, BODY).key(admin));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer
}

fn data(answer: &Answer, name: &str) -> serde_json::Value {
    answer.json()["data"][name].clone()
}

/// What the audit log says was done with recipients: what, by whom, whether it still names one.
fn audited(wire: &Wire) -> Vec<(&'static str, Actor, bool)> {
    let entries = wire.store.edit(|tables| tables.audit.clone());
    let of_recipients = |entry: &AuditEntry| {
        let action = entry.action.name();
        action.strip_prefix("recipient.")?;
        assert_eq!(entry.project, Some(sample::project("acme")));
        Some((action, entry.actor.clone(), entry.recipient.is_some()))
    };
    entries.iter().filter_map(of_recipients).collect()
}

#[test]
fn a_lookup_says_how_an_address_stands() {
    let wire = start(Profile::Standard);
    let admin = wire.admin();
    let nothing = ask(&wire, &admin, LOOKUP);
    assert_eq!(
        nothing.text(),
        r#"{"success":true,"data":{"email":"user@example.com","on_hold":false,"failures":0,"max_attempts":5,"sessions":0,"last_session_at":null}}"#
    );
    insta::assert_snapshot!("recipients_lookup_nothing", nothing.snapshot());

    wire.fail(10);
    wire.clock.advance(90);
    wire.open();
    let answer = ask(&wire, &admin, LOOKUP);
    assert_eq!(
        answer.text(),
        r#"{"success":true,"data":{"email":"user@example.com","on_hold":false,"failures":10,"max_attempts":3,"sessions":2,"last_session_at":"2026-01-09T12:01:30Z"}}"#
    );
    insta::assert_snapshot!("recipients_lookup", answer.snapshot());
    // Another address is another recipient, and another spelling is none.
    let look = |email: &str| {
        let body = format!(r#"{{"email":"{email}"}}"#);
        wire.ask(&Request::post(LOOKUP, body).key(&admin))
    };
    assert_eq!(data(&look("other@example.com"), "sessions"), 0);
    let spelled = look(" USER+tag@Example.COM ");
    assert_eq!(data(&spelled, "email"), "USER+tag@example.com");
    assert_eq!(data(&spelled, "sessions"), 2);
}

#[test]
fn a_release_ends_a_hold() {
    let wire = start(Profile::Strict);
    let admin = wire.admin();
    wire.fail(100);
    let send = wire.post(SEND, BODY);
    assert_eq!(wire.ask_in_vain(&send).status, 403);
    let held = ask(&wire, &admin, LOOKUP);
    assert_eq!(data(&held, "on_hold"), true);
    assert_eq!(data(&held, "failures"), 100);
    insta::assert_snapshot!("recipients_lookup_on_hold", held.snapshot());

    let answer = ask(&wire, &admin, RELEASE);

    insta::assert_snapshot!("recipients_release", answer.snapshot());
    assert_eq!(
        answer.text(),
        r#"{"success":true,"data":{"email":"user@example.com","released":true}}"#
    );
    let free = ask(&wire, &admin, LOOKUP);
    assert_eq!(data(&free, "on_hold"), false);
    assert_eq!(data(&free, "failures"), 0);
    assert_eq!(wire.ask(&send).status, 200);
    // There is nothing left to forgive, and nothing is written.
    let again = wire.ask_in_vain(&Request::post(RELEASE, BODY).key(&admin));
    assert_eq!(
        again.text(),
        r#"{"success":true,"data":{"email":"user@example.com","released":false}}"#
    );
}

#[test]
fn a_release_forgives_for_the_project_of_its_key_alone() {
    let wire = start(Profile::Strict);
    wire.fail(100);
    let elsewhere = Request::post(SEND, BODY).key(&wire.other);
    assert_eq!(wire.ask_in_vain(&elsewhere).status, 403);

    ask(&wire, &wire.admin(), RELEASE);

    assert_eq!(wire.ask_in_vain(&elsewhere).status, 403);
    wire.open();
}

#[test]
fn an_erasure_leaves_nothing_of_the_address_in_the_project() {
    let wire = start(Profile::Standard);
    let admin = wire.admin();
    let once = wire.post(SEND, BODY).header("Idempotency-Key", "k");
    let session_id = wire.ask(&once).member("session_id");
    let code = wire.code(&session_id);
    let mine = wire.open();
    let others = wire.open_with(r#"{"email":"other@example.com"}"#);
    let foreign = wire.ask(&Request::post(SEND, BODY).key(&wire.other));
    ask(&wire, &admin, LOOKUP);

    let answer = ask(&wire, &admin, ERASE);

    insta::assert_snapshot!("recipients_erase", answer.snapshot());
    assert_eq!(
        answer.text(),
        r#"{"success":true,"data":{"email":"user@example.com","erased_sessions":2}}"#
    );
    for gone in [&session_id, &mine] {
        assert_eq!(wire.status(gone).status, 404);
    }
    assert_eq!(wire.verify(&session_id, &code).status, 404);
    assert!(wire.store.edit(|tables| tables.kept_answers.is_empty()));
    let anew = wire.ask(&once);
    assert_eq!(
        (anew.status, anew.header("idempotent-replayed")),
        (200, None)
    );
    // Others keep theirs.
    assert_eq!(wire.status(&others).status, 200);
    let path = format!("/api/v1/otp/status/{}", foreign.member("session_id"));
    assert_eq!(wire.ask(&Request::get(&path).key(&wire.other)).status, 200);
    assert_eq!(data(&ask(&wire, &admin, ERASE), "erased_sessions"), 1);
    assert_eq!(data(&ask(&wire, &admin, ERASE), "erased_sessions"), 0);
}

#[test]
fn an_erasure_in_one_project_of_several_ends_no_hold() {
    let wire = start(Profile::Strict);
    wire.fail(100);

    ask(&wire, &wire.admin(), ERASE);

    for key in [&wire.live, &wire.other] {
        let answer = wire.ask_in_vain(&Request::post(SEND, BODY).key(key));
        assert_eq!((answer.status, &*answer.code()), (403, "RECIPIENT_ON_HOLD"));
    }
}

#[test]
fn each_is_written_down_and_an_erasure_takes_the_name_out() {
    let wire = start(Profile::Standard);
    let admin = wire.admin();
    let actor = Actor::Key(admin.id());
    wire.fail(1);
    ask(&wire, &admin, LOOKUP);
    ask(&wire, &admin, RELEASE);
    let before = [
        ("recipient.shown", actor.clone(), true),
        ("recipient.released", actor.clone(), true),
    ];
    assert_eq!(audited(&wire), before);

    ask(&wire, &admin, ERASE);

    let actions = ["recipient.shown", "recipient.released", "recipient.erased"];
    let nameless = actions.map(|action| (action, actor.clone(), false));
    assert_eq!(audited(&wire), nameless);
}

/// Every endpoint with a request that a key with its permission may make.
fn endpoints(session_id: &str) -> Vec<(&'static str, Request)> {
    let session = format!(r#"{{"session_id":"{session_id}"}}"#);
    let code = format!(r#"{{"session_id":"{session_id}","code":"1"}}"#);
    let status = format!("/api/v1/otp/status/{session_id}");
    vec![
        ("otp", Request::post(SEND, BODY)),
        ("otp", Request::post(VERIFY, code)),
        ("otp", Request::post(RESEND, session)),
        ("otp", Request::get(&status)),
        ("otp", Request::new("HEAD", &status)),
        ("admin", Request::post(LOOKUP, BODY)),
        ("admin", Request::post(RELEASE, BODY)),
        ("admin", Request::post(ERASE, BODY)),
    ]
}

#[test]
fn every_endpoint_asks_for_its_permission() {
    let wire = start(Profile::Standard);
    let both = Permissions {
        otp: true,
        admin: true,
    };
    for mode in [wire.live.mode(), wire.test.mode()] {
        for permissions in [Permissions::default(), OTP, ADMIN, both] {
            let key = wire.key(|new| {
                new.permissions = permissions;
                new.mode = mode;
            });
            let otp = wire.key(|new| new.mode = mode);
            let opened = wire.ask(&Request::post(SEND, BODY).key(&otp));
            let session_id = opened.member("session_id");
            wire.clock.advance(30);
            for (needed, request) in endpoints(&session_id) {
                let request = request.key(&key);
                let case = format!("{needed} of {permissions:?}");
                if permissions.names().split(' ').any(|name| name == needed) {
                    assert_ne!(wire.ask(&request).status, 403, "{case}");
                    continue;
                }
                let answer = wire.ask_in_vain(&request);
                assert_eq!(answer.status, 403, "{case}");
                let challenge =
                    format!(r#"Bearer realm="otp", error="insufficient_scope", scope="{needed}""#);
                assert_eq!(answer.header("www-authenticate"), Some(&*challenge));
                if !answer.text().is_empty() {
                    let message = format!("The API key lacks the permission \"{needed}\".");
                    assert_eq!((&*answer.code(), answer.message()), ("FORBIDDEN", message));
                }
            }
        }
    }
    let refused = wire.ask_in_vain(&wire.post(ERASE, BODY));
    insta::assert_snapshot!("recipients_forbidden", refused.snapshot());
}

#[test]
fn nobody_else_is_let_in() {
    let wire = start(Profile::Standard);
    wire.fail(5);
    let revoked = wire.admin();
    wire.revoke(&revoked);
    for path in ENDPOINTS {
        let post = Request::post(path, BODY);
        for request in [post.clone(), post.key(&revoked)] {
            assert_eq!(wire.ask_in_vain(&request).status, 401, "{path}");
        }
    }
    assert_eq!(audited(&wire), []);
}

#[test]
fn another_project_finds_and_erases_nothing() {
    let wire = start(Profile::Standard);
    let stranger = wire.key(|new| {
        new.permissions = ADMIN;
        new.project = sample::project("other");
    });
    let once = wire.post(SEND, BODY).header("Idempotency-Key", "k");
    let session_id = wire.ask(&once).member("session_id");
    let before = wire.store.sessions();

    let seen = ask(&wire, &stranger, LOOKUP);
    let erased = ask(&wire, &stranger, ERASE);

    assert_eq!(data(&seen, "sessions"), 0);
    assert_eq!(data(&seen, "last_session_at"), serde_json::Value::Null);
    assert_eq!(data(&erased, "erased_sessions"), 0);
    assert_eq!(wire.store.sessions(), before);
    let again = wire.ask_in_vain(&once);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    let code = wire.code(&session_id);
    assert_eq!(wire.verify(&session_id, &code).status, 200);
}

#[test]
fn a_test_key_sees_and_erases_tests_alone() {
    let wire = start(Profile::Strict);
    let admin = wire.key(|new| {
        new.permissions = ADMIN;
        new.mode = wire.test.mode();
    });
    wire.fail(100);
    let tested = wire.ask(&Request::post(SEND, BODY).key(&wire.test));
    assert_eq!(tested.status, 200);

    let seen = ask(&wire, &admin, LOOKUP);
    assert_eq!(seen.header("otpost-test"), Some("true"));
    assert_eq!(data(&seen, "sessions"), 1);
    assert_eq!(
        (data(&seen, "failures"), data(&seen, "on_hold")),
        (0.into(), false.into())
    );
    let counted = |wire: &Wire| wire.store.edit(|tables| tables.counters.clone());
    let before = counted(&wire);
    assert_eq!(data(&ask(&wire, &admin, RELEASE), "released"), false);
    assert_eq!(data(&ask(&wire, &admin, ERASE), "erased_sessions"), 1);
    assert_eq!(counted(&wire), before);
    assert_eq!(wire.store.sessions().len(), 1);
    assert_eq!(wire.ask_in_vain(&wire.post(SEND, BODY)).status, 403);
}

#[test]
fn a_request_is_judged_as_everywhere() {
    let wire = start(Profile::Standard);
    let admin = wire.admin();
    wire.fail(5);
    for path in ENDPOINTS {
        let post = |body: &str| Request::post(path, body).key(&admin);
        for (status, code, request) in [
            (405, "METHOD_NOT_ALLOWED", Request::get(path)),
            (
                405,
                "METHOD_NOT_ALLOWED",
                Request::new("DELETE", path).key(&admin),
            ),
            (404, "NOT_FOUND", Request::post(&format!("{path}/"), BODY)),
            (
                415,
                "UNSUPPORTED_MEDIA_TYPE",
                post(BODY).without("Content-Type"),
            ),
            (413, "PAYLOAD_TOO_LARGE", post(&" ".repeat(16 * 1024 + 1))),
            (400, "MALFORMED_REQUEST", post("{")),
            (422, "VALIDATION_ERROR", post("{}")),
        ] {
            let answer = wire.ask_in_vain(&request);
            assert_eq!((answer.status, &*answer.code()), (status, code), "{path}");
            let allow = (status == 405).then_some("POST");
            assert_eq!(answer.header("allow"), allow, "{path}");
        }
        for (body, message) in [
            (r#"{"email":null}"#, "The email field is required."),
            (r#"{"email":7}"#, "The email field must be a string."),
            (
                r#"{"email":"user@example.com","session_id":"x"}"#,
                "The session_id field is unknown.",
            ),
        ] {
            let answer = wire.ask_in_vain(&post(body));
            assert_eq!(
                (answer.status, &*answer.message()),
                (422, message),
                "{path}"
            );
        }
        for email in ["user", "user@example.invalid", "User <user@example.com>"] {
            let answer = wire.ask_in_vain(&post(&format!(r#"{{"email":"{email}"}}"#)));
            assert_eq!(
                (answer.status, answer.fields()),
                (422, vec!["email".to_owned()])
            );
        }
    }
    for path in ["/api/v1/otp/recipients", "/api/v1/otp/recipients/show"] {
        let answer = wire.ask_in_vain(&Request::post(path, BODY).key(&admin));
        assert_eq!((answer.status, &*answer.code()), (404, "NOT_FOUND"));
    }
    assert_eq!(audited(&wire), []);
}

#[test]
fn each_counts_as_a_read_of_the_project() {
    for path in ENDPOINTS {
        let wire = Wire::start_with_limits(|limits| {
            limits.project_reads_per_minute = Limit::new(2, 60);
        });
        let admin = wire.admin();
        wire.fail(5);
        let session_id = wire.open();
        assert_eq!(wire.status(&session_id).status, 200);
        let stands = ask(&wire, &admin, LOOKUP);
        assert_eq!(
            stands.header("ratelimit"),
            Some(r#""project_reads_per_minute";r=0;t=60"#)
        );

        let answer = wire.ask_in_vain(&Request::post(path, BODY).key(&admin));

        assert_eq!((answer.status, &*answer.code()), (429, "RATE_LIMITED"));
        let details = r#""details":{"limit":"project_reads_per_minute","retry_after":30}"#;
        assert!(answer.text().contains(details), "{}", answer.text());
        insta::assert_snapshot!("recipients_limited", answer.snapshot());
        wire.clock.advance(30);
        ask(&wire, &admin, path);
    }
}

#[test]
fn a_storage_that_is_away_is_503() {
    let wire = start(Profile::Standard);
    let admin = wire.admin();
    wire.fail(5);
    for path in ENDPOINTS {
        wire.store.fail(true);
        let answer = wire.ask_in_vain(&Request::post(path, BODY).key(&admin));
        assert_eq!(
            (answer.status, &*answer.code()),
            (503, "SERVICE_UNAVAILABLE")
        );
        wire.store.fail(false);
    }
    assert_eq!(audited(&wire), []);
}
