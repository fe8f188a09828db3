//! What is asked of the environment, and what is said where a test cannot run.

use std::ffi::OsString;
use std::hash::{BuildHasher, RandomState};
use std::sync::Once;

/// An empty one is none.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place of this crate that reads variables"
)]
pub(crate) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Says on standard error, once in a process, that tests are left out.
///
/// Under `CI=true` nothing may be left out: there it panics.
pub(crate) fn left_out(why: &str) {
    static SAID: Once = Once::new();
    let what = format!("the tests on PostgreSQL, because {why}");
    let help = "apt-get install postgresql; then cargo xtask test, or set TEST_POSTGRES_URL";
    left_out_unless(&SAID, &what, help);
}

/// As [`left_out`], for other tests: unless it was `said`, and with what helps on Debian.
pub(crate) fn left_out_unless(said: &Once, what: &str, help: &str) {
    let line = format!("left out: {what} (Debian: {help})");
    let is_ci = variable("CI").is_some_and(|value| value == "true" || value == "1");
    assert!(!is_ci, "under CI=true nothing may be {line}");
    said.call_once(|| eprintln!("{line}"));
}

/// A number that no other process chooses. Not for secrets.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(std::process::id())
}
