//! P9: two nodes on one PostgreSQL, beside one.

use std::time::Duration;

use crate::bench::database::Engine;
use crate::bench::lab::Lab;
use crate::bench::measure::{Measure, Wanted, short};
use crate::bench::node::Node;
use crate::bench::requests::Pair;
use crate::bench::site::Site;
use crate::bench::wrk::{self, CONNECTIONS, Target};
use crate::problem::{Outcome, Problem};

pub(super) fn measure(lab: &Lab) -> Outcome<Vec<Measure>> {
    if !lab.options.engines.contains(&Engine::Postgres) {
        println!("left out: nodes share PostgreSQL, not a file");
        return Ok(Vec::new());
    }
    let site = lab.site(Engine::Postgres)?;
    let first = site.node()?;
    let pairs = site.sessions(&first, lab.options.sessions())?;
    let second = site.node()?;
    let (warming, pairs) = pairs.split_at(pairs.len() / 10);
    two(&site, [&first, &second], warming, Duration::from_secs(1))?;

    // One, two, two, one: what changes with time hits both alike.
    let quarters: Vec<&[Pair]> = pairs.chunks(pairs.len().div_ceil(4)).collect();
    let [a, b, c, d] = quarters[..] else {
        return Err(Problem::new("there are too few sessions", "see above"));
    };
    let time = lab.options.time() / 2;
    let one = |pairs: &[Pair]| {
        let rate = wrk::verify(&site.target(&first, "one"), pairs, time)?;
        Ok(rate.per_second)
    };
    let two = |pairs: &[Pair]| two(&site, [&first, &second], pairs, time);
    let (begin, inner, outer, end) = (one(a)?, two(b)?, two(c)?, one(d)?);
    let (one, two) = (begin.midpoint(end), inner.midpoint(outer));
    lab.learn("one node", one);
    lab.learn("two nodes", two);
    Ok(vec![Measure {
        goal: "P9",
        engine: Some(Engine::Postgres),
        what: "verify by two nodes ÷ by one, on the same processors".into(),
        reached: two / one,
        unit: "×",
        wanted: Wanted::AtLeast(1.0),
        of: format!(
            "{} and {} a second ÷ {} and {}",
            short(inner),
            short(outer),
            short(begin),
            short(end),
        ),
    }])
}

/// Both at once, each with half of the sessions and of the connections.
fn two(site: &Site, nodes: [&Node; 2], pairs: &[Pair], time: Duration) -> Outcome<f64> {
    let (left, right) = pairs.split_at(pairs.len() / 2);
    let target = |node, name| Target {
        connections: CONNECTIONS / 2,
        ..site.target(node, name)
    };
    let targets = [target(nodes[0], "left"), target(nodes[1], "right")];
    let rates = std::thread::scope(|scope| {
        let [first, second] = &targets;
        let other = scope.spawn(|| wrk::verify(second, right, time));
        let one = wrk::verify(first, left, time)?;
        let died = |_| Problem::new("wrk was not waited for", "try again");
        let other = other.join().map_err(died)??;
        Ok([one.per_second, other.per_second])
    });
    rates.map(|rates: [f64; 2]| rates.iter().sum())
}
