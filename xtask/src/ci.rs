//! All chores that decide whether a change is good, one after the other, each timed.

use std::time::{Duration, Instant};

use crate::problem::{Outcome, Problem};
use crate::{arch, checks, demo, deny, plans, spam, suite, two_nodes};

struct Stage {
    name: &'static str,
    run: fn() -> Outcome,
}

/// The quick ones first, so that most mistakes are told within a minute.
const STAGES: [Stage; 10] = [
    Stage {
        name: "fmt",
        run: checks::format,
    },
    Stage {
        name: "lint",
        run: checks::lint,
    },
    Stage {
        name: "arch",
        run: arch::check,
    },
    Stage {
        name: "deny",
        run: deny::check,
    },
    Stage {
        name: "docs",
        run: checks::docs,
    },
    Stage {
        name: "test",
        run: suite::all,
    },
    Stage {
        name: "plans",
        run: plans::for_ci,
    },
    Stage {
        name: "demo",
        run: demo::run,
    },
    Stage {
        name: "spam",
        run: spam::run,
    },
    Stage {
        name: "two-nodes",
        run: two_nodes::run,
    },
];

/// Runs the stages, stops at the first that fails, and ends with a table either way.
pub(crate) fn run() -> Outcome {
    let mut rows = Vec::new();
    let mut outcome = Ok(());
    for stage in STAGES {
        println!("\n=== {} ===", stage.name);
        let begin = Instant::now();
        outcome = (stage.run)();
        rows.push(row(stage.name, outcome.is_ok(), begin.elapsed()));
        if outcome.is_err() {
            break;
        }
    }
    rows.extend(
        STAGES
            .iter()
            .skip(rows.len())
            .map(|stage| format!("{:<9} not run", stage.name)),
    );
    println!("\n=== summary ===\n{}", rows.join("\n"));
    outcome.map_err(|problem| Problem::new("ci failed", problem.to_string()))
}

fn row(name: &str, passed: bool, took: Duration) -> String {
    let verdict = if passed { "passed" } else { "FAILED" };
    format!("{name:<9} {verdict:<7} {:>7.1} s", took.as_secs_f64())
}
