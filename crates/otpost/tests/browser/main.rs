//! The pages of `otpost dev` in a real browser.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod browser;
mod http;
mod inbox;
mod otpost;
mod sign_in;
mod templates;

use std::time::{Duration, Instant};

/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks `found` again and again until it finds something.
fn eventually<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(30));
    }
}
