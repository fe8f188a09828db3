//! P7: what many stored sessions cost, and what it costs to purge them.

use std::time::Duration;

use super::latency;
use crate::bench::ballast::{self, Ballast};
use crate::bench::database::Engine;
use crate::bench::lab::Lab;
use crate::bench::measure::{Measure, Wanted, grouped, real, short};
use crate::bench::node::Node;
use crate::bench::requests::Pair;
use crate::bench::site::Site;
use crate::bench::wrk;
use crate::problem::Outcome;

/// Sessions of a database that has just begun.
const FEW: u64 = 10_000;

pub(super) fn measure(lab: &Lab) -> Outcome<Vec<Measure>> {
    let mut measures = Vec::new();
    for &engine in &lab.options.engines {
        let few = rate(lab, engine, FEW)?.0;
        let rows = lab.options.rows();
        let (many, site, pairs) = rate(lab, engine, rows)?;
        lab.learn(&format!("few {}", engine.name()), few);
        lab.learn(&format!("many {}", engine.name()), many);
        measures.push(Measure {
            goal: "P7",
            engine: Some(engine),
            what: format!(
                "verify with {} sessions stored ÷ with {}",
                grouped(real(rows)),
                grouped(real(FEW))
            ),
            reached: many / few,
            unit: "×",
            wanted: Wanted::AtLeast(0.85),
            of: format!("{} a second ÷ {}", short(many), short(few)),
        });
        measures.push(purge(lab, &site, many / 2.0, &pairs)?);
    }
    Ok(measures)
}

/// Right codes judged in a second beside `rows` sessions; the site, and sessions that are left.
fn rate(lab: &Lab, engine: Engine, rows: u64) -> Outcome<(f64, Site, Vec<Pair>)> {
    let site = lab.site(engine)?;
    // A node makes the partitions of these days.
    drop(site.node()?);
    ballast::fill(&site.database, rows, Ballast::Kept)?;
    let node = site.node()?;
    let count = lab.options.sessions();
    let pairs = site.sessions(&node, if rows > FEW { count } else { count / 2 })?;
    // As many where more are to be left.
    let most = usize::try_from(count / 2)
        .unwrap_or(usize::MAX)
        .min(pairs.len());
    let (measured, left) = pairs.split_at(most);
    let measured = warm(&site, &node, measured)?;
    let time = lab.options.time() / 2;
    let rate = wrk::verify(&site.target(&node, "verify"), measured, time)?;
    drop(node);
    Ok((rate.per_second, site, left.to_vec()))
}

/// Submits some of the codes, so that connections and statements are there; those that are left.
fn warm<'a>(site: &Site, node: &Node, pairs: &'a [Pair]) -> Outcome<&'a [Pair]> {
    let (warming, pairs) = pairs.split_at(pairs.len() / 20);
    wrk::verify(
        &site.target(node, "warming"),
        warming,
        Duration::from_secs(1),
    )?;
    Ok(pairs)
}

/// The p99 at `rate` while sessions whose time is over are purged, beside the p99 of every day.
fn purge(lab: &Lab, site: &Site, rate: f64, pairs: &[Pair]) -> Outcome<Measure> {
    let rows = lab.options.rows().min(1_000_000);
    let (first, second) = pairs.split_at(pairs.len() / 2);
    let time = lab.options.time();
    let node = site.node()?;
    let first = warm(site, &node, first)?;
    let calm = latency::at_rate(site, &node, first, rate, time)?.percentile(99);
    drop(node);

    ballast::fill(&site.database, rows, Ballast::Over)?;
    // The janitor's first round begins with the node.
    let node = site.node()?;
    let second = warm(site, &node, second)?;
    let mut purging = latency::at_rate(site, &node, second, rate, time)?;
    let left = ballast::over(&site.database)?;
    let p99 = purging.percentile(99);
    Ok(Measure {
        goal: "P7",
        engine: Some(site.engine),
        what: format!(
            "p99 during a purge of {} ÷ p99 without",
            grouped(real(rows))
        ),
        reached: p99 / calm,
        unit: "×",
        wanted: Wanted::AtMost(2.0),
        of: format!(
            "{} ms ÷ {} ms at {} a second; {} purged by the end, {} errors",
            short(p99),
            short(calm),
            short(rate),
            grouped(real(rows.saturating_sub(left))),
            purging.errors,
        ),
    })
}
