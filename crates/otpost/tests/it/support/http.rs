//! A small HTTP/1.1 client over one connection.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::PATIENCE;

/// One connection, kept open from request to request.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    host: String,
}

/// What the server answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    /// The value of a header, if it is there.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The text at a JSON pointer.
    pub(crate) fn text(&self, pointer: &str) -> String {
        let json = self.json();
        let text = json.pointer(pointer).and_then(Value::as_str);
        text.unwrap_or_else(|| panic!("no text at {pointer}: {self:?}"))
            .to_owned()
    }
}

/// Asks on a connection of its own; `None` when that ends without a whole answer.
pub(crate) async fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> Option<Answer> {
    let mut client = Client::try_connect(address).await?;
    let headers = format!("{headers}Connection: close\r\n");
    let request = client.written(method, path, &headers, body);
    client.stream.write_all(request.as_bytes()).await.ok()?;
    let mut text = String::new();
    client.stream.read_to_string(&mut text).await.ok()?;
    Answer::parse(&text)
}

impl Answer {
    fn parse(text: &str) -> Option<Self> {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines.filter_map(|line| line.split_once(':'));
        let answer = Self {
            status,
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
                .collect(),
            body: body.to_owned(),
        };
        let length: usize = answer.header("content-length")?.parse().ok()?;
        (length == body.len()).then_some(answer)
    }
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).await.unwrap()
    }

    /// `None` when nobody listens.
    pub(crate) async fn try_connect(address: SocketAddr) -> Option<Self> {
        Some(Self {
            stream: BufReader::new(TcpStream::connect(address).await.ok()?),
            host: address.to_string(),
        })
    }

    /// The same connection, pretending to have asked for another host.
    pub(crate) fn for_host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.request("GET", path, "", "").await
    }

    /// Sends a request with these header lines, each with its line end, and reads the answer.
    pub(crate) async fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> Answer {
        let request = self.written(method, path, headers, body);
        let exchange = async {
            self.stream.write_all(request.as_bytes()).await.unwrap();
            self.answer().await
        };
        // Longer than the inbox is ever waited for.
        tokio::time::timeout(2 * PATIENCE, exchange).await.unwrap()
    }

    /// The status alone; `None` when the connection ends without an answer.
    pub(crate) async fn try_request(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> Option<u16> {
        let request = self.written(method, path, headers, body);
        self.stream.write_all(request.as_bytes()).await.ok()?;
        let mut line = String::new();
        self.stream.read_line(&mut line).await.ok()?;
        line.split(' ').nth(1)?.parse().ok()
    }

    fn written(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
        let (host, length) = (&self.host, body.len());
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{headers}");
        format!("{head}Content-Length: {length}\r\n\r\n{body}")
    }

    async fn answer(&mut self) -> Answer {
        let first = self.line().await;
        let status = first
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let mut answer = Answer {
            status: status.unwrap_or_else(|| panic!("no HTTP: {first:?}")),
            headers: Vec::new(),
            body: String::new(),
        };
        loop {
            let line = self.line().await;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap();
            answer
                .headers
                .push((name.to_owned(), value.trim().to_owned()));
        }
        let length = answer
            .header("content-length")
            .map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.unwrap();
        answer.body = String::from_utf8(body).unwrap();
        answer
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).await.unwrap();
        line.trim_end().to_owned()
    }
}
