//! Browsers of other origins.

use crate::support::{Answer, Options, Request, SEND, Wire};

const APP: &str = "https://app.example.com";

fn start(origins: &[&str]) -> Wire {
    Wire::start_with(Options {
        cors_origins: origins.iter().map(|origin| (*origin).to_owned()).collect(),
        is_dev: true,
        ..Options::default()
    })
}

fn preflight(path: &str, origin: &str) -> Request {
    Request::new("OPTIONS", path)
        .header("Origin", origin)
        .header("Access-Control-Request-Method", "POST")
        .header(
            "Access-Control-Request-Headers",
            "authorization,content-type",
        )
}

fn allows_nothing(answer: &Answer) -> bool {
    answer.header("access-control-allow-origin").is_none()
        && answer.header("access-control-allow-methods").is_none()
        && answer.header("access-control-allow-headers").is_none()
}

#[test]
fn by_default_no_origin_may_call() {
    let wire = start(&[]);
    let answer = wire.ask(&preflight(SEND, APP));
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    assert!(allows_nothing(&answer));
    let request = wire.post(SEND, r#"{"email":"user@example.com"}"#);
    assert!(allows_nothing(&wire.ask(&request.header("Origin", APP))));
}

#[test]
fn a_listed_origin_may_call() {
    let wire = start(&["https://other.example.com", APP]);
    let answer = wire.ask(&preflight(SEND, APP));
    assert_eq!((answer.status, answer.text()), (204, ""));
    insta::assert_snapshot!("cors_preflight", answer.snapshot());

    let request = wire.post(SEND, r#"{"email":"user@example.com"}"#);
    let answer = wire.ask(&request.header("Origin", APP));
    assert_eq!(answer.status, 200);
    insta::assert_snapshot!("cors_send", answer.snapshot());
    // A script may read also why it was refused.
    let answer = wire.ask(&Request::post(SEND, "{}").header("Origin", APP));
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("access-control-allow-origin"), Some(APP));
}

#[test]
fn an_origin_is_listed_to_the_letter() {
    let wire = start(&[APP]);
    for origin in [
        "https://evil.example",
        "http://app.example.com",
        "https://app.example.com:8443",
        "https://app.example.com.evil.example",
        "null",
    ] {
        let answer = wire.ask(&preflight(SEND, origin));
        assert_eq!(answer.status, 405, "{origin}");
        assert!(allows_nothing(&answer), "{origin}");
        assert_eq!(answer.header("vary"), Some("Origin"), "{origin}");
    }
}

#[test]
fn a_listed_origin_finds_no_path_and_no_inbox_that_it_should_not() {
    let wire = start(&[APP]);
    assert_eq!(wire.ask(&preflight("/api/v1/otp/nothing", APP)).status, 404);
    let inbox = wire.ask(&Request::get("/dev/inbox/messages").header("Origin", APP));
    assert!(allows_nothing(&inbox));
    assert_eq!(wire.ask(&preflight("/dev/inbox/messages", APP)).status, 403);
}
