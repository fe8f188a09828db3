//! What a reverse proxy does: it checks `/readyz`, asks on new and on kept connections, obeys
//! `Connection: close`, and asks a node no more that said that it stops.

use std::io::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::{Api, PATIENCE};

/// Between two checks.
const CHECK: Duration = Duration::from_millis(100);
/// After so many refusals in a row nothing is asked any more.
const FALL: usize = 3;
/// Between two requests of a visitor; the last is idle often.
const PAUSES: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_millis(3),
    Duration::from_millis(100),
];

/// It is looked up like any other, and answered with 404.
const NO_SESSION: &str = "000000000000000000000000000000";

/// What became of requests.
#[derive(Debug, Default)]
pub(super) struct Visits {
    pub(super) answered: usize,
    /// Those of them that were told to close their connection.
    pub(super) draining: usize,
    pub(super) failed: Vec<String>,
}

impl Visits {
    pub(super) fn add(&mut self, other: Self) {
        self.answered += other.answered;
        self.draining += other.draining;
        self.failed.extend(other.failed);
    }
}

/// The head of an answer, in lower case.
struct Head(String);

impl Head {
    fn status(&self) -> u16 {
        self.0.split(' ').nth(1).unwrap().parse().unwrap()
    }

    fn closes(&self) -> bool {
        self.0.contains("\r\nconnection: close\r\n")
    }

    fn length(&self) -> usize {
        let (_, rest) = self.0.split_once("\r\ncontent-length: ").unwrap();
        rest.split("\r\n").next().unwrap().parse().unwrap()
    }
}

/// Asks in every way until the node says that it stops, and finishes what was begun.
pub(super) async fn visit_until_it_leaves(api: Api) -> Visits {
    let is_leaving = Arc::new(AtomicBool::new(false));
    let mut visitors = JoinSet::new();
    for (number, pause) in PAUSES.into_iter().cycle().take(6).enumerate() {
        let (api, is_leaving) = (api.clone(), is_leaving.clone());
        // Half of them keep their connection.
        let keeps = number >= PAUSES.len();
        visitors.spawn(async move { visit(&api, number, keeps, pause, &is_leaving).await });
    }
    let mut all = Visits::default();
    all.failed.extend(check_until_it_leaves(&api).await.err());
    is_leaving.store(true, Ordering::SeqCst);
    for visits in visitors.join_all().await {
        all.add(visits);
    }
    all
}

/// # Errors
///
/// That the node was gone before it said so.
async fn check_until_it_leaves(api: &Api) -> std::result::Result<(), String> {
    let mut refusals = 0;
    while refusals < FALL {
        tokio::time::sleep(CHECK).await;
        let checked = ask(api, &mut None, "GET", "/readyz", "").await;
        match checked.map(|head| head.status()) {
            Ok(200) => refusals = 0,
            Ok(503) => refusals += 1,
            other => return Err(format!("check: {other:?}")),
        }
    }
    Ok(())
}

async fn visit(
    api: &Api,
    number: usize,
    keeps: bool,
    pause: Duration,
    is_leaving: &AtomicBool,
) -> Visits {
    let mut visits = Visits::default();
    let mut kept = None;
    for count in 0.. {
        if is_leaving.load(Ordering::SeqCst) {
            break;
        }
        if !keeps {
            kept = None;
        }
        let (method, endpoint, body) = match count % 3 {
            0 => {
                let email = format!("reader{count}of{number}@customer.example");
                ("POST", "send", json!({ "email": email }).to_string())
            }
            1 => {
                let guess = json!({ "session_id": NO_SESSION, "code": "000000" });
                ("POST", "verify", guess.to_string())
            }
            _ => ("GET", "status", String::new()),
        };
        let path = match method {
            "GET" => format!("/api/v1/otp/{endpoint}/{NO_SESSION}"),
            _ => format!("/api/v1/otp/{endpoint}"),
        };
        match ask(api, &mut kept, method, &path, &body).await {
            Ok(head) if head.status() < 500 => {
                visits.answered += 1;
                visits.draining += usize::from(head.closes());
            }
            Ok(head) => visits.failed.push(format!("{endpoint}: {}", head.status())),
            Err(error) => {
                visits.failed.push(format!("{endpoint}: {error}"));
                kept = None;
            }
        }
        tokio::time::sleep(pause).await;
    }
    visits
}

/// Asks on the kept connection, or on a new one where there is none, and keeps it where it may.
async fn ask(
    api: &Api,
    kept: &mut Option<TcpStream>,
    method: &str,
    path: &str,
    body: &str,
) -> Result<Head> {
    let exchange = async {
        let mut stream = match kept.take() {
            Some(stream) => stream,
            None => TcpStream::connect(api.address).await?,
        };
        let (headers, length) = (api.headers(), body.len());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: a\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await?;
        let head = answer(&mut stream).await?;
        if !head.closes() {
            *kept = Some(stream);
        }
        Ok(head)
    };
    let answered = tokio::time::timeout(PATIENCE, exchange).await;
    answered.unwrap_or_else(|_| Err(Error::other("no answer")))
}

async fn answer(stream: &mut TcpStream) -> Result<Head> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = Head(String::from_utf8_lossy(&head).to_lowercase());
    let mut body = vec![0; head.length()];
    stream.read_exact(&mut body).await?;
    Ok(head)
}
