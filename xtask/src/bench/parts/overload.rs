//! Overload: far more connections than there can be answers.

use std::time::Duration;

use crate::bench::client::header;
use crate::bench::lab::Lab;
use crate::bench::load;
use crate::bench::measure::{Measure, Wanted, percentile, real, short};
use crate::bench::requests;
use crate::problem::Outcome;

/// Connections that all ask at once.
const CROWD: u32 = 2_000;

/// What a caller may wait for an answer that is not a refusal, in milliseconds.
const WAIT_MAX: f64 = 1_000.0;

/// After this, what the crowd left behind is settled.
const SETTLED: Duration = Duration::from_secs(3);

struct Answered {
    /// `None` where the connection broke.
    status: Option<u16>,
    says_when: bool,
    millis: f64,
}

pub(super) fn measure(lab: &Lab) -> Outcome<Vec<Measure>> {
    let mut measures = Vec::new();
    for &engine in &lab.options.engines {
        let site = lab.site(engine)?;
        let node = site.node()?;
        let pairs = site.sessions(&node, lab.options.sessions() / 2)?;
        let before = node.resident()?;
        let requests = pairs
            .iter()
            .map(|pair| requests::verify(&node.host, &site.key, &pair.session, &pair.code));
        let requests: Vec<_> = requests.collect();
        let mut connections = load::connections(&node.host, CROWD)?;
        let time = lab.options.time();
        let (answers, took) =
            load::burst(&mut connections, &requests, time, |reply, took| Answered {
                status: reply.map(|reply| reply.status),
                says_when: reply.is_some_and(|reply| header(reply.head, "retry-after").is_some()),
                millis: took.as_secs_f64() * 1e3,
            })?;
        drop(connections);
        std::thread::sleep(SETTLED);

        let of_status = |status| answers.iter().filter(move |one| one.status == Some(status));
        let mut accepted: Vec<f64> = of_status(200).map(|one| one.millis).collect();
        let mut refused: Vec<f64> = of_status(503).map(|one| one.millis).collect();
        let says_when = of_status(503).filter(|one| one.says_when).count();
        let others = answers.len() - accepted.len() - refused.len();
        let measure = |what: &str, reached, unit, wanted, of: String| Measure {
            goal: "overload",
            engine: Some(engine),
            what: what.into(),
            reached,
            unit,
            wanted,
            of,
        };
        let of = format!(
            "p50 {} ms; {} accepted, {} a second",
            short(percentile(&mut accepted, 50)),
            accepted.len(),
            short(real(accepted.len() as u64) / took.as_secs_f64()),
        );
        let what = format!("the slowest accepted of {CROWD} connections");
        let slowest = percentile(&mut accepted, 100);
        measures.push(measure(&what, slowest, "ms", Wanted::AtMost(WAIT_MAX), of));
        let all = real((refused.len() + others).max(1) as u64);
        let well = if refused.len() + others == 0 {
            1.0
        } else {
            real(says_when as u64) / all
        };
        let of = format!(
            "{} with 503, the slowest after {} ms; {others} in another way",
            refused.len(),
            short(percentile(&mut refused, 100)),
        );
        let what = "of all not accepted: told by 503 when to come again";
        measures.push(measure(what, well * 100.0, "%", Wanted::AtLeast(100.0), of));
        let of = format!(
            "{} MB before, {} MB at most",
            short(before),
            short(node.resident_max()?)
        );
        let after = node.resident()?;
        lab.learn(&format!("crowd {}", engine.name()), node.resident_max()?);
        measures.push(measure("memory after it", after, "MB", Wanted::Nothing, of));
    }
    Ok(measures)
}
