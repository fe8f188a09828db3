//! P5: how long a verify takes at half of the most that there can be, and alone.

use std::time::Duration;

use crate::bench::database::Engine;
use crate::bench::lab::Lab;
use crate::bench::load::{self, Latencies};
use crate::bench::machine;
use crate::bench::measure::{Measure, Wanted, median, short};
use crate::bench::node::Node;
use crate::bench::requests::{self, Pair};
use crate::bench::site::Site;
use crate::problem::Outcome;

/// Requests that come alone.
const ALONE: usize = 300;

pub(super) fn measure(lab: &Lab) -> Outcome<Vec<Measure>> {
    let mut measures = Vec::new();
    for &engine in &lab.options.engines {
        let rate = lab.verify_rate(engine)? / 2.0;
        let site = lab.site(engine)?;
        let node = site.node()?;
        let pairs = site.sessions(&node, wanted(lab, rate))?;
        let (alone, pairs) = pairs.split_at(ALONE.min(pairs.len()));
        measures.push(alone_measure(lab, engine, &site, &node, alone)?);

        let mut found = at_rate(&site, &node, pairs, rate, lab.options.time())?;
        let tail = found.slowest(1_000);
        for (percent, most) in [(50, 3.0), (99, 15.0)] {
            let millis = found.percentile(percent);
            lab.learn(&format!("p{percent} {}", engine.name()), millis);
            measures.push(Measure {
                goal: "P5",
                engine: Some(engine),
                what: format!("p{percent} of verify at half of its most"),
                reached: millis,
                unit: "ms",
                wanted: Wanted::AtMost(most),
                of: format!(
                    "{} of {} a second asked for, {} answers, {} errors, p99.9 {} ms",
                    short(found.per_second),
                    short(rate),
                    found.count(),
                    found.errors,
                    short(tail),
                ),
            });
        }
    }
    Ok(measures)
}

/// As many sessions as the rate takes in the time, and those for requests that come alone.
fn wanted(lab: &Lab, rate: f64) -> u32 {
    let count = rate * lab.options.time().as_secs_f64();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count of requests in seconds"
    )]
    let count = count as u32;
    count.min(lab.options.sessions()) + 400
}

/// One right code after the other, by one connection.
fn alone_measure(
    lab: &Lab,
    engine: Engine,
    site: &Site,
    node: &Node,
    pairs: &[Pair],
) -> Outcome<Measure> {
    let requests: Vec<Vec<u8>> = pairs.iter().map(|pair| request(site, node, pair)).collect();
    let mut connections = load::connections(&node.host, 1)?;
    let time = Duration::from_secs(20);
    let (mut millis, _) = load::burst(&mut connections, &requests, time, |_, took| {
        took.as_secs_f64() * 1e3
    })?;
    let sync = machine::sync_millis(&site.folder)?;
    let p50 = median(&mut millis);
    lab.learn(&format!("alone {}", engine.name()), p50);
    Ok(Measure {
        goal: "P5",
        engine: Some(engine),
        what: "p50 of verify, one at a time".into(),
        reached: p50,
        unit: "ms",
        wanted: Wanted::Nothing,
        of: format!(
            "{} answers; bringing 4 KiB to the disk takes {} ms",
            millis.len(),
            short(sync)
        ),
    })
}

/// Right codes at `rate` a second, for `time` or as long as there are sessions.
pub(super) fn at_rate(
    site: &Site,
    node: &Node,
    pairs: &[Pair],
    rate: f64,
    time: Duration,
) -> Outcome<Latencies> {
    let most = rate * time.as_secs_f64();
    let count = pairs
        .iter()
        .zip(1_u32..)
        .take_while(|(_, number)| f64::from(*number) <= most);
    let count = u32::try_from(count.count()).unwrap_or(u32::MAX);
    load::paced(&node.host, rate, count, |number| {
        request(site, node, &pairs[number as usize])
    })
}

fn request(site: &Site, node: &Node, pair: &Pair) -> Vec<u8> {
    requests::verify(&node.host, &site.key, &pair.session, &pair.code)
}
