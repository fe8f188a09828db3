//! The product's own binary, as the chores build and ask it.

use std::path::PathBuf;
use std::process::Command;

use crate::environment;
use crate::problem::{Outcome, Problem};
use crate::process::{cargo, read, run, text};

/// Builds the binary, and says where it is.
pub(crate) fn build() -> Outcome<PathBuf> {
    run(
        &mut cargo(&["build", "--package", "otpost"]),
        "mend what the compiler names",
    )?;
    Ok(environment::target().join("debug").join("otpost"))
}

/// Whether docs/configuration.md is what the binary writes about its own settings.
pub(crate) fn settings_are_documented() -> Outcome {
    let binary = build()?;
    let generated = read(Command::new(binary).args(["check-config", "--documentation"]))?;
    let page = text(&environment::root().join("docs/configuration.md"))?;
    if page == generated {
        return Ok(());
    }
    Err(Problem::new(
        "docs/configuration.md is not what the binary says about its settings",
        "cargo run -- check-config --documentation > docs/configuration.md",
    ))
}
