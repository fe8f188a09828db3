//! Every test: units and contracts, on SQLite and PostgreSQL, documentation, README.

use crate::postgres::Server;
use crate::problem::Outcome;
use crate::process::{answers, cargo, has_cargo, left_out, run};
use crate::readme;

const MEND: &str = "run the named test alone: cargo test -p PACKAGE NAME";

/// A newcomer's machine passes this with nothing but the toolchain; what is left out is said.
pub(crate) fn all() -> Outcome {
    browser()?;
    let postgres = Server::for_suite()?;
    if has_cargo("nextest") {
        run(
            postgres.tell(&mut cargo(&[
                "nextest",
                "run",
                "--workspace",
                "--all-features",
            ])),
            MEND,
        )?;
    } else {
        left_out(
            "cargo-nextest is not installed, so `cargo test` runs the tests instead",
            "cargo install cargo-nextest --locked",
        )?;
        run(
            postgres.tell(&mut cargo(&[
                "test",
                "--workspace",
                "--all-targets",
                "--all-features",
            ])),
            MEND,
        )?;
    }
    run(
        &mut cargo(&["test", "--workspace", "--all-features", "--doc"]),
        "mend the example in the documentation",
    )?;
    readme::test()
}

/// Whether the pages of `otpost dev` can be looked at: their tests pass over it in silence.
fn browser() -> Outcome {
    let is_there = |program| answers(program, &["--version"]);
    if is_there("chromium") && is_there("chromedriver") {
        return Ok(());
    }
    left_out(
        "the tests in a browser: chromium or chromedriver is not installed",
        "Debian: apt-get install chromium chromium-driver",
    )
}
