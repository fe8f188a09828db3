//! What a load balancer asks.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::support::{Request, Wire};

#[test]
fn a_healthy_server_says_so_without_a_key() {
    let wire = Wire::start();
    let alive = wire.ask(&Request::get("/healthz"));
    assert_eq!(alive.text(), r#"{"success":true,"data":{"status":"ok"}}"#);
    let ready = wire.ask(&Request::get("/readyz"));
    assert_eq!(
        ready.text(),
        r#"{"success":true,"data":{"status":"ready"}}"#
    );
}

#[test]
fn without_its_storage_it_is_alive_and_not_ready() {
    let wire = Wire::start();
    wire.store.fail(true);
    assert_eq!(wire.ask(&Request::get("/healthz")).status, 200);
    let ready = wire.ask(&Request::get("/readyz"));
    assert_eq!((ready.status, &*ready.code()), (503, "SERVICE_UNAVAILABLE"));
    assert_eq!(ready.header("retry-after"), Some("5"));

    wire.store.fail(false);
    assert_eq!(wire.ask(&Request::get("/readyz")).status, 200);
}

#[test]
fn a_server_that_will_stop_is_alive_and_not_ready_and_serves_on() {
    let wire = Wire::start();
    wire.announce_stop();
    let ready = wire.ask(&Request::get("/readyz"));
    insta::assert_snapshot!("health_stopping", ready.snapshot());
    assert_eq!(wire.ask(&Request::get("/healthz")).status, 200);
    assert_eq!(wire.attempts(&wire.open()), 0);
}

#[test]
fn a_server_that_will_stop_closes_each_connection_with_its_next_answer() {
    let wire = Wire::start();
    let mut stream = TcpStream::connect(wire.address()).unwrap();
    let mut ask = || {
        stream
            .write_all(b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        let mut answer = [0; 4096];
        let read = stream.read(&mut answer).unwrap();
        String::from_utf8_lossy(&answer[..read]).to_ascii_lowercase()
    };
    assert!(!ask().contains("connection:"));

    wire.announce_stop();

    let last = ask();
    assert!(last.starts_with("http/1.1 404"), "{last}");
    assert!(last.contains("\r\nconnection: close\r\n"), "{last}");
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_stopped_server_ends() {
    let mut wire = Wire::start();
    assert_eq!(wire.ask(&Request::get("/healthz")).status, 200);
    wire.stop().unwrap();
    assert!(std::net::TcpStream::connect(wire.address()).is_err());
}
