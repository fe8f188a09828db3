//! Negative controls: for every promise there is a fake that breaks it, and its suite notices.
//!
//! Each row names a flaw and exactly the promises that it breaks; every other one must hold.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a control is a test all over"
)]

mod inbox;
mod storage;
mod vault;

use std::collections::BTreeSet;
use std::fmt::Debug;

/// A flaw, and the promises that it breaks in the order of the suites.
type Control<Flaw> = (Flaw, &'static [&'static str]);

/// Every promise of a suite is broken by some flaw.
fn assert_complete<Flaw: Debug>(promises: &[&str], controls: &[Control<Flaw>]) {
    let broken: BTreeSet<_> = controls.iter().flat_map(|(_, names)| *names).collect();
    let sound: Vec<_> = promises
        .iter()
        .filter(|one| !broken.contains(one))
        .collect();
    assert!(sound.is_empty(), "nothing breaks {sound:?}");
    assert!(controls.iter().all(|(_, names)| !names.is_empty()));
}
