//! A rate, as `wrk` measures it: one thread, 256 connections, each asks after its answer.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::measure::real;
use super::requests::Pair;
use crate::problem::{Outcome, Problem};
use crate::process::{answers, read, write};

/// Connections of every rate.
pub(super) const CONNECTIONS: u32 = 256;

const VERIFY: &str = concat!(include_str!("verify.lua"), include_str!("done.lua"));
const SEND: &str = concat!(include_str!("send.lua"), include_str!("done.lua"));

/// The part of all answers that may be errors.
const ERRORS_MAX: f64 = 0.001;

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rate {
    /// Answers a second.
    pub(super) per_second: f64,
    pub(super) answers: u64,
    /// Milliseconds, as 256 that wait for each other see it.
    pub(super) p50: f64,
    pub(super) p99: f64,
}

/// What is asked, and of whom.
pub(super) struct Target<'a> {
    /// `HOST:PORT`.
    pub(super) host: &'a str,
    pub(super) key: &'a str,
    /// Where scripts and what they read may lie.
    pub(super) folder: &'a Path,
    /// A word for the files, so that two may run at once.
    pub(super) name: &'a str,
    pub(super) connections: u32,
}

/// Whether it is installed.
pub(super) fn check() -> Outcome {
    // It has no option that only answers: without a URL it says how it is used, and fails.
    if answers("sh", &["-c", "command -v wrk"]) {
        return Ok(());
    }
    Err(Problem::new(
        "wrk is not installed",
        "Debian: apt-get install wrk",
    ))
}

/// Submits each code once, at most for `time`.
pub(super) fn verify(target: &Target<'_>, pairs: &[Pair], time: Duration) -> Outcome<Rate> {
    submit(target, pairs, time, "once")
}

/// Submits the codes again and again, for a server that judges none.
pub(super) fn verify_again(target: &Target<'_>, pairs: &[Pair], time: Duration) -> Outcome<Rate> {
    submit(target, pairs, time, "again")
}

fn submit(target: &Target<'_>, pairs: &[Pair], time: Duration, how: &str) -> Outcome<Rate> {
    let mut lines = String::new();
    for Pair { session, code } in pairs {
        // Writing to a string does not fail.
        let _ = writeln!(lines, "{session} {code}");
    }
    let file = target.folder.join(format!("{}.pairs", target.name));
    write(&file, &lines)?;
    let file = file.display().to_string();
    run(target, "verify", VERIFY, &[target.key, &file, how], time)
}

/// Asks for mails for `time`, to recipients from number `first` on.
pub(super) fn send(target: &Target<'_>, first: u32, time: Duration) -> Outcome<Rate> {
    let first = first.to_string();
    run(target, "send", SEND, &[target.key, &first], time)
}

fn run(
    target: &Target<'_>,
    endpoint: &str,
    script: &str,
    arguments: &[&str],
    time: Duration,
) -> Outcome<Rate> {
    let file = target.folder.join(format!("{}.lua", target.name));
    write(&file, script)?;
    let mut command = Command::new("wrk");
    command
        .args(["-t1", &format!("-c{}", target.connections)])
        .arg(format!("-d{}s", time.as_secs().max(1)))
        .args(["--timeout", "10s", "-s"])
        .arg(&file)
        .arg(format!("http://{}/api/v1/otp/{endpoint}", target.host))
        .arg("--")
        .args(arguments);
    let said = read(&mut command)?;
    rate(&said)
}

fn rate(said: &str) -> Outcome<Rate> {
    let void = |why: String| Problem::new(why, format!("wrk said:\n{said}"));
    let line = said.lines().find_map(|line| line.strip_prefix("measured "));
    let numbers: Vec<f64> = line
        .unwrap_or_default()
        .split(' ')
        .filter_map(|number| number.parse().ok())
        .collect();
    let [micros, answers, refused, broken, p50, p99] = numbers[..] else {
        return Err(void("wrk measured nothing".into()));
    };
    let errors = refused + broken;
    if errors > answers * ERRORS_MAX {
        return Err(void(format!("of {answers} answers {errors} were errors")));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count, written without a fraction"
    )]
    let answers = (answers - errors).max(0.0) as u64;
    Ok(Rate {
        per_second: real(answers) / (micros / 1e6),
        answers,
        p50: p50 / 1e3,
        p99: p99 / 1e3,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_what_was_answered_well_in_the_time_it_took() {
        let said = "Running 8s test\nmeasured 2000000 10010 10 0 1500 9000\n";

        let found = rate(said).unwrap();

        let found = [found.per_second, real(found.answers), found.p50, found.p99];
        assert_eq!(
            found.map(|figure| (figure * 10.0).round().to_string()),
            ["50000", "100000", "15", "90"]
        );
    }

    #[test]
    fn a_run_with_more_than_a_thousandth_of_errors_is_void() {
        assert!(rate("measured 1000000 1000 1 0 1 1").is_ok());
        let problem = rate("measured 1000000 1000 1 1 1 1").unwrap_err();
        assert!(problem.to_string().contains("2 were errors"), "{problem}");
        assert!(rate("unable to connect\n").is_err());
    }
}
