//! The page that a whole run writes.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::lab::Lab;
use super::measure::Measure;
use super::options::Scale;
use super::peers::{PEERS_OF, TABLE};
use super::{charts, machine};
use crate::environment;
use crate::problem::Outcome;
use crate::process::{empty, write};

/// Writes docs/benchmarks.md and its pictures, and says where. What was measured quickly is not for
/// the documents, and lies with what the run leaves.
pub(super) fn publish(
    lab: &Lab,
    measures: &[Measure],
    missing: &[&str],
    secs: u64,
) -> Outcome<PathBuf> {
    let docs = match lab.options.scale {
        Scale::Quick => lab.folder().to_owned(),
        Scale::Usual | Scale::Full => environment::root().join("docs"),
    };
    let pictures = docs.join("benchmarks");
    empty(&pictures)?;
    for (name, svg) in charts::all(lab) {
        write(&pictures.join(name), &svg)?;
    }
    let file = docs.join("benchmarks.md");
    write(&file, &page(lab, measures, missing, secs)?)?;
    Ok(file)
}

fn page(lab: &Lab, measures: &[Measure], missing: &[&str], secs: u64) -> Outcome<String> {
    let flag = match lab.options.scale {
        Scale::Quick => " --quick",
        Scale::Usual => "",
        Scale::Full => " --full",
    };
    let reached = measures
        .iter()
        .filter(|measure| measure.verdict() == "yes")
        .count();
    let judged = measures
        .iter()
        .filter(|measure| measure.ratio().is_some())
        .count();
    let mut page = format!(
        "\
# Benchmarks

<!-- Written by `cargo xtask bench`: do not edit. -->

`cargo xtask bench{flag}` wrote this page on {}, in {} minutes. {reached} of {judged} goals are reached.

![Answers a second](benchmarks/rates.svg)

![Latency](benchmarks/latency.svg)

![Many stored sessions](benchmarks/growth.svg)

![Memory](benchmarks/memory.svg)

## Goals

`ratio` is how far a goal is reached: 1 or more is reached, also where less is better.

| goal | engine | what | reached | wanted | ratio | |
|---|---|---|---|---|---|---|
",
        machine::today()?,
        secs.div_ceil(60),
    );
    for measure in measures {
        let mark = if measure.verdict() == "yes" {
            " ✓"
        } else {
            ""
        };
        let ratio = measure.ratio().map(|ratio| format!("{ratio:.2}{mark}"));
        // Writing to a string does not fail.
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | {} | {} | {} |",
            measure.goal,
            measure.engine(),
            measure.what,
            measure.reached(),
            measure.wanted(),
            ratio.unwrap_or_default(),
            measure.of,
        );
    }
    if !missing.is_empty() {
        let _ = writeln!(
            page,
            "\nNot measured, for it broke off: {}.",
            missing.join(", ")
        );
    }
    page += "\n## The machine\n\n| | |\n|---|---|\n";
    for (name, what) in machine::describe(lab.folder(), lab.binary())? {
        let _ = writeln!(page, "| {name} | {what} |");
    }
    let _ = writeln!(
        page,
        "| Taken by others before the run | {:.0} % of the processors |",
        lab.busy * 100.0
    );
    page += METHOD;
    let _ = write!(
        page,
        "\n## Others\n\nMeasured on {PEERS_OF}, on two processors that the load shared, and not again since: they \
         show the order of magnitude.\n\n{TABLE}"
    );
    Ok(page)
}

const METHOD: &str = "
The load runs on the same processors as what it loads. So figures of different runs, and more so of different machines,
do not compare; the ratios within one run do.

## How it is measured

- The release binary runs `serve` as in production: every limit is on, and raised so that none refuses; the log is as by
  default, into a file. Everything is asked over HTTP, from outside.
- Every commit is on the disk before its answer leaves: SQLite with `synchronous=FULL`, PostgreSQL with `fsync` and
  `synchronous_commit` on, on a server of its own with 512 MB of `shared_buffers`.
- Rates are of `wrk`, one thread, 256 connections. A rate with more than one error in a thousand answers is void.
- Codes are the real ones: a mail server within the benchmark takes each mail at once and keeps its code. Each is submitted
  once.
- *HTTP and JSON alone* is an actix-web server with the settings of the product's, which answers the body of a verify with
  that of a right code, and does nothing else. It is a process of its own, and has the machine to itself while it is
  measured, as each node has.
- `pgbench` does the update of a right code, or the insert of a session, on the product's own table, one a transaction,
  prepared, with 1, 16 and 64 clients; the best counts.
- Latency is of a load that does not wait for answers, counted from the instant at which a request is due, so that what
  waits for its turn is not left out. A thread of the benchmark serves each of 256 connections.
- Guesses at one session and at many are made in turns, 300 at a time over 256 connections; the medians are compared.
- Stored sessions are of this day, verified, each with its mail, and two of five with a counter of their recipient. Those to be
  purged are of twenty days ago; the purge begins with the start of the node, just before the load.
- The first answer is that of `/readyz`, on a database that is there already, asked for every millisecond from the start of
  a shell that starts the node.
- Memory is what Linux says of the process (`VmRSS`, `VmHWM`), in MB of 1 000 000 bytes.
- Two nodes share a database, and `wrk` runs twice with 128 connections each. They are measured between two measurements of
  one node. That they agree on limits is tested, not measured.
- Overload is 2 000 connections that all submit right codes, each the next after its answer.
";
