//! Bodies that cannot be read: media type, size, JSON.

use crate::support::{Request, SEND, Wire};

const BODY: &str = r#"{"email":"user@example.com"}"#;

#[test]
fn json_in_utf_8_is_taken_however_it_is_announced() {
    let wire = Wire::start();
    for value in [
        "application/json",
        "APPLICATION/JSON; charset=UTF-8",
        "application/json;x=y",
    ] {
        let request = wire.post(SEND, BODY).without("Content-Type");
        let answer = wire.ask(&request.header("Content-Type", value));
        assert_eq!(answer.status, 200, "{value}");
    }
}

#[test]
fn every_other_media_type_is_415_and_told_what_to_send() {
    let wire = Wire::start();
    let bare = || wire.post(SEND, BODY).without("Content-Type");
    for request in [
        bare(),
        bare().header("Content-Type", ""),
        bare().header("Content-Type", "text/plain"),
        bare().header("Content-Type", "application/x-www-form-urlencoded"),
        bare().header("Content-Type", "application/json; charset=latin1"),
        wire.post(SEND, BODY)
            .header("Content-Type", "application/json"),
        wire.post(SEND, BODY).header("Content-Encoding", "gzip"),
    ] {
        let answer = wire.ask_in_vain(&request);
        assert_eq!(
            (answer.status, &*answer.code()),
            (415, "UNSUPPORTED_MEDIA_TYPE")
        );
        let message = answer.message();
        assert!(
            message.contains("\"Content-Type: application/json\""),
            "{message}"
        );
    }
}

/// `BODY` with blanks to make it `length` bytes.
fn padded(length: usize) -> String {
    format!("{BODY}{}", " ".repeat(length - BODY.len()))
}

#[test]
fn sixteen_kibibytes_are_taken_and_not_a_byte_more() {
    let wire = Wire::start();
    for (length, status) in [(16_384, 200), (16_385, 413), (1_000_000, 413)] {
        let whole = wire.post(SEND, &padded(length));
        assert_eq!(wire.ask(&whole).status, status, "{length}");
        assert_eq!(
            wire.ask(&whole.chunked()).status,
            status,
            "{length} in chunks"
        );
    }
    assert_eq!(wire.store.sessions().len(), 2);
}

#[test]
fn a_long_body_without_a_key_is_still_401() {
    let wire = Wire::start();
    let request = Request::post(SEND, padded(1_000_000));
    assert_eq!(wire.ask_in_vain(&request).status, 401);
    assert_eq!(wire.ask_in_vain(&request.chunked()).status, 401);
}

#[test]
fn what_is_no_json_object_is_400_and_told_what_is_wrong_where() {
    let wire = Wire::start();
    for (body, message) in [
        (&b""[..], "The body is empty: send a JSON object."),
        (b"[]", "The body must be a JSON object."),
        (b"\"user@example.com\"", "The body must be a JSON object."),
        (
            b"{\"email\":\"user@example.com\"",
            "The body is not JSON: it ends too early, at line 1, column 27.",
        ),
        (
            b"{\"email\":\"user@example.com\"} {}",
            "The body is not JSON at line 1, column 30: trailing characters.",
        ),
        (
            b"{\"email\":\"user@example.com\",}",
            "The body is not JSON at line 1, column 29: trailing comma.",
        ),
        (
            b"{'email':'user@example.com'}",
            "The body is not JSON at line 1, column 2: key must be a string.",
        ),
        (
            b"email=user%40example.com",
            "The body is not JSON at line 1, column 1: expected value.",
        ),
        (
            b"{\"email\":\"user\xff@example.com\"}",
            "The body is not valid UTF-8 at line 1, column 15.",
        ),
        (
            b"{\"email\":\"user@example.com\",\"variables\":{\"a\":\"1\",\"a\":\"2\"}}",
            "The body is not JSON at line 1, column 52: the member \"a\" is given twice.",
        ),
        (
            b"{\"email\":\"a@example.com\",\"email\":\"b@example.com\"}",
            "The body is not JSON at line 1, column 32: the member \"email\" is given twice.",
        ),
        (
            b"{\"email\":\"user@example.com\",\"template\":\"login\",\"purpose\":\"login\"}",
            "The member \"template\" is given more than once, under its name or an alias.",
        ),
    ] {
        let answer = wire.ask_in_vain(&wire.post(SEND, "").body(body));
        let shown = body.escape_ascii();
        assert_eq!(
            (answer.status, &*answer.code()),
            (400, "MALFORMED_REQUEST"),
            "{shown}"
        );
        assert_eq!(answer.message(), message, "{shown}");
    }
}

/// The page shows comments in its first example: whoever pastes it is told.
#[test]
fn the_example_of_the_page_is_told_that_json_has_no_comments() {
    let wire = Wire::start();
    let body = r#"{
  "email": "user@example.com",
  "template": "login",           // optional: login, signup, reset
  "expires_in": 300,             // optional: seconds (default: 300)
  "code_length": 6               // optional: 4-8 (default: 6)
}"#;
    let answer = wire.ask_in_vain(&wire.post(SEND, body));
    insta::assert_snapshot!("body_with_comments", answer.snapshot());

    let without: Vec<_> = body
        .lines()
        .map(|line| line.split("//").next().unwrap())
        .collect();
    assert_eq!(wire.ask(&wire.post(SEND, &without.join("\n"))).status, 200);
}

/// A body that never comes holds a socket for ten seconds at most.
#[test]
fn a_body_that_does_not_come_is_given_up() {
    let wire = Wire::start();
    let started = std::time::Instant::now();
    let answer = wire.ask_in_vain(&wire.post(SEND, "").header("Content-Length", "60"));
    assert_eq!((answer.status, &*answer.code()), (408, "REQUEST_TIMEOUT"));
    // With some patience for a machine that is busy.
    assert!(started.elapsed().as_secs() < 20);
}
