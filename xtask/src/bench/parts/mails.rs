//! P4: mails handed to a relay that takes everything at once.

use std::time::{Duration, Instant};

use crate::bench::lab::Lab;
use crate::bench::load;
use crate::bench::measure::{Measure, Wanted, real, short};
use crate::bench::node::Node;
use crate::bench::requests;
use crate::bench::site::Site;
use crate::problem::Outcome;

/// What the goal names, a second.
const GOAL: u32 = 3_000;

/// How long mails that wait may take to go.
const PATIENCE: Duration = Duration::from_secs(40);

pub(super) fn measure(lab: &Lab) -> Outcome<Vec<Measure>> {
    let mut measures = Vec::new();
    for &engine in &lab.options.engines {
        let site = lab.site(engine)?;
        let node = site.node()?;
        measures.push(flood(lab, &site, &node)?);
        measures.extend(steady(lab, &site, &node)?);
    }
    Ok(measures)
}

/// Mails while sends come as fast as they can, and until the last is gone.
fn flood(lab: &Lab, site: &Site, node: &Node) -> Outcome<Measure> {
    let count = lab.options.sessions() / 4;
    let time = lab.options.time() * 2;
    let first = site.recipients(count);
    let start = Instant::now();
    let opened = load::open(&node.host, &site.key, first, count, time)?.len() as u64;
    let asked_for = start.elapsed();
    let before = site.sink.mails();
    until_gone(site, opened);
    let all = start.elapsed();
    let rest = real(opened.saturating_sub(before));
    let rate = real(site.sink.mails()) / all.as_secs_f64();
    lab.learn(&format!("mails {}", site.engine.name()), rate);
    Ok(Measure {
        goal: "P4",
        engine: Some(site.engine),
        what: "mails handed to the relay, sends as fast as they come".into(),
        reached: rate,
        unit: "a second",
        wanted: Wanted::AtLeast(f64::from(GOAL)),
        of: format!(
            "{opened} mails; asked for in {} s, all there after {} s, the last {} at {} a second",
            short(asked_for.as_secs_f64()),
            short(all.as_secs_f64()),
            short(rest),
            short(rest / all.saturating_sub(asked_for).as_secs_f64().max(1e-3)),
        ),
    })
}

/// As many sends a second as the goal names, whatever comes back.
fn steady(lab: &Lab, site: &Site, node: &Node) -> Outcome<[Measure; 2]> {
    let secs = u32::try_from(lab.options.time().as_secs()).unwrap_or(u32::MAX);
    let count = GOAL * secs;
    let first = site.recipients(count);
    let before = site.sink.mails();
    let request = |number| requests::send(&node.host, &site.key, first + number);
    let mut sends = load::paced(&node.host, f64::from(GOAL), count, request)?;
    let all = sends.count() as u64 - sends.errors;
    let behind = (before + all).saturating_sub(site.sink.mails());
    let ended = Instant::now();
    until_gone(site, before + all);
    let waits = Measure {
        goal: "P4",
        engine: Some(site.engine),
        what: format!("mails that wait after {GOAL} sends a second"),
        reached: real(behind),
        unit: "",
        wanted: Wanted::AtMost(f64::from(GOAL)),
        of: format!(
            "of {} sends in {secs} s; none {:.1} s later",
            sends.count(),
            ended.elapsed().as_secs_f64(),
        ),
    };
    let latency = Measure {
        what: format!("p99 of {GOAL} sends a second, their mails on their way"),
        reached: sends.percentile(99),
        unit: "ms",
        wanted: Wanted::Nothing,
        of: format!(
            "p50 {} ms; {} answers a second, {} errors",
            short(sends.percentile(50)),
            short(sends.per_second),
            sends.errors,
        ),
        ..waits.clone()
    };
    Ok([waits, latency])
}

/// Until so many mails are there.
fn until_gone(site: &Site, mails: u64) {
    let begin = Instant::now();
    while site.sink.mails() < mails && begin.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(5));
    }
}
