//! The storage on a database that has grown: the plan of every statement, and what one costs.

use otpost_cluster::Binaries;

use crate::postgres::INSTALL;
use crate::problem::{Outcome, Problem};
use crate::process::{cargo, left_out, run};

/// Over four days: what a planner does with these it does with more, and they are there soon.
const CI_ROWS: &str = "250000";

/// Every statement on so many sessions. The suite has a short form of this.
pub(crate) fn check(rows: &str) -> Outcome {
    start(
        rows,
        &["every_statement"],
        "the table shows how each statement was carried out: it needs an index, or an index goes",
    )
}

/// As [`check`], on as many as are filled in a stage of `ci`.
pub(crate) fn for_ci() -> Outcome {
    check(CI_ROWS)
}

/// Measures what each command writes.
pub(crate) fn costs(rows: &str) -> Outcome {
    start(
        rows,
        &["each_command_writes"],
        "what it printed last is what it did",
    )
}

fn start(rows: &str, tests: &[&str], mend: &str) -> Outcome {
    if !rows.parse::<u64>().is_ok_and(|rows| rows >= 10_000) {
        return Err(Problem::new(
            format!("`{rows}` is no number of sessions to begin with"),
            "10 000 or more, such as: cargo xtask plans --rows 1000000",
        ));
    }
    if Binaries::find().is_none() {
        return left_out("plans: PostgreSQL is not installed", INSTALL);
    }
    let words = [
        "test",
        "--package",
        "otpost-storage",
        "--test",
        "plans",
        "--",
    ];
    let mut command = cargo(&[&words[..], &["--nocapture"], tests].concat());
    command.env("OTPOST_PLANS_ROWS", rows);
    run(&mut command, mend)
}
