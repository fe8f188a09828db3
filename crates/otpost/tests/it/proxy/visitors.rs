//! Visitors who open a session, look at it, guess wrong, have the mail repeated, and verify; half of
//! them keep their connection. Every answer must be the one that the contract names.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::support::nodes::Mails;
use crate::support::{Api, PATIENCE, wrong};

/// How long a visitor waits for a mail before it begins anew.
const MAIL: Duration = Duration::from_secs(3);
/// Between two requests of a visitor; the last is idle often.
const PAUSES: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_millis(5),
    Duration::from_millis(20),
    Duration::from_millis(150),
];

/// What became of requests.
#[derive(Debug, Default)]
pub(super) struct Visits {
    /// As the contract says.
    pub(super) answered: usize,
    /// In any other way.
    pub(super) failed: Vec<String>,
    pub(super) connections: usize,
    /// How many mails were promised to an address.
    promised: BTreeMap<String, usize>,
}

impl Visits {
    /// How many mails were promised.
    pub(super) fn mails(&self) -> usize {
        self.promised.values().sum()
    }

    /// How many of them do not come, waited for less long than a lease lasts: a node that is stopped
    /// gives its mails back.
    pub(super) async fn missing_mails(&self, mails: &Mails) -> usize {
        let begin = Instant::now();
        loop {
            let promised = self.promised.iter();
            let missing: usize = promised
                .map(|(email, count)| count.saturating_sub(different(mails, email)))
                .sum();
            if missing == 0 || begin.elapsed() > PATIENCE {
                return missing;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// How many mails came to an address, however often each.
fn different(mails: &Mails, email: &str) -> usize {
    let copies = mails.to(email);
    copies
        .iter()
        .map(|(id, _)| id)
        .collect::<BTreeSet<_>>()
        .len()
}

pub(super) struct Visitors {
    tasks: JoinSet<Visits>,
    ends: watch::Sender<bool>,
}

impl Visitors {
    pub(super) fn start(count: usize, api: &Api, mails: &Arc<Mails>) -> Self {
        let ends = watch::Sender::new(false);
        let mut tasks = JoinSet::new();
        for number in 0..count {
            let visitor = Visitor {
                api: api.clone(),
                mails: mails.clone(),
                pause: PAUSES[number / 2 % PAUSES.len()],
                keeps: number.is_multiple_of(2),
                kept: None,
                visits: Visits::default(),
            };
            tasks.spawn(visitor.run(ends.subscribe()));
        }
        Self { tasks, ends }
    }

    /// Lets every visitor finish what it began.
    pub(super) async fn stop(self) -> Visits {
        self.ends.send_replace(true);
        let mut all = Visits::default();
        for visits in self.tasks.join_all().await {
            all.answered += visits.answered;
            all.failed.extend(visits.failed);
            all.connections += visits.connections;
            all.promised.extend(visits.promised);
        }
        all
    }
}

struct Visitor {
    api: Api,
    mails: Arc<Mails>,
    pause: Duration,
    keeps: bool,
    kept: Option<TcpStream>,
    visits: Visits,
}

impl Visitor {
    async fn run(mut self, ends: watch::Receiver<bool>) -> Visits {
        static ADDRESSES: AtomicUsize = AtomicUsize::new(0);
        while !*ends.borrow() {
            let number = ADDRESSES.fetch_add(1, Ordering::Relaxed);
            let email = format!("reader{number}@customer.example");
            // What failed is written down; the next one may fare better.
            let _ = self.visit(&email).await;
        }
        self.visits
    }

    /// `None` where it was cut short.
    async fn visit(&mut self, email: &str) -> Option<()> {
        let session = self
            .mailed(email, "send", json!({ "email": email }))
            .await?;
        let session = session["session_id"].as_str()?.to_owned();
        let about = json!({ "session_id": session });
        self.status(&session, "pending", 0).await?;
        let code = self.code(email).await?;
        let right = json!({ "session_id": session, "code": code });
        let guess = json!({ "session_id": session, "code": wrong(&code) });
        self.refused(guess, "wrong_code").await?;
        self.mailed(email, "resend", about).await?;
        self.code(email).await?;
        self.ask("verify", Some(&right), 200).await?;
        self.status(&session, "verified", 2).await?;
        self.refused(right, "already_verified").await
    }

    /// Asks for what must queue a mail.
    async fn mailed(&mut self, email: &str, endpoint: &str, body: Value) -> Option<Value> {
        let mut answer = self.ask(endpoint, Some(&body), 200).await?;
        *self.visits.promised.entry(email.to_owned()).or_default() += 1;
        Some(answer["data"].take())
    }

    async fn status(&mut self, session: &str, status: &str, attempts: u64) -> Option<()> {
        let answer = self.ask(&format!("status/{session}"), None, 200).await?;
        let data = &answer["data"];
        self.expect(
            data["status"] == status && data["attempts"] == attempts,
            &answer,
        )
    }

    async fn refused(&mut self, guess: Value, reason: &str) -> Option<()> {
        let answer = self.ask("verify", Some(&guess), 400).await?;
        self.expect(answer["error"]["details"]["reason"] == reason, &answer)
    }

    fn expect(&mut self, holds: bool, answer: &Value) -> Option<()> {
        if !holds {
            self.visits.answered -= 1;
            self.visits.failed.push(answer.to_string());
        }
        holds.then_some(())
    }

    /// The code, once every mail that was promised has come.
    async fn code(&self, email: &str) -> Option<String> {
        let begin = Instant::now();
        while begin.elapsed() < MAIL {
            if different(&self.mails, email) == self.visits.promised[email] {
                return self.mails.to(email).pop().map(|(_, code)| code);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        None
    }

    /// What is answered, with this status.
    async fn ask(&mut self, endpoint: &str, body: Option<&Value>, status: u16) -> Option<Value> {
        tokio::time::sleep(self.pause).await;
        let answered = tokio::time::timeout(PATIENCE, self.exchange(endpoint, body)).await;
        let answered = answered.unwrap_or_else(|_| Err(Error::other("no answer")));
        let what = match answered {
            Ok((answered, body)) if answered == status => match serde_json::from_str(&body) {
                Ok(body) => {
                    self.visits.answered += 1;
                    return Some(body);
                }
                Err(_) => format!("{endpoint}: no JSON: {body}"),
            },
            Ok((status, body)) => format!("{endpoint}: {status} {body}"),
            Err(error) => format!("{endpoint}: {error}"),
        };
        self.visits.failed.push(what);
        None
    }

    /// Status and body, on the kept connection, or on a new one where there is none.
    async fn exchange(&mut self, endpoint: &str, body: Option<&Value>) -> Result<(u16, String)> {
        let mut stream = if let Some(kept) = self.kept.take() {
            kept
        } else {
            self.visits.connections += 1;
            TcpStream::connect(self.api.address).await?
        };
        let method = if body.is_some() { "POST" } else { "GET" };
        let body = body.map(Value::to_string).unwrap_or_default();
        let (headers, length) = (self.api.headers(), body.len());
        let request = format!(
            "{method} /api/v1/otp/{endpoint} HTTP/1.1\r\nHost: a\r\n{headers}\
             Content-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let head = String::from_utf8_lossy(&head).to_lowercase();
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let length = value(&head, "content-length").and_then(|length| length.parse().ok());
        let (Some(status), Some(length)) = (status, length) else {
            return Err(Error::other(head));
        };
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        if self.keeps && value(&head, "connection") != Some("close") {
            self.kept = Some(stream);
        }
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}

/// Of a header in a head in lower case.
fn value<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut headers = head.lines().filter_map(|line| line.split_once(": "));
    headers.find_map(|(other, value)| (other == name).then_some(value))
}
