//! Formatting, lints and the API documentation: what the toolchain itself can judge.

use crate::problem::Outcome;
use crate::process::{cargo, run};

/// Is everything formatted?
pub(crate) fn format() -> Outcome {
    run(
        &mut cargo(&["fmt", "--all", "--check"]),
        "run `cargo fmt --all`",
    )
}

/// Clippy over all targets and features, with warnings as errors.
pub(crate) fn lint() -> Outcome {
    run(
        &mut cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--all-features",
            "--",
            "-D",
            "warnings",
        ]),
        "mend what clippy names; where it is wrong, `#[expect(lint, reason = \"…\")]`",
    )
}

/// The API documentation, private items included, with warnings as errors.
pub(crate) fn docs() -> Outcome {
    run(
        cargo(&[
            "doc",
            "--workspace",
            "--all-features",
            "--no-deps",
            "--document-private-items",
        ])
        .env("RUSTDOCFLAGS", "-D warnings"),
        "mend the links and the missing sentences that rustdoc names",
    )
}
