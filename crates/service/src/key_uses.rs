//! When keys were last used: noted in memory, written down a round a minute.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use otpost_domain::{KeyId, Timestamp};
use otpost_ports::KeyStore;
use tokio_util::sync::CancellationToken;

use crate::ServiceError;

/// Time between two rounds.
const INTERVAL: Duration = Duration::from_mins(1);

/// The keys that were used since the last round. What a crash forgets is at most a minute old.
pub struct KeyUses {
    store: Arc<dyn KeyStore>,
    noted: Mutex<HashMap<KeyId, Timestamp>>,
}

impl KeyUses {
    /// Nothing noted, to be written to `store`.
    #[must_use]
    pub fn new(store: Arc<dyn KeyStore>) -> Self {
        Self {
            store,
            noted: Mutex::default(),
        }
    }

    pub(crate) fn note(&self, key: KeyId, now: Timestamp) {
        self.noted().insert(key, now);
    }

    /// Works until `stop`, a round a minute and one at the end.
    pub async fn run(&self, stop: CancellationToken) {
        loop {
            let is_over = tokio::select! {
                () = stop.cancelled() => true,
                () = tokio::time::sleep(INTERVAL) => false,
            };
            if let Err(error) = self.round().await {
                tracing::warn!(%error, "the last uses of keys could not be written down");
            }
            if is_over {
                return;
            }
        }
    }

    /// Writes down what was noted.
    ///
    /// # Errors
    ///
    /// [`ServiceError`]: then what was noted waits for the next round.
    pub async fn round(&self) -> Result<(), ServiceError> {
        let taken = std::mem::take(&mut *self.noted());
        if taken.is_empty() {
            return Ok(());
        }
        let uses: Vec<_> = taken.into_iter().collect();
        let written = self.store.note_uses(&uses).await;
        if written.is_err() {
            let mut noted = self.noted();
            for (key, at) in uses {
                noted.entry(key).or_insert(at);
            }
        }
        Ok(written?)
    }

    fn noted(&self) -> std::sync::MutexGuard<'_, HashMap<KeyId, Timestamp>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mocks::{MockKeyRows, unavailable};
    use otpost_testkit::sample::{self, NOON};

    #[tokio::test]
    async fn a_use_is_written_once_and_kept_for_another_round_when_it_cannot_be() {
        let mut store = MockKeyRows::new();
        let id = sample::key(1).id();
        let later = NOON.plus_secs(9);
        let mut order = mockall::Sequence::new();
        for answer in [Err(unavailable()), Ok(())] {
            store
                .expect_note_uses()
                .once()
                .in_sequence(&mut order)
                .withf(move |uses| uses == [(id, later)])
                .return_once(move |_| answer);
        }
        let uses = KeyUses::new(Arc::new(store));
        uses.note(id, NOON);
        uses.note(id, later);
        assert!(uses.round().await.is_err());
        assert!(uses.round().await.is_ok());
        // Nothing is left: a third write would fail the mock.
        assert!(uses.round().await.is_ok());
    }
}
