//! What a load balancer asks.

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
fn a_stopped_server_ends() {
    let mut wire = Wire::start();
    assert_eq!(wire.ask(&Request::get("/healthz")).status, 200);
    wire.stop().unwrap();
    assert!(std::net::TcpStream::connect(wire.address()).is_err());
}
