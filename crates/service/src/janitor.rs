//! Closing sessions whose hard end has come, and deleting those whose retention is over.

use std::sync::Arc;
use std::time::Duration;

use otpost_ports::{Clock, Purged, SessionStore};
use tokio_util::sync::CancellationToken;

use crate::ServiceError;

/// Sessions closed and deleted in one commit, so that requests wait for none of it long.
const BATCH: u32 = 500;
/// Time between two rounds.
const INTERVAL: Duration = Duration::from_mins(1);

/// Keeps the promise of retention.
pub struct Janitor {
    /// Where sessions are kept.
    pub sessions: Arc<dyn SessionStore>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Janitor {
    /// Works until `stop`, a round a minute.
    pub async fn run(&self, stop: CancellationToken) {
        loop {
            let round = tokio::select! {
                round = self.round() => round,
                () = stop.cancelled() => return,
            };
            match round {
                Ok(Purged {
                    closed: 0,
                    deleted: 0,
                    ..
                }) => {}
                Ok(Purged {
                    closed, deleted, ..
                }) => {
                    tracing::info!(
                        sessions.closed = closed,
                        sessions.deleted = deleted,
                        "purged"
                    );
                }
                Err(error) => tracing::warn!(%error, "sessions could not be purged"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
    }

    /// Purges all that is over by now, batch by batch.
    ///
    /// # Errors
    ///
    /// [`ServiceError`]; what was purged before stays purged.
    pub async fn round(&self) -> Result<Purged, ServiceError> {
        let now = self.clock.now();
        let mut total = Purged::default();
        loop {
            let batch = self.sessions.purge(now, BATCH).await?;
            total.closed += batch.closed;
            total.deleted += batch.deleted;
            if !batch.is_full {
                return Ok(total);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mocks::MockSessions;
    use mockall::Sequence;
    use otpost_testkit::{ManualClock, sample};

    #[tokio::test]
    async fn a_round_goes_on_until_a_batch_is_not_full() {
        let mut sessions = MockSessions::new();
        let mut order = Sequence::new();
        for (closed, deleted, is_full) in [(500, 0, true), (3, 0, true), (0, 7, false)] {
            sessions
                .expect_purge()
                .once()
                .in_sequence(&mut order)
                .withf(|now, limit| *now == sample::NOON && *limit == BATCH)
                .return_once(move |_, _| {
                    Ok(Purged {
                        closed,
                        deleted,
                        is_full,
                    })
                });
        }
        let janitor = Janitor {
            sessions: Arc::new(sessions),
            clock: Arc::new(ManualClock::default()),
        };

        let total = janitor.round().await.unwrap();

        assert_eq!(
            total,
            Purged {
                closed: 503,
                deleted: 7,
                is_full: false
            }
        );
    }
}
