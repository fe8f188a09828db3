//! What was read of keys not long ago, so that a request seldom has to ask the database.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use otpost_domain::{KeyId, Timestamp};
use otpost_ports::{Clock, KeyRecord, KeyStore, StoreError};
use tokio::time::Instant;

/// How long a record is believed, from the moment at which it was asked for: after this time a
/// revocation is seen by every node.
const BELIEVED_FOR: Duration = Duration::from_secs(1);
/// The age of a record at which one caller asks again, while the others go on with it: early
/// enough that the answer is usually there before the record is too old for them.
const RENEWED_AT: Duration = Duration::from_millis(500);
/// The most keys that are remembered.
const KEYS_MAX: usize = 10_000;

/// The records of keys, each believed for a second at most. What is unknown is not remembered: a
/// new key works at once.
pub(crate) struct KnownKeys {
    store: Arc<dyn KeyStore>,
    clock: Arc<dyn Clock>,
    known: Mutex<HashMap<KeyId, Answer>>,
}

/// What the database said of a key.
struct Answer {
    record: Arc<KeyRecord>,
    asked: Moment,
    /// Whether somebody asks again.
    is_renewed: bool,
}

/// What is known of a key.
enum LookedUp {
    Believed(Arc<KeyRecord>),
    /// To be asked for now.
    Ask(Moment),
}

/// A moment by two clocks: the one that everything is judged by can be set, or stand still.
#[derive(Clone, Copy)]
struct Moment {
    shown: Timestamp,
    passed: Instant,
}

impl Moment {
    /// The time until `later` by the clock that says more; `None` when the one was set back.
    fn until(self, later: Self) -> Option<Duration> {
        let by_the_other = later.passed.duration_since(self.passed);
        let by_the_one = self.shown.until(later.shown);
        (self.shown <= later.shown).then(|| by_the_one.max(by_the_other))
    }
}

impl KnownKeys {
    pub(crate) fn new(store: Arc<dyn KeyStore>, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            clock,
            known: Mutex::default(),
        }
    }

    /// What is kept of this key: read for this call, or asked for less than [`BELIEVED_FOR`] ago.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`], when the database had to be asked.
    pub(crate) async fn find(&self, id: &KeyId) -> Result<Option<Arc<KeyRecord>>, StoreError> {
        let asked = match self.look_up(*id) {
            LookedUp::Believed(record) => return Ok(Some(record)),
            LookedUp::Ask(now) => now,
        };
        let found = self.store.find_key(id).await?.map(Arc::new);
        self.learn(*id, asked, found.as_ref());
        Ok(found)
    }

    fn look_up(&self, id: KeyId) -> LookedUp {
        let mut known = self.known();
        // Under the lock, or who is slow to take it would be taken for a clock that was set back.
        let now = Moment {
            shown: self.clock.now(),
            passed: Instant::now(),
        };
        if let Some(answer) = known.get_mut(&id) {
            let age = answer.asked.until(now);
            let is_due = age.is_none_or(|age| age >= RENEWED_AT) && !answer.is_renewed;
            if age.is_some_and(|age| age < BELIEVED_FOR) && !is_due {
                return LookedUp::Believed(Arc::clone(&answer.record));
            }
            answer.is_renewed = true;
        }
        LookedUp::Ask(now)
    }

    fn learn(&self, id: KeyId, asked: Moment, found: Option<&Arc<KeyRecord>>) {
        let mut known = self.known();
        let Some(record) = found else {
            known.remove(&id);
            return;
        };
        // A key is revoked for good: who saw it revoked saw it later, whoever asked first.
        let rank = |record: &KeyRecord, asked: Moment| (record.revoked_at.is_some(), asked.passed);
        let kept = known.get(&id).map(|kept| rank(&kept.record, kept.asked));
        if kept.is_some_and(|kept| kept > rank(record, asked)) {
            return;
        }
        if known.len() >= KEYS_MAX && !known.contains_key(&id) {
            // They are read again as they come.
            known.clear();
        }
        let answer = Answer {
            record: Arc::clone(record),
            asked,
            is_renewed: false,
        };
        known.insert(id, answer);
    }

    fn known(&self) -> MutexGuard<'_, HashMap<KeyId, Answer>> {
        // Each change is one step: what a panic left behind is whole.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
