//! One process of the product, and what it takes of the machine.

use std::path::Path;
use std::time::{Duration, Instant};

use super::client::Connection;
use crate::background::Background;
use crate::problem::{Outcome, Problem};

/// Within this it is ready, or something is wrong.
const START: Duration = Duration::from_secs(30);

/// How often it is asked whether it is ready: a tenth of what a start may be wrong by.
const PAUSE: Duration = Duration::from_millis(1);

/// A node, as long as this value lives.
pub(super) struct Node {
    /// `HOST:PORT`.
    pub(super) host: String,
    /// From its start to its first answer, that it is ready.
    pub(super) ready_after: Duration,
    process: u32,
    background: Background,
}

impl Node {
    /// Runs `env` with these words, and waits until it answers.
    pub(super) fn start(
        host: &str,
        words: &[String],
        binary: &Path,
        folder: &Path,
    ) -> Outcome<Self> {
        let log = folder.join(format!("{}.log", host.replace(':', "-")));
        let begin = Instant::now();
        let background = Background::start("otpost", Path::new("env"), words, folder, &log)?;
        while !is_ready(host) {
            if begin.elapsed() > START {
                return Err(Problem::new(
                    "otpost is not ready in time",
                    background.said(),
                ));
            }
            std::thread::sleep(PAUSE);
        }
        let ready_after = begin.elapsed();
        let process = process(binary, host)
            .ok_or_else(|| Problem::new("the process of otpost is not found", "is this Linux?"))?;
        Ok(Self {
            host: host.to_owned(),
            ready_after,
            process,
            background,
        })
    }

    /// Resident memory now, in MB (1 000 000 bytes).
    pub(super) fn resident(&self) -> Outcome<f64> {
        self.memory("VmRSS:")
    }

    /// The most memory that was resident since the start, in MB.
    pub(super) fn resident_max(&self) -> Outcome<f64> {
        self.memory("VmHWM:")
    }

    fn memory(&self, name: &str) -> Outcome<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process));
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u32>().ok());
        let kibibytes = kibibytes.ok_or_else(|| Problem::new("otpost has ended", self.said()))?;
        Ok(f64::from(kibibytes) * 1_024.0 / 1e6)
    }

    /// What it has logged, the end of it.
    pub(super) fn said(&self) -> String {
        let said = self.background.said();
        let lines: Vec<&str> = said.lines().rev().take(20).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

fn is_ready(host: &str) -> bool {
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let connection = Connection::open(host);
    connection.is_ok_and(|mut connection| {
        let reply = connection.ask(request.as_bytes());
        reply.is_ok_and(|reply| reply.status == 200)
    })
}

/// The process that runs `binary` and was told to listen at `host`.
fn process(binary: &Path, host: &str) -> Option<u32> {
    let binary = binary.canonicalize().ok()?;
    let entries = std::fs::read_dir("/proc").ok()?.flatten();
    let mut processes = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    processes.find(|process: &u32| {
        let folder = Path::new("/proc").join(process.to_string());
        let runs = std::fs::read_link(folder.join("exe")).is_ok_and(|file| file == binary);
        let told = format!("OTPOST_SERVER__LISTEN={host}");
        runs && std::fs::read(folder.join("environ")).is_ok_and(|all| {
            all.split(|byte| *byte == 0)
                .any(|one| one == told.as_bytes())
        })
    })
}
