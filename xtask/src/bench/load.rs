//! Load of our own: where what is asked depends on what was answered, or on the time.
//!
//! Every connection has a thread that blocks: the standard library has nothing else, and for rates
//! that are far below what the service can do it is exact enough.

use std::io;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::client::{Connection, Reply};
use super::measure::{percentile, real};
use super::requests;
use crate::problem::{Outcome, Problem};

/// Connections by which sessions are opened.
const OPENERS: u32 = 256;

/// Connections of a load that follows the clock: more than are ever in use at once, unless the
/// service falls behind; then what is late begins late, and the wait counts.
const PACED: u32 = 256;

/// What one thread needs of a stack.
const STACK: usize = 128 * 1024;

/// Opens a session for each of `count` recipients from number `first` on, at most for `time`: the
/// numbers, and the sessions.
pub(super) fn open(
    host: &str,
    key: &str,
    first: u32,
    count: u32,
    time: Duration,
) -> Outcome<Vec<(u32, String)>> {
    let begin = Instant::now();
    let taken = AtomicU32::new(0);
    let opened = on_threads(0..OPENERS, |_| {
        let mut opened = Vec::new();
        let mut connection = Connection::open(host)?;
        while begin.elapsed() < time {
            let number = taken.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                break;
            }
            let number = first + number;
            let reply = connection.ask(&requests::send(host, key, number))?;
            // One that is refused is not missed: they are counted by who uses them.
            if let Some(session) = session(reply.body) {
                opened.push((number, session));
            }
        }
        Ok(opened)
    })?;
    Ok(opened.into_iter().flatten().collect())
}

/// The identifier in the answer of a send.
fn session(body: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(body).ok()?;
    Some(value["data"]["session_id"].as_str()?.to_owned())
}

/// How long answers took, in milliseconds, from the instant at which each was due to be asked for.
pub(super) struct Latencies {
    millis: Vec<f64>,
    pub(super) errors: u64,
    /// Answers a second.
    pub(super) per_second: f64,
}

impl Latencies {
    pub(super) fn percentile(&mut self, percent: usize) -> f64 {
        percentile(&mut self.millis, percent)
    }

    /// The least that one of `of` answers took at least.
    pub(super) fn slowest(&mut self, of: usize) -> f64 {
        self.millis.sort_by(f64::total_cmp);
        let place = self.millis.len().saturating_sub(1 + self.millis.len() / of);
        self.millis.get(place).copied().unwrap_or_default()
    }

    pub(super) fn count(&self) -> usize {
        self.millis.len()
    }
}

/// Sends `count` requests at `rate` a second, whatever comes back; the load does not wait for
/// answers.
pub(super) fn paced(
    host: &str,
    rate: f64,
    count: u32,
    request: impl Fn(u32) -> Vec<u8> + Sync,
) -> Outcome<Latencies> {
    // Time for all to connect.
    let begin = Instant::now() + Duration::from_millis(500);
    let answered = on_threads(0..PACED, |thread| {
        let mut connection = Connection::open(host)?;
        let (mut millis, mut errors) = (Vec::new(), 0);
        for number in (thread..count).step_by(PACED as usize) {
            let request = request(number);
            let due = begin + Duration::from_secs_f64(f64::from(number) / rate);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let status = connection.ask(&request)?.status;
            millis.push(due.elapsed().as_secs_f64() * 1e3);
            errors += u64::from(status != 200);
        }
        Ok((millis, errors))
    })?;
    let secs = begin.elapsed().as_secs_f64();
    let errors = answered.iter().map(|(_, errors)| errors).sum();
    let millis: Vec<f64> = answered
        .into_iter()
        .flat_map(|(millis, _)| millis)
        .collect();
    Ok(Latencies {
        per_second: real(millis.len() as u64) / secs,
        millis,
        errors,
    })
}

/// Connections that were opened before what they are for begins.
pub(super) fn connections(host: &str, count: u32) -> Outcome<Vec<Connection>> {
    let opened: std::io::Result<_> = (0..count).map(|_| Connection::open(host)).collect();
    opened.map_err(|error| {
        Problem::new(
            format!("cannot connect to {host}: {error}"),
            "is the service running? see `ulimit -n`",
        )
    })
}

/// Sends the `requests` over all `connections` at once, each asking for the next after its answer,
/// at most for `time`. `judge` sees each answer, or `None` where the connection broke, and how long
/// it took. Answers also the time from the first request to the last answer.
pub(super) fn burst<T: Send>(
    connections: &mut [Connection],
    requests: &[Vec<u8>],
    time: Duration,
    judge: impl Fn(Option<&Reply<'_>>, Duration) -> T + Sync,
) -> Outcome<(Vec<T>, Duration)> {
    let next = AtomicUsize::new(0);
    let gate = Barrier::new(connections.len());
    let judged = on_threads(connections.iter_mut(), |connection| {
        gate.wait();
        let begin = Instant::now();
        let mut judged = Vec::new();
        while begin.elapsed() < time
            && let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed))
        {
            let asked = Instant::now();
            let reply = connection.ask(request);
            judged.push(judge(reply.as_ref().ok(), asked.elapsed()));
            if reply.is_err() {
                break;
            }
        }
        Ok((judged, begin, Instant::now()))
    })?;
    let first = judged.iter().map(|(_, begin, _)| *begin).min();
    let last = judged.iter().map(|(_, _, end)| *end).max();
    let took = first
        .zip(last)
        .map_or(Duration::ZERO, |(first, last)| last - first);
    let answers = judged
        .into_iter()
        .flat_map(|(judged, _, _)| judged)
        .collect();
    Ok((answers, took))
}

/// What `work` answers for each of these, each on a thread of its own.
fn on_threads<I: Send, T: Send>(
    each: impl IntoIterator<Item = I>,
    work: impl Fn(I) -> io::Result<T> + Sync,
) -> Outcome<Vec<T>> {
    let work = &work;
    let ended: io::Result<Vec<T>> = std::thread::scope(|scope| {
        let threads = each.into_iter().map(|one| {
            let builder = std::thread::Builder::new().stack_size(STACK);
            builder.spawn_scoped(scope, move || work(one))
        });
        // All of them, before the first is waited for.
        let threads: Vec<_> = threads.collect();
        let ended = threads.into_iter().map(|thread| {
            let died = |_| io::Error::other("a thread of the load died");
            thread?.join().map_err(died)?
        });
        ended.collect()
    });
    ended.map_err(|error| {
        Problem::new(
            format!("the load broke off: {error}"),
            "is the service still running?",
        )
    })
}
