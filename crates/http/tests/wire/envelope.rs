//! What every answer has around it, and the order in which a request is judged.

use otpost_domain::Permissions;

use crate::support::{Request, SEND, VERIFY, Wire};

const STATUS: &str = "/api/v1/otp/status/000000000000000000000000000000";

/// One request for each way to be answered, the framework's own among them.
fn answers(wire: &Wire) -> Vec<(&'static str, Request)> {
    let post = |body: &str| wire.post(SEND, body);
    vec![
        ("success", post(r#"{"email":"user@example.com"}"#)),
        ("not_found", Request::get("/nowhere")),
        ("not_found_root", Request::get("/")),
        ("not_found_in_api", Request::get("/api/v1/otp/")),
        (
            "not_found_without_session",
            Request::get("/api/v1/otp/status/"),
        ),
        ("not_found_dev", Request::get("/dev/inbox")),
        ("method_not_allowed_post", Request::get(SEND)),
        ("method_not_allowed_get", Request::new("DELETE", STATUS)),
        ("options", Request::new("OPTIONS", SEND)),
        ("strange_method", Request::new("BREW", SEND)),
        ("malformed", post("{")),
        ("payload_too_large", post(&" ".repeat(16 * 1024 + 1))),
        ("media_type", post("{}").without("Content-Type")),
        ("validation", post("{}")),
        ("unauthorized", Request::get(STATUS)),
        ("session_not_found", Request::get(STATUS).key(&wire.live)),
        ("health", Request::get("/healthz")),
    ]
}

#[test]
fn every_answer_has_the_envelope_and_the_headers() {
    let wire = Wire::start();
    for (case, request) in answers(&wire) {
        let answer = wire.ask(&request);
        assert_eq!(answer.header("x-request-id"), Some("test"), "{case}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{case}");
        assert_eq!(
            answer.header("x-content-type-options"),
            Some("nosniff"),
            "{case}"
        );
        assert_eq!(
            answer.header("content-type"),
            Some("application/json"),
            "{case}"
        );
        assert_eq!(answer.header("access-control-allow-origin"), None, "{case}");
        let success = answer.json()["success"].as_bool();
        assert_eq!(success, Some(answer.status == 200), "{case}");
        assert_eq!(answer.code().is_empty(), answer.status == 200, "{case}");
    }
}

#[test]
fn every_answer_is_as_written() {
    let wire = Wire::start();
    for (case, request) in answers(&wire) {
        let name = format!("envelope_{case}");
        insta::assert_snapshot!(name, wire.ask(&request).snapshot());
    }
}

#[test]
fn a_path_that_exists_says_which_methods_it_answers() {
    let wire = Wire::start();
    for (path, allow, methods) in [
        (SEND, "POST", ["GET", "PUT"]),
        (VERIFY, "POST", ["HEAD", "DELETE"]),
        ("/api/v1/otp/resend", "POST", ["PATCH", "OPTIONS"]),
        (STATUS, "GET, HEAD", ["POST", "OPTIONS"]),
        ("/healthz", "GET, HEAD", ["POST", "PUT"]),
        ("/readyz", "GET, HEAD", ["POST", "TRACE"]),
    ] {
        for method in methods {
            let answer = wire.ask_in_vain(&Request::new(method, path).key(&wire.live));
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
        }
    }
}

#[test]
fn head_is_get_without_the_body() {
    let wire = Wire::start();
    let session_id = wire.open();
    let path = format!("/api/v1/otp/status/{session_id}");
    let get = wire.ask(&Request::get(&path).key(&wire.live));
    let head = wire.ask_in_vain(&Request::new("HEAD", &path).key(&wire.live));

    assert_eq!((head.status, head.text()), (200, ""));
    assert_eq!(head.header("otpost-delivery"), Some("queued"));
    assert_eq!(head.header("content-length"), get.header("content-length"));
    assert_eq!(wire.ask(&Request::new("HEAD", "/healthz")).status, 200);
}

#[test]
fn a_request_id_is_kept_when_it_is_printable() {
    let wire = Wire::start();
    let longest = "x".repeat(128);
    for id in ["a", "0190-af~!", "two words", &longest] {
        let request = Request::get("/healthz").without("X-Request-Id");
        let answer = wire.ask(&request.header("X-Request-Id", id));
        assert_eq!(answer.header("x-request-id"), Some(id));
    }
}

#[test]
fn any_other_request_gets_an_id_of_its_own() {
    let wire = Wire::start();
    let request = || Request::get("/healthz").without("X-Request-Id");
    let too_long = "x".repeat(129);
    let mut seen = Vec::new();
    for strange in [
        request(),
        request().header("X-Request-Id", ""),
        request().header("X-Request-Id", &too_long),
        request().header("X-Request-Id", "a\tb"),
        request().header("X-Request-Id", b"\xc3\xa4"),
        request()
            .header("X-Request-Id", "a")
            .header("X-Request-Id", "b"),
    ] {
        let answer = wire.ask(&strange);
        let id = answer.header("x-request-id").unwrap().to_owned();
        assert_eq!(id.len(), 32, "{id}");
        assert!(id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        assert!(!seen.contains(&id), "{id}");
        seen.push(id);
    }
}

/// Each request is wrong in one respect more than the next; the first is what is answered.
#[test]
fn a_request_is_judged_in_the_order_of_the_contract() {
    let wire = Wire::start();
    let large = format!("{{\"email\":{}", " ".repeat(17_000));
    let all_wrong = |method: &str, path: &str| Request::new(method, path).body(&large);
    let twice = all_wrong("POST", SEND).key(&wire.live).key(&wire.live);
    let keyed = || all_wrong("POST", SEND).key(&wire.live);
    let json = "application/json";
    for (status, request) in [
        (404, all_wrong("PUT", "/nowhere")),
        (405, all_wrong("PUT", SEND)),
        (401, all_wrong("POST", SEND)),
        (400, twice),
        (
            403,
            all_wrong("POST", SEND).key(&wire.key(|new| new.permissions = Permissions::default())),
        ),
        (415, keyed()),
        (413, keyed().header("Content-Type", json)),
        (413, keyed().header("Content-Type", json).chunked()),
        (
            400,
            keyed().header("Content-Type", json).body("{\"email\":"),
        ),
        (
            422,
            keyed().header("Content-Type", json).body("{\"email\":1}"),
        ),
    ] {
        assert_eq!(wire.ask_in_vain(&request).status, status);
    }
}

#[test]
fn fields_are_judged_before_the_session_is_looked_for() {
    let wire = Wire::start();
    for (body, status) in [
        (r#"{"session_id":"nobody"}"#, 422),
        (
            r#"{"session_id":"nobody","code":"123456","email":"x"}"#,
            422,
        ),
        (r#"{"session_id":"nobody","code":"123456"}"#, 404),
        (
            r#"{"session_id":"000000000000000000000000000000","code":"1"}"#,
            404,
        ),
    ] {
        assert_eq!(
            wire.ask_in_vain(&wire.post(VERIFY, body)).status,
            status,
            "{body}"
        );
    }
}

#[test]
fn nothing_of_dev_exists_in_production() {
    let wire = Wire::start();
    for (method, path) in [
        ("GET", "/dev"),
        ("GET", "/dev/inbox"),
        ("GET", "/dev/inbox/messages"),
        ("DELETE", "/dev/inbox/messages"),
        ("GET", "/dev/assets/inbox.js"),
        ("GET", "/dev/templates"),
        ("GET", "/dev/try"),
        ("POST", "/dev/try/send"),
    ] {
        let answer = wire.ask(&Request::new(method, path).key(&wire.live));
        assert_eq!(
            (answer.status, &*answer.code()),
            (404, "NOT_FOUND"),
            "{path}"
        );
    }
}
