//! P6: many guesses at one session, beside as many at as many sessions.

use std::time::Duration;

use crate::bench::lab::Lab;
use crate::bench::load;
use crate::bench::measure::{Measure, Wanted, median, short};
use crate::bench::options::Scale;
use crate::bench::requests::{self, Pair};
use crate::bench::wrk::CONNECTIONS;
use crate::problem::{Outcome, Problem};

/// Guesses in a round.
const GUESSES: usize = 300;

/// How long a round may take.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) fn measure(lab: &Lab) -> Outcome<Vec<Measure>> {
    let rounds = match lab.options.scale {
        Scale::Quick => 9,
        Scale::Usual | Scale::Full => 25,
    };
    let mut measures = Vec::new();
    for &engine in &lab.options.engines {
        let site = lab.site(engine)?;
        let node = site.node()?;
        let count = u32::try_from(rounds * (GUESSES + 1)).unwrap_or(u32::MAX);
        let pairs = site.sessions(&node, count)?;
        let mut connections = load::connections(&node.host, CONNECTIONS)?;
        let mut guess_at = |sessions: &[Pair]| {
            let guesses = sessions.iter().cycle().take(GUESSES);
            let guesses = guesses.map(|pair| {
                requests::verify(&node.host, &site.key, &pair.session, &other(&pair.code))
            });
            let guesses: Vec<_> = guesses.collect();
            let (refused, took) = load::burst(&mut connections, &guesses, PATIENCE, |reply, _| {
                reply.is_some_and(|reply| reply.status == 400)
            })?;
            if refused.iter().filter(|refused| **refused).count() < GUESSES {
                return Err(Problem::new(
                    "a guess was answered with something else than its refusal",
                    node.said(),
                ));
            }
            Ok(took.as_secs_f64() * 1e3)
        };
        let (mut one, mut many) = (Vec::new(), Vec::new());
        // In turns, so that both see the same machine.
        for sessions in pairs.chunks_exact(GUESSES + 1) {
            one.push(guess_at(&sessions[..1])?);
            many.push(guess_at(&sessions[1..])?);
        }
        let (one, many) = (median(&mut one), median(&mut many));
        measures.push(Measure {
            goal: "P6",
            engine: Some(engine),
            what: format!("{GUESSES} guesses at one session ÷ at {GUESSES} sessions"),
            reached: one / many,
            unit: "×",
            wanted: Wanted::AtMost(1.0),
            of: format!(
                "{} ms ÷ {} ms, medians of {rounds} rounds",
                short(one),
                short(many)
            ),
        });
    }
    Ok(measures)
}

/// A code of the same length that is certainly wrong.
fn other(code: &str) -> String {
    let first = if code.starts_with('0') { '1' } else { '0' };
    std::iter::once(first).chain(code.chars().skip(1)).collect()
}
