//! P8: memory, and the time to the first answer.

use std::time::Duration;

use crate::bench::lab::Lab;
use crate::bench::measure::{Measure, Wanted, median, short};
use crate::bench::wrk;
use crate::problem::Outcome;

/// Starts, of which the middle one counts.
const STARTS: usize = 5;

/// After this, what a start left behind is settled.
const SETTLED: Duration = Duration::from_secs(2);

pub(super) fn measure(lab: &Lab) -> Outcome<Vec<Measure>> {
    let mut measures = Vec::new();
    for &engine in &lab.options.engines {
        let site = lab.site(engine)?;
        let measure = |what: &str, reached, unit, most, of: String| Measure {
            goal: "P8",
            engine: Some(engine),
            what: what.into(),
            reached,
            unit,
            wanted: Wanted::AtMost(most),
            of,
        };
        let mut starts = Vec::new();
        for _ in 0..STARTS {
            starts.push(site.node()?.ready_after.as_secs_f64() * 1e3);
        }
        let texts: Vec<String> = starts.iter().map(|millis| short(*millis)).collect();
        let of = format!("the middle of {} ms", texts.join(", "));
        measures.push(measure(
            "first answer after the start",
            median(&mut starts),
            "ms",
            150.0,
            of,
        ));

        let node = site.node()?;
        std::thread::sleep(SETTLED);
        let idle = node.resident()?;
        lab.learn(&format!("idle {}", engine.name()), idle);
        let of = "resident, two seconds after the start".to_owned();
        measures.push(measure("memory, idle", idle, "MB", 16.0, of));

        let pairs = site.sessions(&node, lab.options.sessions() / 4)?;
        let time = lab.options.time() / 2;
        let send = wrk::send(
            &site.target(&node, "send"),
            site.recipients(1_000_000),
            time,
        )?;
        let verify = wrk::verify(&site.target(&node, "verify"), &pairs, time)?;
        let most = node.resident_max()?;
        lab.learn(&format!("full {}", engine.name()), most);
        let of = format!(
            "the most ever resident, after {} sends and {} verifies as fast as it goes; then {} MB",
            send.answers + pairs.len() as u64,
            verify.answers,
            short(node.resident()?),
        );
        measures.push(measure("memory, at full load", most, "MB", 48.0, of));
    }
    Ok(measures)
}
