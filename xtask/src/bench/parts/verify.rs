//! P1 and P2: right codes judged in a second.

use std::time::Duration;

use crate::bench::database::Engine;
use crate::bench::lab::Lab;
use crate::bench::measure::{Measure, Wanted, short};
use crate::bench::pgbench::Statement;
use crate::bench::wrk::{self, Rate};
use crate::problem::Outcome;

/// The part of the sessions with which connections, caches and statements get warm.
const WARMING: usize = 10;

pub(super) fn measure(lab: &Lab) -> Outcome<Vec<Measure>> {
    let mut measures = Vec::new();
    for &engine in &lab.options.engines {
        let rate = lab.verify_rate(engine)?;
        if lab.options.is_alone {
            continue;
        }
        let (goal, least, against, what) = match engine {
            Engine::Sqlite => ("P1", 0.5, lab.ceiling()?, "the ceiling of HTTP and JSON"),
            Engine::Postgres => (
                "P2",
                2.0,
                lab.pgbench(Statement::Update)?,
                "the best of pgbench, the same update",
            ),
        };
        measures.push(Measure {
            goal,
            engine: Some(engine),
            what: format!("verify ÷ {what}"),
            reached: rate / against,
            unit: "×",
            wanted: Wanted::AtLeast(least),
            of: format!("{} a second ÷ {}", short(rate), short(against)),
        });
    }
    Ok(measures)
}

/// Answers to right codes, each session once, by 256 connections.
pub(in crate::bench) fn rate(lab: &Lab, engine: Engine) -> Outcome<Rate> {
    let site = lab.site(engine)?;
    let node = site.node()?;
    let pairs = site.sessions(&node, lab.options.sessions())?;
    let (warming, pairs) = pairs.split_at(pairs.len() / WARMING);
    wrk::verify(
        &site.target(&node, "warming"),
        warming,
        Duration::from_secs(1),
    )?;
    let rate = wrk::verify(&site.target(&node, "verify"), pairs, lab.options.time())?;
    println!(
        "  {}: verify {} a second ({} answers), p50 {} ms, p99 {} ms with 256 in line",
        engine.name(),
        short(rate.per_second),
        rate.answers,
        short(rate.p50),
        short(rate.p99),
    );
    Ok(rate)
}
