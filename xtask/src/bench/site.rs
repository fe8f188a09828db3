//! The product as it is measured: the release binary, in production, with every limit on and raised
//! so that none refuses.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::database::{Database, Engine};
use super::node::Node;
use super::requests::Pair;
use super::sink::Sink;
use super::{load, wrk};
use crate::problem::{Outcome, Problem};
use crate::process::{empty, read};

/// What is not as by default.
const SETTINGS: [(&str, &str); 13] = [
    ("MAIL__FROM", "no-reply@bench.example"),
    ("LIMITS__PROJECT_SENDS_PER_MINUTE", "1000000"),
    ("LIMITS__PROJECT_VERIFIES_PER_MINUTE", "1000000"),
    ("LIMITS__PROJECT_READS_PER_MINUTE", "1000000"),
    ("LIMITS__RECIPIENT_PER_10_MINUTES", "1000000"),
    ("LIMITS__RECIPIENT_PER_HOUR", "1000000"),
    ("LIMITS__RECIPIENT_PER_DAY", "1000000"),
    ("LIMITS__CLIENT_IP_PER_10_MINUTES", "1000000"),
    ("LIMITS__CLIENT_IP_PER_DAY", "1000000"),
    ("LIMITS__PROJECT_FAILURES_PER_DAY", "1000000"),
    ("LIMITS__INSTALLATION_MAILS_PER_MINUTE", "1000000"),
    ("LIMITS__PEER_REQUESTS_PER_SECOND", "1000000"),
    ("POLICY__EXPIRES_IN_MAX", "3600"),
];

/// How long mails may take to come after the last session was opened.
const MAILS: Duration = Duration::from_secs(40);

/// A database, a mail server, a project with a key; any number of nodes.
pub(super) struct Site {
    pub(super) engine: Engine,
    pub(super) database: Database,
    pub(super) sink: Sink,
    pub(super) folder: PathBuf,
    pub(super) key: String,
    binary: PathBuf,
    /// How long it may take to open sessions.
    opening: Duration,
    next: AtomicU32,
}

impl Site {
    /// An empty one in `folder`.
    pub(super) fn new(
        binary: &Path,
        engine: Engine,
        folder: &Path,
        opening: Duration,
    ) -> Outcome<Self> {
        empty(folder)?;
        let mut site = Self {
            engine,
            database: Database::start(engine, folder)?,
            sink: Sink::start()?,
            folder: folder.to_owned(),
            key: String::new(),
            binary: binary.to_owned(),
            opening,
            next: AtomicU32::new(0),
        };
        site.otpost("init --output otpost.toml")?;
        site.otpost("project create bench")?;
        let key = site.otpost("key create --project bench")?;
        key.trim().clone_into(&mut site.key);
        Ok(site)
    }

    fn otpost(&self, words: &str) -> Outcome<String> {
        let mut command = Command::new("env");
        command.args(self.environment("127.0.0.1:0"));
        command.arg(&self.binary).args(words.split(' '));
        read(command.current_dir(&self.folder))
    }

    fn environment(&self, listen: &str) -> Vec<String> {
        let settings = SETTINGS.map(|(name, value)| format!("OTPOST_{name}={value}"));
        let mut words = settings.to_vec();
        words.push(format!("OTPOST_SERVER__LISTEN={listen}"));
        words.push(format!("OTPOST_DATABASE__URL={}", self.database.url()));
        words.push(format!(
            "OTPOST_MAIL__RELAYS=smtp://127.0.0.1:{}",
            self.sink.port
        ));
        words
    }

    /// Starts a node, which is ready when this returns.
    pub(super) fn node(&self) -> Outcome<Node> {
        let host = free_host()?;
        let mut words = self.environment(&host);
        words.push(self.binary.display().to_string());
        words.extend(["serve", "--config", "otpost.toml"].map(str::to_owned));
        Node::start(&host, &words, &self.binary, &self.folder)
    }

    /// `count` recipients that nobody mailed to before: the number of the first.
    pub(super) fn recipients(&self, count: u32) -> u32 {
        self.next.fetch_add(count, Ordering::Relaxed)
    }

    /// As [`wrk`] wants it.
    pub(super) fn target<'a>(&'a self, node: &'a Node, name: &'a str) -> wrk::Target<'a> {
        wrk::Target {
            host: &node.host,
            key: &self.key,
            folder: &self.folder,
            name,
            connections: wrk::CONNECTIONS,
        }
    }

    /// Opens about `count` sessions and waits for their mails: each with its code. Fewer where it
    /// takes too long.
    pub(super) fn sessions(&self, node: &Node, count: u32) -> Outcome<Vec<Pair>> {
        let begin = Instant::now();
        let opened = load::open(
            &node.host,
            &self.key,
            self.recipients(count),
            count,
            self.opening,
        )?;
        let opened_after = begin.elapsed();
        let is_there = || {
            opened
                .iter()
                .all(|(number, _)| self.sink.code(*number).is_some())
        };
        while !is_there() && begin.elapsed() < opened_after + MAILS {
            std::thread::sleep(Duration::from_millis(100));
        }
        let pairs = opened.iter().filter_map(|(number, session)| {
            Some(Pair {
                session: session.clone(),
                code: self.sink.code(*number)?,
            })
        });
        let pairs: Vec<Pair> = pairs.collect();
        println!(
            "  {}: {} sessions opened in {:.1} s, their mails here after {:.1} s",
            self.engine.name(),
            pairs.len(),
            opened_after.as_secs_f64(),
            begin.elapsed().as_secs_f64(),
        );
        if pairs.is_empty() {
            return Err(Problem::new("no mail came", node.said()));
        }
        Ok(pairs)
    }
}

impl Drop for Site {
    /// A file may be of gigabytes, and nobody reads it any more. What was logged stays.
    fn drop(&mut self) {
        if let Database::File(path) = &self.database {
            for end in ["", "-wal", "-shm"] {
                // Not all of them are there.
                let _ = std::fs::remove_file(format!("{}{end}", path.display()));
            }
        }
    }
}

/// `127.0.0.1` with a port that is free now.
pub(super) fn free_host() -> Outcome<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let address = listener.and_then(|listener| listener.local_addr());
    let address = address.map_err(|error| {
        Problem::new(
            format!("there is no free port: {error}"),
            "end what listens",
        )
    })?;
    Ok(address.to_string())
}
