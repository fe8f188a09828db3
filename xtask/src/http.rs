//! As much of an HTTP client as the chores need: one request a connection, JSON both ways.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::problem::{Outcome, Problem};

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The body as it came.
    pub(crate) text: String,
    /// The body as JSON; null where it is none.
    pub(crate) body: Value,
}

/// Sends one request to `base`, which is `http://HOST:PORT`; a body makes it a POST.
pub(crate) fn request(
    base: &str,
    path: &str,
    key: Option<&str>,
    body: Option<&Value>,
) -> Outcome<Answer> {
    exchange(base, path, key, body).map_err(|error| {
        Problem::new(
            format!("no answer from {base}{path}: {error}"),
            "is the service running?",
        )
    })
}

fn exchange(
    base: &str,
    path: &str,
    key: Option<&str>,
    body: Option<&Value>,
) -> std::io::Result<Answer> {
    let host = base.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(Duration::from_secs(40)))?;
    let method = if body.is_some() { "POST" } else { "GET" };
    let content = body.map(Value::to_string).unwrap_or_default();
    let authorization = key.map(|key| format!("Authorization: Bearer {key}\r\n"));
    // HTTP/1.0 keeps the answer in one piece: no chunks to put together.
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: {host}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n{}\r\n{content}",
        content.len(),
        authorization.unwrap_or_default(),
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    parse(&answer).ok_or_else(|| std::io::Error::other("that was not HTTP"))
}

fn parse(answer: &str) -> Option<Answer> {
    let (head, text) = answer.split_once("\r\n\r\n")?;
    let status = head
        .strip_prefix("HTTP/1.")?
        .split(' ')
        .nth(1)?
        .parse()
        .ok()?;
    let body = serde_json::from_str(text).unwrap_or_default();
    Some(Answer {
        status,
        text: text.to_owned(),
        body,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_its_status_and_its_json() {
        let answer = parse("HTTP/1.1 404 Not Found\r\nX: y\r\n\r\n{\"success\":false}").unwrap();

        assert_eq!(answer.status, 404);
        assert_eq!(answer.body["success"], false);
    }

    #[test]
    fn what_is_not_http_is_no_answer() {
        assert!(parse("220 relay ESMTP\r\n").is_none());
    }
}
