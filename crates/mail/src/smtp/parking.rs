//! Connections between two messages.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::line::Line;

/// How long a connection may wait for its next message. Short, so that a relay seldom closes it
/// first: a closed one is noticed only by the next message.
const IDLE_MAX: Duration = Duration::from_secs(10);
/// How many messages a connection carries; relays have limits of their own.
const MESSAGES_MAX: u32 = 100;

#[derive(Default)]
pub(super) struct Parking {
    lot: Mutex<Lot>,
}

#[derive(Default)]
struct Lot {
    lines: Vec<(Line, Instant)>,
    is_watched: bool,
}

impl Parking {
    /// The connection that was used last, if it may be used again. It is the caller's alone.
    pub(super) fn take(&self) -> Option<Line> {
        let mut lot = self.lot();
        lot.close_idle();
        lot.lines.pop().map(|(line, _)| line)
    }

    /// Keeps a connection whose last exchange ended well.
    pub(super) fn park(self: &Arc<Self>, line: Line) {
        if line.messages >= MESSAGES_MAX {
            tokio::spawn(line.close());
            return;
        }
        let mut lot = self.lot();
        lot.lines.push((line, Instant::now()));
        if !lot.is_watched {
            lot.is_watched = true;
            tokio::spawn(watch(Arc::downgrade(self)));
        }
    }

    fn lot(&self) -> MutexGuard<'_, Lot> {
        self.lot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lot {
    fn close_idle(&mut self) {
        // The oldest come first.
        let is_idle = |(_, since): &(Line, Instant)| since.elapsed() >= IDLE_MAX;
        let fresh = self.lines.partition_point(is_idle);
        for (line, _) in self.lines.drain(..fresh) {
            tokio::spawn(line.close());
        }
    }
}

/// Closes idle connections until none is parked, or the courier is gone.
async fn watch(parking: Weak<Parking>) {
    loop {
        tokio::time::sleep(IDLE_MAX / 2).await;
        let Some(parking) = parking.upgrade() else {
            return;
        };
        let mut lot = parking.lot();
        lot.close_idle();
        if lot.lines.is_empty() {
            lot.is_watched = false;
            return;
        }
    }
}
