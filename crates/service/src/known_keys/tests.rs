//! Keys that are believed for a second, by a clock that tests set and one that they hold.

use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;

use otpost_testkit::sample::{self, NOON};
use otpost_testkit::{FakeVault, ManualClock, MemoryStore};
use tokio::runtime::Runtime;
use tokio::time::advance;

use super::*;

/// The last millisecond of belief.
const LAST: u32 = 999;

struct Bench {
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
    known: KnownKeys,
    id: KeyId,
}

/// With one key in force, at noon.
fn bench() -> Bench {
    let store = Arc::new(MemoryStore::new(Arc::new(FakeVault::new())));
    let clock = Arc::new(ManualClock::default());
    let record = sample::key_record(1);
    let id = record.id;
    store.edit(|tables| tables.keys.insert(id, record));
    Bench {
        known: KnownKeys::new(store.clone(), clock.clone()),
        store,
        clock,
        id,
    }
}

impl Bench {
    /// Sets the clock to so many milliseconds after noon.
    fn set(&self, millis: u32) {
        let now = NOON.as_millis() + i64::from(millis);
        self.clock.set(Timestamp::from_millis(now));
    }

    async fn find(&self) -> Result<Option<Arc<KeyRecord>>, StoreError> {
        self.known.find(&self.id).await
    }

    async fn is_in_force(&self) -> bool {
        self.find().await.unwrap().unwrap().revoked_at.is_none()
    }

    fn revoke(&self) {
        self.store.edit(|tables| {
            let key = tables.keys.get_mut(&self.id).unwrap();
            key.revoked_at = Some(NOON);
        });
    }

    /// Asks again, without an answer: from now on the others go on as long as they may.
    async fn renew_in_vain(&self) {
        self.store.fail(true);
        assert!(self.find().await.is_err());
        self.store.fail(false);
    }

    /// Begins to ask for what is not believed.
    fn ask(&self) -> Moment {
        match self.known.look_up(self.id) {
            LookedUp::Ask(now) => now,
            LookedUp::Believed(_) => panic!("it is believed"),
        }
    }

    /// What is believed without a question.
    fn believed(&self) -> Arc<KeyRecord> {
        match self.known.look_up(self.id) {
            LookedUp::Ask(_) => panic!("it is not believed"),
            LookedUp::Believed(record) => record,
        }
    }

    fn learn(&self, asked: Moment, record: &Arc<KeyRecord>) {
        self.known.learn(self.id, asked, Some(record));
    }
}

fn record(revoked_at: Option<Timestamp>) -> Arc<KeyRecord> {
    Arc::new(KeyRecord {
        revoked_at,
        ..sample::key_record(1)
    })
}

