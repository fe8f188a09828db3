//! P3: mails asked for in a second, each with its session, its limits and its delivery on disk.

use std::time::{Duration, Instant};

use crate::bench::database::Engine;
use crate::bench::lab::Lab;
use crate::bench::measure::{Measure, Wanted, real, short};
use crate::bench::pgbench::Statement;
use crate::bench::wrk;
use crate::problem::Outcome;

/// More than can be asked for in the time.
const RECIPIENTS: u32 = 1_000_000;

pub(super) fn measure(lab: &Lab) -> Outcome<Vec<Measure>> {
    let mut measures = Vec::new();
    for &engine in &lab.options.engines {
        let rate = rate(lab, engine)?;
        if lab.options.is_alone {
            continue;
        }
        let (least, against, what) = match engine {
            Engine::Sqlite => (0.25, lab.ceiling()?, "the ceiling of HTTP and JSON"),
            Engine::Postgres => (
                1.0,
                lab.pgbench(Statement::Insert)?,
                "the best of pgbench, an insert",
            ),
        };
        measures.push(Measure {
            goal: "P3",
            engine: Some(engine),
            what: format!("send ÷ {what}"),
            reached: rate / against,
            unit: "×",
            wanted: Wanted::AtLeast(least),
            of: format!("{} a second ÷ {}", short(rate), short(against)),
        });
    }
    Ok(measures)
}

fn rate(lab: &Lab, engine: Engine) -> Outcome<f64> {
    let site = lab.site(engine)?;
    let node = site.node()?;
    let target = site.target(&node, "send");
    wrk::send(&target, site.recipients(RECIPIENTS), Duration::from_secs(1))?;
    let (before, begin) = (site.sink.mails(), Instant::now());
    let rate = wrk::send(&target, site.recipients(RECIPIENTS), lab.options.time())?;
    let mails = real(site.sink.mails() - before) / begin.elapsed().as_secs_f64();
    println!(
        "  {}: send {} a second ({} answers), p50 {} ms, p99 {} ms with 256 in line; {} mails a second meanwhile",
        engine.name(),
        short(rate.per_second),
        rate.answers,
        short(rate.p50),
        short(rate.p99),
        short(mails),
    );
    lab.learn(&format!("send {}", engine.name()), rate.per_second);
    Ok(rate.per_second)
}
