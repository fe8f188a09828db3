//! What a database that several nodes share wants of them from time to time.

use std::sync::Arc;
use std::time::Duration;

use otpost_ports::Clock;
use otpost_storage::Storage;
use tokio_util::sync::CancellationToken;

/// Time between two rounds.
const INTERVAL: Duration = Duration::from_mins(1);
/// A clock that differs by more is reported: it is taken for the truth in limits and deadlines.
const AHEAD_MILLIS_MAX: u64 = 1_000;
/// A clock that differs by more does not say which partitions are old: they would be those of all.
const TRUSTED_MILLIS_MAX: u64 = 60_000;

/// Keeps partitions, and compares the clock of this node with the database's.
pub(super) struct Upkeep {
    pub(super) storage: Storage,
    pub(super) clock: Arc<dyn Clock>,
}

impl Upkeep {
    /// Works until `stop`, a round a minute; the first is done. What fails is done in the next.
    pub(super) async fn run(&self, stop: CancellationToken) {
        let rounds = async {
            loop {
                tokio::time::sleep(INTERVAL).await;
                self.round().await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = rounds => {}
        }
    }

    /// Compares the clocks, and keeps the partitions unless the clock is far off.
    pub(super) async fn round(&self) {
        if self.is_clock_trusted().await {
            self.keep_partitions().await;
        }
    }

    async fn is_clock_trusted(&self) -> bool {
        match self.storage.millis_ahead(&*self.clock).await {
            Ok(ahead) => {
                let ahead = ahead.unwrap_or_default();
                if ahead.unsigned_abs() > AHEAD_MILLIS_MAX {
                    tracing::warn!(
                        clock.ahead_ms = ahead,
                        "the clock of this node is not the database's: deadlines and limits of the \
                         nodes differ by as much; synchronise them"
                    );
                }
                ahead.unsigned_abs() <= TRUSTED_MILLIS_MAX
            }
            Err(error) => {
                tracing::warn!(%error, "the clocks could not be compared");
                false
            }
        }
    }

    /// Makes and drops partitions. What fails is done in the next round.
    async fn keep_partitions(&self) {
        match self.storage.keep_partitions(self.clock.now()).await {
            Ok(kept) => {
                for partition in kept.made {
                    tracing::info!(partition, "made");
                }
                for partition in kept.dropped {
                    tracing::info!(partition, "dropped: no session in it is retained any more");
                }
            }
            Err(error) => tracing::warn!(%error, "the partitions could not be kept"),
        }
    }
}
