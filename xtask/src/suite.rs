//! Every test that needs no extra server: units and contracts, documentation, README.

use crate::problem::Outcome;
use crate::process::{cargo, has_cargo, left_out, run};
use crate::readme;

const MEND: &str = "run the named test alone: cargo test -p PACKAGE NAME";

/// A newcomer's machine passes this with nothing but the toolchain; what is left out is said.
pub(crate) fn all() -> Outcome {
    if has_cargo("nextest") {
        run(
            &mut cargo(&["nextest", "run", "--workspace", "--all-features"]),
            MEND,
        )?;
    } else {
        left_out(
            "cargo-nextest is not installed, so `cargo test` runs the tests instead",
            "cargo install cargo-nextest --locked",
        )?;
        run(
            &mut cargo(&["test", "--workspace", "--all-targets", "--all-features"]),
            MEND,
        )?;
    }
    run(
        &mut cargo(&["test", "--workspace", "--all-features", "--doc"]),
        "mend the example in the documentation",
    )?;
    readme::test()
}
