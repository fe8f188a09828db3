//! A client of raw bytes.

use std::fmt::Write as _;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use otpost_domain::ApiKey;

/// No answer takes longer, or the test fails.
const PATIENCE: Duration = Duration::from_secs(40);

/// A request, header by header.
#[derive(Clone)]
pub(crate) struct Request {
    method: String,
    path: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    is_chunked: bool,
}

impl Request {
    pub(crate) fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: vec![("X-Request-Id".to_owned(), b"test".to_vec())],
            body: Vec::new(),
            is_chunked: false,
        }
    }

    pub(crate) fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// A POST that says that its body is JSON.
    pub(crate) fn post(path: &str, body: impl AsRef<[u8]>) -> Self {
        Self::new("POST", path)
            .header("Content-Type", "application/json")
            .body(body)
    }

    pub(crate) fn body(self, body: impl AsRef<[u8]>) -> Self {
        Self {
            body: body.as_ref().to_vec(),
            ..self
        }
    }

    /// Sends the body in chunks, without saying how long it is.
    pub(crate) fn chunked(self) -> Self {
        Self {
            is_chunked: true,
            ..self
        }
    }

    /// One header more, also a second one of that name.
    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers
            .push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Without any header of that name.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }

    pub(crate) fn key(self, key: &ApiKey) -> Self {
        self.header("Authorization", format!("Bearer {}", key.reveal()))
    }

    /// To be carried out once, under this key.
    pub(crate) fn once(&self, key: impl AsRef<[u8]>) -> Self {
        self.clone().header("Idempotency-Key", key)
    }

    fn bytes(&self, address: SocketAddr) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.path).into_bytes();
        let mut header = |name: &str, value: &[u8]| {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        };
        if !self.headers.iter().any(|(name, _)| name == "Host") {
            header("Host", address.to_string().as_bytes());
        }
        header("Connection", b"close");
        for (name, value) in &self.headers {
            header(name, value);
        }
        let has_length = self
            .headers
            .iter()
            .any(|(name, _)| name == "Content-Length");
        if self.is_chunked {
            header("Transfer-Encoding", b"chunked");
        } else if !self.body.is_empty() && !has_length {
            header("Content-Length", self.body.len().to_string().as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        if self.is_chunked {
            for chunk in self.body.chunks(1000) {
                bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                bytes.extend_from_slice(chunk);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\n\r\n");
        } else {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }
}

/// An answer as it came over the wire.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    /// The body.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The value of the only header of that name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(known, _)| known == name);
        let value = values.next();
        assert!(values.next().is_none(), "{name} stands there twice");
        value.map(|(_, value)| value.as_str())
    }

    /// Whether it says that it was given before.
    pub(crate) fn is_replayed(&self) -> bool {
        match self.header("idempotent-replayed") {
            Some(value) => value == "true" || panic!("{value}"),
            None => false,
        }
    }

    /// A member of `data`, as text.
    pub(crate) fn member(&self, name: &str) -> String {
        let json: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        json["data"][name].as_str().unwrap().to_owned()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// `error.code`, or nothing.
    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// `error.message`, or nothing.
    pub(crate) fn message(&self) -> String {
        self.json()["error"]["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// `error.details.fields`, or nothing.
    pub(crate) fn fields(&self) -> Vec<String> {
        let json = self.json();
        let fields = json["error"]["details"]["fields"].as_object();
        fields
            .into_iter()
            .flat_map(|map| map.keys().cloned())
            .collect()
    }

    /// Status, headers and body for a snapshot. Left out is what HTTP itself adds.
    pub(crate) fn snapshot(&self) -> String {
        let mut headers: Vec<_> = self
            .headers
            .iter()
            .filter(|(name, _)| !["date", "connection", "content-length"].contains(&&**name))
            .collect();
        headers.sort();
        let mut text = format!("{}\n", self.status);
        for (name, value) in headers {
            writeln!(text, "{name}: {value}").unwrap();
        }
        text + "\n" + self.text()
    }
}

pub(crate) fn ask(address: SocketAddr, request: &Request) -> Answer {
    ask_raw(address, &request.bytes(address))
}

fn ask_raw(address: SocketAddr, bytes: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // A server that has answered may close before everything was written.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answer) {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
    }
    let _ = stream.shutdown(Shutdown::Both);
    parse(&answer)
}

fn parse(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no answer: {}", bytes.escape_ascii()));
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let headers = lines.map(|line| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_ascii_lowercase(), value.to_owned())
    });
    Answer {
        status: status.parse().unwrap(),
        headers: headers.collect(),
        body: bytes[end + 4..].to_vec(),
    }
}
