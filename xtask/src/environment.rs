//! What the chores ask of the environment, and where the checkout is.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The root of the checkout.
pub(crate) fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// Where chores may leave files: under cargo's target directory, so that `cargo clean` takes them.
pub(crate) fn scratch(name: &str) -> PathBuf {
    target().join("xtask").join(name)
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    variable("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The cargo that runs this chore, so that all of it uses one toolchain.
pub(crate) fn cargo() -> OsString {
    variable("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Whether a part that cannot run is a failure (`CI=true`) or only said.
pub(crate) fn under_ci() -> bool {
    variable("CI").is_some_and(|value| value == "true" || value == "1")
}

/// Where the tests look for a PostgreSQL server.
pub(crate) const POSTGRES: &str = "TEST_POSTGRES_URL";

/// Whether the tests have been given a PostgreSQL server.
pub(crate) fn names_postgres() -> bool {
    variable(POSTGRES).is_some_and(|url| !url.is_empty())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place of the chores that reads variables"
)]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}
