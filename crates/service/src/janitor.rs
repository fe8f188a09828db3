//! Closing sessions whose hard end has come, and deleting those whose retention is over.

use std::sync::Arc;
use std::time::Duration;

use otpost_ports::{Clock, Purged, SessionStore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::ServiceError;

/// The most sessions closed and deleted in one commit.
const BATCH_MAX: u32 = 500;
/// The least, unless a commit is [`SLOW`]: much of what a small one takes is not the sessions'.
const BATCH_MIN: u32 = 50;
/// The least then: a purge must end, however long that takes.
const BATCH_SLOW_MIN: u32 = 10;
/// A commit that takes longer holds up others: fifty sessions took 200 ms on a disk that was busy with something
/// else.
const SLOW: Duration = Duration::from_millis(50);
/// How long one commit is to take: requests wait for it, and on `SQLite` all of them.
const COMMIT: Duration = Duration::from_millis(10);
/// After each commit it rests for so many times as long as that took: what a purge changes lies all over
/// the database, and the disk needs more time for it than the commit took.
const REST: u32 = 3;
/// The longest rest: where a commit is slow whatever is in it, a purge must end all the same.
const REST_MAX: Duration = Duration::from_millis(200);
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

    /// Purges all that is over by now, batch by batch, each as large as its time allows. After each it
    /// rests: most of the storage's time is for requests, unless the disk is very slow.
    ///
    /// # Errors
    ///
    /// [`ServiceError`]; what was purged before stays purged.
    pub async fn round(&self) -> Result<Purged, ServiceError> {
        let now = self.clock.now();
        let mut total = Purged::default();
        let mut size = BATCH_SLOW_MIN;
        loop {
            let begun = Instant::now();
            let batch = self.sessions.purge(now, size).await?;
            let took = begun.elapsed();
            total.closed += batch.closed;
            total.deleted += batch.deleted;
            if !batch.is_full {
                return Ok(total);
            }
            size = next_size(size, took);
            tokio::time::sleep((took * REST).min(REST_MAX)).await;
        }
    }
}

/// How many to purge after so many took so long: at most twice as many.
fn next_size(size: u32, took: Duration) -> u32 {
    let wanted = f64::from(size) * COMMIT.div_duration_f64(took.max(COMMIT / 2));
    // Far within the range, for both factors are.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "500 at most"
    )]
    let wanted = wanted as u32;
    let least = if took > SLOW {
        BATCH_SLOW_MIN
    } else {
        BATCH_MIN
    };
    wanted.clamp(least, BATCH_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mocks::MockSessions;
    use mockall::Sequence;
    use otpost_testkit::{ManualClock, sample};

    #[tokio::test(start_paused = true)]
    async fn a_round_goes_on_until_a_batch_is_not_full() {
        let mut sessions = MockSessions::new();
        let mut order = Sequence::new();
        for (size, closed, deleted, is_full) in
            [(10, 25, 0, true), (50, 3, 0, true), (100, 0, 7, false)]
        {
            sessions
                .expect_purge()
                .once()
                .in_sequence(&mut order)
                .withf(move |now, limit| *now == sample::NOON && *limit == size)
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
                closed: 28,
                deleted: 7,
                is_full: false
            }
        );
    }

    #[test]
    fn batches_grow_while_they_are_quick_and_shrink_when_they_are_slow() {
        for (size, millis, next) in [
            (50, 0, 100),
            (100, 5, 200),
            (100, 10, 100),
            (200, 20, 100),
            (400, 5, 500),
            (500, 50, 100),
            (100, 50, 50),
            (500, 150, 33),
            (500, 60_000, 10),
            (10, 60_000, 10),
            (10, 51, 10),
            (10, 50, 50),
        ] {
            let took = Duration::from_millis(millis);
            assert_eq!(next_size(size, took), next, "{size} in {millis} ms");
        }
    }
}
