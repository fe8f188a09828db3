//! The two moments of a stop: when it is announced, and when it is due.

use tokio_util::sync::CancellationToken;

/// A stop that may come. Between its two moments a server drains: it serves on, and says that it is
/// going.
#[derive(Clone, Debug)]
pub struct Stop {
    announced: CancellationToken,
    due: CancellationToken,
}

impl Stop {
    /// Neither announced nor due.
    #[must_use]
    pub fn new() -> Self {
        let due = CancellationToken::new();
        Self {
            // What is due is announced too.
            announced: due.child_token(),
            due,
        }
    }

    /// Lets `/readyz` refuse, and every answer close its connection. Everything else goes on.
    pub fn announce(&self) {
        self.announced.cancel();
    }

    /// Ends it: nothing new is accepted, what is under way is finished.
    pub fn end(&self) {
        self.due.cancel();
    }

    /// Cancelled when the stop is announced.
    #[must_use]
    pub fn announced(&self) -> &CancellationToken {
        &self.announced
    }

    /// Cancelled when the stop is due.
    #[must_use]
    pub fn due(&self) -> &CancellationToken {
        &self.due
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}
