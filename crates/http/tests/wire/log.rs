//! What the log says of a request, and what it must not.

use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing_subscriber::EnvFilter;

use crate::support::{Request, SEND, Wire};

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

fn lock() -> MutexGuard<'static, Vec<u8>> {
    LOG.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Appender;

impl Write for Appender {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs `work` and returns what was logged meanwhile under its request id.
fn logged(id: &str, work: impl FnOnce()) -> Vec<String> {
    // Another test of this process may have been first.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("off,otpost_http=trace,otpost_service=trace"))
        .with_ansi(false)
        .with_writer(|| Appender)
        .try_init();
    work();
    let text = String::from_utf8(lock().clone()).unwrap();
    let of_request = |line: &&str| line.contains(&format!("request.id=\"{id}\""));
    text.lines().filter(of_request).map(str::to_owned).collect()
}

#[test]
fn a_5xx_is_logged_once_with_its_cause_under_the_request_id() {
    let wire = Wire::start();
    let request = wire
        .post(SEND, r#"{"email":"user@example.com"}"#)
        .without("X-Request-Id");
    wire.store.fail(true);
    let away = request.clone().header("X-Request-Id", "log-away");
    let lines = logged("log-away", || assert_eq!(wire.ask(&away).status, 503));
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].contains("WARN") && lines[0].contains("http.status=503"),
        "{lines:?}"
    );
    assert!(lines[0].contains("switched off by a test"), "{lines:?}");

    wire.store.fail(false);
    wire.entropy.fail(true);
    let broken = request.header("X-Request-Id", "log-broken");
    let lines = logged("log-broken", || assert_eq!(wire.ask(&broken).status, 500));
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].contains("ERROR") && lines[0].contains("no random bytes"),
        "{lines:?}"
    );
}

#[test]
fn every_request_is_one_line_and_holds_nothing_of_its_own() {
    let wire = Wire::start();
    let session_id = wire.open();
    let code = wire.code(&session_id);
    let status = format!("/api/v1/otp/status/{session_id}?x={code}");
    let named = |request: Request| {
        request
            .without("X-Request-Id")
            .header("X-Request-Id", "log-flow")
    };
    let requests = [
        wire.post(SEND, r#"{"email":"user@example.com"}"#),
        Request::get(&status).key(&wire.live),
        wire.verification(&session_id, "x"),
        wire.verification(&session_id, &code),
        wire.resend(&session_id),
        Request::new("POST", SEND).key(&wire.live).body(&code),
        Request::new(&code, &format!("/{session_id}/user@example.com")),
    ];
    let count = requests.len();
    let lines = logged("log-flow", || {
        for request in requests {
            wire.ask(&named(request));
        }
    });

    assert_eq!(lines.len(), count, "{lines:#?}");
    assert!(
        lines[0].contains("http.method=\"POST\" http.route=\"/api/v1/otp/send\""),
        "{lines:?}"
    );
    assert!(
        lines[1].contains("http.route=\"/api/v1/otp/status/{session_id}\""),
        "{lines:?}"
    );
    assert!(lines[1].contains("http.status=200"), "{lines:?}");
    for secret in ["user@example.com", &*code, &*session_id, wire.live.reveal()] {
        assert!(!lines.concat().contains(secret), "{lines:#?}");
    }
}

#[test]
fn a_key_that_comes_from_elsewhere_is_logged_with_what_to_do() {
    let wire = Wire::start();
    let key = wire.key(|new| new.allowed_from = vec!["192.0.2.0/24".parse().unwrap()]);
    let request = Request::post(SEND, r#"{"email":"user@example.com"}"#)
        .key(&key)
        .without("X-Request-Id")
        .header("X-Request-Id", "log-elsewhere");
    let lines = logged("log-elsewhere", || {
        assert_eq!(wire.ask_in_vain(&request).status, 401);
    });

    assert_eq!(lines.len(), 2, "{lines:#?}");
    let (why, id) = (&lines[0], key.id().to_string());
    assert!(why.contains("WARN") && why.contains("--allow-ip"), "{why}");
    assert!(
        why.contains("server.trusted_proxies") && why.contains(&id),
        "{why}"
    );
    for secret in [key.reveal(), "127.0.0.1"] {
        assert!(!lines.concat().contains(secret), "{lines:#?}");
    }
}