#[tokio::test(start_paused = true)]
async fn a_record_is_believed_for_a_second_and_not_a_millisecond_longer() {
    let bench = bench();
    assert!(bench.is_in_force().await);
    bench.revoke();
    bench.set(LAST);
    bench.renew_in_vain().await;
    assert!(bench.is_in_force().await);
    assert_eq!(bench.store.lookups(), 2);
    bench.set(LAST + 1);
    assert!(!bench.is_in_force().await);
    assert_eq!(bench.store.lookups(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_stands_still_does_not_prolong_the_second() {
    let bench = bench();
    assert!(bench.is_in_force().await);
    bench.revoke();
    advance(Duration::from_millis(LAST.into())).await;
    bench.renew_in_vain().await;
    assert!(bench.is_in_force().await);
    advance(Duration::from_millis(1)).await;
    assert!(!bench.is_in_force().await);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_ends_belief() {
    let bench = bench();
    bench.set(400);
    assert!(bench.is_in_force().await);
    bench.revoke();
    bench.set(399);
    bench.renew_in_vain().await;
    assert!(!bench.is_in_force().await);
}

#[tokio::test(start_paused = true)]
async fn a_second_is_counted_from_the_question_and_not_from_the_answer() {
    let bench = bench();
    let asked = bench.ask();
    bench.set(400);
    bench.learn(asked, &record(None));
    bench.set(LAST);
    bench.renew_in_vain().await;
    bench.believed();
    bench.set(LAST + 1);
    bench.ask();
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_extends_no_trust() {
    let bench = bench();
    assert!(bench.is_in_force().await);
    bench.store.fail(true);
    bench.set(499);
    assert!(bench.is_in_force().await);
    bench.set(500);
    assert!(bench.find().await.is_err());
    bench.set(LAST);
    assert!(bench.is_in_force().await);
    for later in [LAST + 1, LAST + 2, 60_000] {
        bench.set(later);
        let refused = bench.find().await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))));
    }
}

#[tokio::test(start_paused = true)]
async fn after_half_of_the_time_one_caller_asks_again_and_the_others_go_on() {
    let bench = bench();
    assert!(bench.is_in_force().await);
    bench.set(500);
    let asked = bench.ask();
    for _ in 0..3 {
        bench.believed();
    }
    bench.learn(asked, &record(None));
    bench.set(999);
    bench.believed();
    bench.set(1_000);
    bench.ask();
    bench.believed();
}

#[tokio::test(start_paused = true)]
async fn what_is_unknown_is_asked_for_each_time_and_known_as_soon_as_it_is_there() {
    let bench = bench();
    let new = sample::key_record(2);
    for _ in 0..3 {
        assert!(bench.known.find(&new.id).await.unwrap().is_none());
    }
    assert_eq!(bench.store.lookups(), 3);
    bench.store.edit(|tables| {
        tables.keys.insert(new.id, new.clone());
    });
    assert!(bench.known.find(&new.id).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_gone_is_forgotten() {
    let bench = bench();
    assert!(bench.is_in_force().await);
    bench.store.edit(|tables| tables.keys.clear());
    bench.set(500);
    for _ in 0..2 {
        assert!(bench.find().await.unwrap().is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn an_older_answer_does_not_replace_a_newer_one() {
    let bench = bench();
    let first = bench.ask();
    advance(Duration::from_millis(1)).await;
    let second = bench.ask();
    bench.learn(second, &record(None));
    bench.learn(first, &record(None));
    advance(Duration::from_millis(499)).await;
    bench.believed();
    advance(Duration::from_millis(1)).await;
    bench.ask();
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_seen_revoked_stays_so_whoever_asked_last() {
    let [in_force, revoked] = [None, Some(NOON)].map(record);
    for (first, second) in [(&in_force, &revoked), (&revoked, &in_force)] {
        let bench = bench();
        let asked_first = bench.ask();
        advance(Duration::from_millis(1)).await;
        let asked_second = bench.ask();
        bench.learn(asked_first, first);
        bench.learn(asked_second, second);
        assert_eq!(bench.believed().revoked_at, Some(NOON));
    }
}

#[tokio::test(start_paused = true)]
async fn callers_at_once_ask_each_for_themselves_and_those_after_them_do_not() {
    let bench = bench();
    let asked: Vec<_> = (0..50).map(|_| bench.ask()).collect();
    for asked in asked {
        bench.learn(asked, &record(None));
        bench.believed();
    }
}

#[tokio::test(start_paused = true)]
async fn many_keys_take_bounded_room() {
    let bench = bench();
    let asked = bench.ask();
    for number in 0..3 * KEYS_MAX {
        let id = KeyId::parse(&format!("{number:08}")).unwrap();
        bench.known.learn(id, asked, Some(&record(None)));
        assert!(bench.known.known().len() <= KEYS_MAX);
        let looked_up = bench.known.look_up(id);
        assert!(matches!(looked_up, LookedUp::Believed(_)), "{number}");
    }
}

#[test]
fn no_thread_believes_a_revoked_key_for_longer_however_they_and_the_clock_run() {
    let runtime = Runtime::new().unwrap();
    for _ in 0..100 {
        let bench = bench();
        let revoked_at = AtomicI64::new(i64::MAX);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    loop {
                        let now = bench.clock.now().as_millis();
                        let age = now.saturating_sub(revoked_at.load(Ordering::SeqCst));
                        let is_in_force = runtime.block_on(bench.is_in_force());
                        assert!(!is_in_force || age < 1_000, "believed for {age} ms");
                        if age >= 1_000 {
                            return;
                        }
                    }
                });
            }
            for millis in 1..=2_000 {
                bench.set(millis);
                if millis == 700 {
                    bench.revoke();
                    let now = bench.clock.now().as_millis();
                    revoked_at.store(now, Ordering::SeqCst);
                }
            }
        });
    }
}
