//! The inbox of a development run.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::support::{Answer, Options, Request, SEND, Wire};

const MESSAGES: &str = "/dev/inbox/messages";

fn start() -> Wire {
    Wire::start_with(Options {
        is_dev: true,
        ..Options::default()
    })
}

fn messages(wire: &Wire, query: &str) -> Vec<serde_json::Value> {
    let answer = wire.ask(&Request::get(&format!("{MESSAGES}{query}")));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["messages"].as_array().unwrap().clone()
}

/// Sends to `email` and waits until the message has arrived.
fn send(wire: &Wire, email: &str) -> String {
    let session_id = wire.open_with(&format!(r#"{{"email":"{email}"}}"#));
    let found = messages(wire, &format!("?session_id={session_id}&wait=30"));
    assert_eq!(found.len(), 1);
    session_id
}

#[test]
fn a_message_is_there_to_be_read_and_its_code_verifies() {
    let wire = start();
    let session_id = send(&wire, "user@example.com");
    let answer = wire.ask(&Request::get(MESSAGES));
    insta::assert_snapshot!("dev_messages", answer.snapshot());

    let code = messages(&wire, "?to=user@example.com")[0]["code"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(wire.verify(&session_id, &code).status, 200);
}

#[test]
fn messages_are_filtered_and_the_newest_comes_first() {
    let wire = start();
    let first = send(&wire, "a@example.com");
    let second = send(&wire, "b+tag@example.com");
    let third = send(&wire, "a@example.com");
    for (query, expected) in [
        ("", vec![&third, &second, &first]),
        ("?to=a@example.com", vec![&third, &first]),
        ("?to=a%40example.com", vec![&third, &first]),
        ("?to=b+tag@example.com", vec![&second]),
        ("?to=b%2Btag@example.com", vec![&second]),
        ("?to=A@example.com", vec![]),
        ("?to=a@example", vec![]),
        (&format!("?session_id={second}"), vec![&second]),
        (&format!("?session_id={second}&to=a@example.com"), vec![]),
    ] {
        let found = messages(&wire, query);
        let found: Vec<_> = found
            .iter()
            .map(|one| one["session_id"].as_str().unwrap())
            .collect();
        assert_eq!(found, expected, "{query}");
    }
}

#[test]
fn a_test_keys_message_is_there_too() {
    let wire = start();
    let body = r#"{"email":"user@example.test"}"#;
    assert_eq!(
        wire.ask(&Request::post(SEND, body).key(&wire.test)).status,
        200
    );
    let found = messages(&wire, "?to=user@example.test&wait=30");
    assert_eq!(found[0]["code"], "424242");
}

#[test]
fn waiting_ends_without_a_message_when_its_time_is_over() {
    let wire = start();
    let started = Instant::now();
    assert!(messages(&wire, "?to=nobody@example.com&wait=1").is_empty());
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert!(messages(&wire, "?wait=0").is_empty());
}

#[test]
fn nobody_waits_for_a_server_that_stops() {
    let mut wire = start();
    let mut waiting = TcpStream::connect(wire.address()).unwrap();
    let request = format!("GET {MESSAGES}?wait=30 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    waiting.write_all(request.as_bytes()).unwrap();
    // There is one worker: it took the first request up before it answered the second.
    assert_eq!(wire.ask(&Request::get("/healthz")).status, 200);

    let started = Instant::now();
    wire.stop().unwrap();
    assert!(started.elapsed() < Duration::from_secs(7));
    let mut answer = String::new();
    waiting.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with(r#"{"messages":[]}"#), "{answer}");
}

#[test]
fn the_inbox_can_be_emptied() {
    let wire = start();
    send(&wire, "user@example.com");
    let answer = wire.ask(&Request::new("DELETE", MESSAGES));
    assert_eq!((answer.status, answer.text()), (204, ""));
    assert!(messages(&wire, "").is_empty());
}

#[test]
fn one_message_can_be_removed_and_a_page_learns_of_it() {
    let wire = start();
    send(&wire, "a@example.com");
    send(&wire, "b@example.com");
    let id = messages(&wire, "?to=a@example.com")[0]["id"].clone();
    let path = format!("{MESSAGES}/{}", id.as_str().unwrap());
    let revision = || wire.ask(&Request::get("/dev/inbox/revision")).json();
    let seen = revision();

    let answer = wire.ask(&Request::new("DELETE", &path));
    assert_eq!((answer.status, answer.text()), (204, ""));
    assert_ne!(revision(), seen);
    let left = messages(&wire, "");
    assert_eq!((left.len(), &left[0]["to"]), (1, &"b@example.com".into()));
    assert_eq!(wire.ask(&Request::new("DELETE", &path)).status, 404);
    assert_eq!(messages(&wire, "").len(), 1);
}

#[test]
fn the_source_is_plain_text() {
    let wire = start();
    send(&wire, "user@example.com");
    let id = messages(&wire, "")[0]["id"].as_str().unwrap().to_owned();
    let answer = wire.ask(&Request::get(&format!("{MESSAGES}/{id}/source")));
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert!(answer.text().starts_with("Subject: "), "{}", answer.text());
    let unknown = wire.ask(&Request::get(&format!("{MESSAGES}/none/source")));
    assert_eq!(unknown.status, 404);
}

fn assert_refused(answer: &Answer, status: u16, message: &str) {
    assert_eq!((answer.status, &*answer.message()), (status, message));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[test]
fn a_query_is_as_strict_as_a_body() {
    let wire = start();
    let wait = "The wait field must be an integer between 0 and 30.";
    for (query, status, message) in [
        ("?wait=31", 422, wait),
        ("?wait=-1", 422, wait),
        ("?wait=soon", 422, wait),
        ("?wait=", 422, wait),
        ("?email=a@example.com", 422, "The email field is unknown."),
        (
            "?to=a&to=b",
            400,
            "The member \"to\" is given more than once, under its name or an alias.",
        ),
    ] {
        let answer = wire.ask(&Request::get(&format!("{MESSAGES}{query}")));
        assert_refused(&answer, status, message);
    }
}

#[test]
fn a_foreign_host_is_refused_everywhere() {
    let wire = start();
    send(&wire, "user@example.com");
    for host in [
        "evil.example",
        "evil.example:80",
        "localhost.evil.example",
        "10.0.0.1",
        "",
    ] {
        for (method, path) in [
            ("GET", "/dev/inbox"),
            ("GET", "/dev/assets/inbox.js"),
            ("GET", "/dev/templates/list"),
            ("GET", "/dev/try"),
            ("POST", "/dev/try/send"),
            ("GET", MESSAGES),
            ("DELETE", MESSAGES),
            ("GET", "/dev/nothing"),
        ] {
            let answer = wire.ask(&Request::new(method, path).header("Host", host));
            assert_eq!(
                (answer.status, &*answer.code()),
                (403, "FORBIDDEN"),
                "{host} {path}"
            );
            assert!(!answer.text().contains("user@example.com"));
        }
    }
    assert_eq!(messages(&wire, "").len(), 1);
}

#[test]
fn a_host_of_this_machine_is_answered() {
    let wire = start();
    for host in ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]:8080"] {
        let answer = wire.ask(&Request::get(MESSAGES).header("Host", host));
        assert_eq!(answer.status, 200, "{host}");
    }
}

#[test]
fn another_site_can_not_empty_the_inbox() {
    let wire = start();
    send(&wire, "user@example.com");
    for origin in ["https://evil.example", "http://localhost:3000", "null"] {
        let request = Request::new("DELETE", MESSAGES).header("Origin", origin);
        assert_eq!(wire.ask(&request).status, 403, "{origin}");
    }
    assert_eq!(messages(&wire, "").len(), 1);

    let own = format!("http://{}", wire.address());
    let request = Request::new("DELETE", MESSAGES).header("Origin", own);
    assert_eq!(wire.ask(&request).status, 204);
}

#[test]
fn the_page_runs_its_own_script_and_nothing_else() {
    let wire = start();
    for (path, content_type, part) in [
        (
            "/dev/inbox",
            "text/html; charset=utf-8",
            "src=\"/dev/assets/inbox.js\"",
        ),
        (
            "/dev/templates",
            "text/html; charset=utf-8",
            "src=\"/dev/assets/templates.js\"",
        ),
        (
            "/dev/assets/dev.css",
            "text/css; charset=utf-8",
            "prefers-color-scheme: dark",
        ),
        (
            "/dev/assets/inbox.js",
            "text/javascript; charset=utf-8",
            "textContent",
        ),
        (
            "/dev/assets/reader.js",
            "text/javascript; charset=utf-8",
            "textContent",
        ),
        (
            "/dev/assets/templates.js",
            "text/javascript; charset=utf-8",
            "textContent",
        ),
    ] {
        let answer = wire.ask(&Request::get(path));
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("content-type"), Some(content_type));
        assert!(answer.text().contains(part), "{path}");
        // What a message holds never becomes markup of the page.
        for sink in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
        ] {
            assert!(!answer.text().contains(sink), "{path} {sink}");
        }
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self';"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
    }
}

#[test]
fn the_html_of_a_message_may_do_nothing() {
    let wire = start();
    send(&wire, "user@example.com");
    let id = messages(&wire, "")[0]["id"].as_str().unwrap().to_owned();
    let answer = wire.ask(&Request::get(&format!("{MESSAGES}/{id}/html")));
    assert_eq!(
        answer.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let policy = answer.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("sandbox; default-src 'none';"),
        "{policy}"
    );
    assert!(
        !policy.contains("allow-") && !policy.contains("script"),
        "{policy}"
    );
    assert!(answer.text().contains("<bdi>"));
    assert_eq!(
        wire.ask(&Request::get(&format!("{MESSAGES}/none/html")))
            .status,
        404
    );
}

#[test]
fn a_page_learns_of_every_arrival() {
    let wire = start();
    let revision = |query: &str| {
        let answer = wire.ask(&Request::get(&format!("/dev/inbox/revision{query}")));
        answer.json()["revision"].as_u64().unwrap()
    };
    let seen = revision("");
    assert_eq!(revision(&format!("?seen={seen}&wait=0")), seen);
    send(&wire, "user@example.com");
    let next = revision(&format!("?seen={seen}&wait=30"));
    assert_ne!(next, seen);

    let answer = wire.ask(&Request::get("/dev/inbox/revision?seen=x"));
    assert_refused(&answer, 422, "The seen field must be a revision.");
}

#[test]
fn other_methods_are_405() {
    let wire = start();
    for (path, allow) in [
        ("/dev/inbox", "GET, HEAD"),
        ("/dev/assets/inbox.js", "GET, HEAD"),
        ("/dev/try", "GET, HEAD"),
        (MESSAGES, "GET, HEAD, DELETE"),
    ] {
        let answer = wire.ask(&Request::new("POST", path));
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, Some(allow)),
            "{path}"
        );
    }
}
