//! The product's own binary, as the chores build it.

use std::path::PathBuf;

use crate::environment;
use crate::problem::Outcome;
use crate::process::{cargo, run};

/// Builds the binary, and says where it is.
pub(crate) fn build() -> Outcome<PathBuf> {
    run(
        &mut cargo(&["build", "--package", "otpost"]),
        "mend what the compiler names",
    )?;
    Ok(environment::target().join("debug").join("otpost"))
}
