//! The requests that are measured, as they go over the wire.

use super::sink::address;

/// A session, and the code that was mailed for it.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) session: String,
    pub(super) code: String,
}

/// A request to verify.
pub(super) fn verify(host: &str, key: &str, session: &str, code: &str) -> Vec<u8> {
    let body = format!(r#"{{"session_id":"{session}","code":"{code}"}}"#);
    post(host, key, "verify", &body)
}

/// A request to mail a code to a recipient, with the longest life, so that it lives through all
/// measurements. Four recipients share a network.
pub(super) fn send(host: &str, key: &str, number: u32) -> Vec<u8> {
    let [_, high, middle, low] = (number / 4).to_be_bytes();
    let body = format!(
        r#"{{"email":"{}","expires_in":3600,"client_ip":"10.{high}.{middle}.{low}"}}"#,
        address(number)
    );
    post(host, key, "send", &body)
}

fn post(host: &str, key: &str, endpoint: &str, body: &str) -> Vec<u8> {
    format!(
        "POST /api/v1/otp/{endpoint} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
