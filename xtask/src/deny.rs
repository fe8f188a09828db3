//! Licences, bans and sources of all dependencies, by cargo-deny.

use crate::problem::Outcome;
use crate::process::{cargo, has_cargo, left_out, run};

/// Advisories are not asked here: they change without a change of ours, and need the network. A
/// scheduled workflow asks them.
pub(crate) fn check() -> Outcome {
    if !has_cargo("deny") {
        return left_out(
            "cargo-deny is not installed, so licences, bans and sources were not checked",
            "cargo install cargo-deny --locked --no-default-features",
        );
    }
    run(
        &mut cargo(&[
            "deny",
            "--all-features",
            "check",
            "bans",
            "licenses",
            "sources",
        ]),
        "choose another dependency or feature; an exception in deny.toml needs its reason",
    )
}
