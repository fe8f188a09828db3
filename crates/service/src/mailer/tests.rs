//! The mailer over an outbox in memory and a courier that does as it is told.

use std::sync::Arc;
use std::time::Duration;

use otpost_domain::Mode;
use otpost_ports::{
    Admitted, Applied, DeliveryError, DeliveryState, Opening, Outbox, OutboxQuery, Reply,
    SessionStore, StoredSession,
};
use otpost_testkit::{
    FakeVault, ManualClock, MemoryStore, Reaction, RecordingCourier, SeededEntropy, sample,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Mailer, MailerSettings, Slot, Slots};

struct Bench {
    store: Arc<MemoryStore>,
    vault: Arc<FakeVault>,
    clock: Arc<ManualClock>,
    live: Arc<RecordingCourier>,
    test: Arc<RecordingCourier>,
    slots: Arc<Slots>,
    stop: CancellationToken,
}

impl Bench {
    fn new() -> Self {
        let vault = Arc::new(FakeVault::new());
        Self {
            store: Arc::new(MemoryStore::new(vault.clone())),
            vault,
            clock: Arc::new(ManualClock::default()),
            live: Arc::new(RecordingCourier::new()),
            test: Arc::new(RecordingCourier::new()),
            slots: slots(),
            stop: CancellationToken::new(),
        }
    }

    fn mailer(&self) -> Mailer {
        Mailer {
            outbox: self.store.clone(),
            vault: self.vault.clone(),
            entropy: Arc::new(SeededEntropy::new(3)),
            clock: self.clock.clone(),
            live: self.live.clone(),
            test: self.test.clone(),
            slots: self.slots.clone(),
            settings: MailerSettings::default(),
        }
    }

    fn start(&self) -> JoinHandle<()> {
        let (mailer, stop) = (self.mailer(), self.stop.clone());
        tokio::spawn(async move { mailer.run(stop).await })
    }

    async fn open(&self, number: u8) -> Opening {
        let opening = sample::opening(&*self.vault, number);
        let opened = self.store.open(opening.clone()).await;
        assert!(matches!(opened, Ok(Admitted::Open(_))), "{opened:?}");
        self.slots.announce();
        opening
    }

    /// Keeps a slot free for the mail of a session, and commits both under its lease.
    async fn open_with_a_slot(&self, number: u8) -> Slot {
        let opening = sample::opening(&*self.vault, number);
        let slot = self
            .slots
            .reserve(&opening, &SeededEntropy::new(number.into()));
        let slot = slot.unwrap().expect("a slot is free");
        let opening = Opening {
            lease: Some(slot.lease()),
            ..opening
        };
        let opened = self.store.open(opening).await;
        assert!(matches!(opened, Ok(Admitted::Open(_))), "{opened:?}");
        slot
    }

    /// Waits until the mail of the only session is as `wanted`.
    async fn until(&self, wanted: impl Fn(&StoredSession) -> bool) -> StoredSession {
        tokio::time::timeout(Duration::from_mins(2), async {
            loop {
                let stored = self.store.sessions().pop().unwrap();
                if wanted(&stored) {
                    return stored;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
        .expect("the mail never got there")
    }
}

fn slots() -> Arc<Slots> {
    Arc::new(Slots::new(&MailerSettings::default()))
}

fn transient() -> Reaction {
    Reaction::Refuse(DeliveryError::Transient {
        cause: "mailbox busy".into(),
        reply: Some(Reply {
            code: 450,
            enhanced: None,
        }),
    })
}

fn is(state: DeliveryState) -> impl Fn(&StoredSession) -> bool {
    move |stored| stored.delivery.state == state
}

#[tokio::test(start_paused = true)]
async fn a_queued_mail_carries_the_code_in_force_and_is_sent_once() {
    let bench = Bench::new();
    let opening = bench.open(1).await;
    let worker = bench.start();

    bench.until(is(DeliveryState::Sent)).await;
    tokio::time::sleep(Duration::from_secs(5)).await;

    let letters = bench.live.letters();
    assert_eq!(letters.len(), 1);
    let code = sample::code(&*bench.vault, &opening, 0);
    assert!(letters[0].code.matches(&code));
    assert_eq!(letters[0].to, sample::address());
    assert_eq!(letters[0].variables["device"], "Firefox");
    assert_eq!(letters[0].expires_at, opening.session.expires_at());
    assert!(bench.test.letters().is_empty());
    bench.stop.cancel();
    worker.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_mail_that_is_not_taken_yet_is_tried_again_when_it_is_due() {
    let bench = Bench::new();
    bench.live.react([transient(), transient()]);
    bench.open(1).await;
    let _worker = bench.start();

    let once = bench.until(|stored| stored.delivery.tries == 1).await;
    assert_eq!(once.delivery.due_at, sample::NOON.plus_secs(1));
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(bench.live.letters().len(), 1, "tried before it was due");

    bench.clock.advance(1);
    let twice = bench.until(|stored| stored.delivery.tries == 2).await;
    assert_eq!(twice.delivery.due_at, sample::NOON.plus_secs(5));

    bench.clock.advance(4);
    bench.until(is(DeliveryState::Sent)).await;
    let letters = bench.live.letters();
    assert_eq!(letters.len(), 3);
    assert!(
        letters
            .iter()
            .all(|letter| letter.message == letters[0].message)
    );
    assert!(
        letters
            .iter()
            .all(|letter| letter.code.matches(&letters[0].code))
    );
}

#[tokio::test(start_paused = true)]
async fn a_mail_that_is_refused_is_never_tried_again() {
    let bench = Bench::new();
    let reply = Some(Reply {
        code: 550,
        enhanced: Some((5, 1, 1)),
    });
    bench
        .live
        .react([Reaction::Refuse(DeliveryError::Permanent {
            cause: "no such user".into(),
            reply,
        })]);
    bench.open(1).await;
    let _worker = bench.start();

    bench.until(is(DeliveryState::Failed)).await;
    bench.clock.advance(60);
    tokio::time::sleep(Duration::from_secs(5)).await;

    assert_eq!(bench.live.letters().len(), 1);
    assert_eq!(
        bench.store.list(OutboxQuery::any(10)).await.unwrap()[0].reply,
        reply
    );
}

#[tokio::test(start_paused = true)]
async fn a_try_that_takes_too_long_is_given_up_and_repeated() {
    let bench = Bench::new();
    bench.live.react([Reaction::Hang]);
    bench.open(1).await;
    let _worker = bench.start();

    bench.until(|stored| stored.delivery.tries == 1).await;
    bench.clock.advance(1);
    bench.until(is(DeliveryState::Sent)).await;
}

#[tokio::test(start_paused = true)]
async fn a_hanging_try_does_not_hold_up_the_next_mail() {
    let bench = Bench::new();
    bench.live.react([Reaction::Hang]);
    bench.open(1).await;
    let _worker = bench.start();
    bench.live.wait_for(1).await;

    bench.open(2).await;

    let letters = bench.live.wait_for(2).await;
    assert_ne!(letters[0].session, letters[1].session);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_mailed_when_the_code_is_too_late() {
    let bench = Bench::new();
    let opening = bench.open(1).await;
    bench.clock.set(opening.session.expires_at());
    let _worker = bench.start();

    bench.until(is(DeliveryState::Failed)).await;
    assert!(bench.live.letters().is_empty());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_mailed_to_a_session_that_is_verified() {
    let bench = Bench::new();
    let opening = bench.open(1).await;
    let code = sample::code(&*bench.vault, &opening, 0);
    let command = sample::submit(&code, sample::NOON);
    let applied = bench.store.apply(opening.session.id(), command).await;
    assert!(matches!(applied, Ok(Applied::Judged(_))), "{applied:?}");
    let _worker = bench.start();

    bench.until(is(DeliveryState::Failed)).await;
    assert!(bench.live.letters().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_mail_fails_when_no_try_is_left_that_would_be_of_use() {
    let bench = Bench::new();
    bench.live.react([transient()]);
    bench.open(1).await;
    bench.clock.advance(275);
    let _worker = bench.start();

    bench.until(is(DeliveryState::Failed)).await;
    assert_eq!(bench.live.letters().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_resend_during_the_last_try_gives_the_mail_another() {
    let bench = Bench::new();
    bench.live.react([Reaction::Hang]);
    let opening = bench.open(1).await;
    bench.clock.advance(275);
    let _worker = bench.start();
    bench.live.wait_for(1).await;

    bench.clock.advance(5);
    let resend = sample::resend(2, sample::NOON.plus_secs(280));
    let applied = bench.store.apply(opening.session.id(), resend).await;
    let Ok(Applied::Judged(judged)) = applied else {
        panic!("{applied:?}")
    };
    let expires_at = judged.stored.session.expires_at();

    bench.until(is(DeliveryState::Sent)).await;
    let letters = bench.live.letters();
    assert_eq!(letters.len(), 2);
    assert_eq!(letters[1].expires_at, expires_at);
}

#[tokio::test(start_paused = true)]
async fn a_mail_without_a_turn_was_not_tried() {
    let bench = Bench::new();
    let busy = || {
        Reaction::Refuse(DeliveryError::Busy {
            cause: "no connection is free".into(),
            wait: Duration::from_secs(7),
        })
    };
    bench.live.react([busy(), busy()]);
    bench.open(1).await;
    let _worker = bench.start();

    for seconds in [7, 14] {
        let due_at = sample::NOON.plus_secs(seconds);
        let waiting = bench.until(|stored| stored.delivery.due_at == due_at).await;
        assert_eq!(waiting.delivery.tries, 0);
        bench.clock.advance(7);
    }
    let sent = bench.until(is(DeliveryState::Sent)).await;
    assert_eq!(sent.delivery.tries, 1);
}

#[tokio::test(start_paused = true)]
async fn a_try_ends_when_the_code_is_too_late() {
    let bench = Bench::new();
    bench.live.react([Reaction::Hang]);
    bench.open(1).await;
    bench.clock.advance(295);
    let _worker = bench.start();
    bench.live.wait_for(1).await;
    let started = tokio::time::Instant::now();

    bench.until(is(DeliveryState::Failed)).await;

    assert!(started.elapsed() < Duration::from_secs(6));
    assert_eq!(bench.live.letters().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_mail_of_a_test_key_goes_to_the_courier_of_tests() {
    let bench = Bench::new();
    let mut opening = sample::opening(&*bench.vault, 1);
    opening.context.owner.mode = Mode::Test;
    let opened = bench.store.open(opening).await;
    assert!(matches!(opened, Ok(Admitted::Open(_))), "{opened:?}");
    let _worker = bench.start();

    let letters = bench.test.wait_for(1).await;
    assert_eq!(letters[0].code.reveal(), "424242");
    bench.until(is(DeliveryState::Sent)).await;
    assert!(bench.live.letters().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_mail_that_was_sent_is_settled_when_the_storage_is_back() {
    let bench = Bench::new();
    let second = Duration::from_secs(1);
    bench.live.react([Reaction::TakeAfter(second)]);
    bench.open(1).await;
    let _worker = bench.start();
    bench.live.wait_for(1).await;
    bench.store.fail(true);
    tokio::time::sleep(3 * second).await;
    bench.until(is(DeliveryState::Queued)).await;

    bench.store.fail(false);

    bench.until(is(DeliveryState::Sent)).await;
    assert_eq!(bench.live.letters().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stop_gives_back_the_lease_of_what_it_cannot_finish() {
    let bench = Bench::new();
    bench.live.react([Reaction::Hang]);
    bench.open(1).await;
    let worker = bench.start();
    bench.live.wait_for(1).await;

    bench.stop.cancel();
    worker.await.unwrap();

    let other = Bench {
        slots: slots(),
        stop: CancellationToken::new(),
        ..bench
    };
    let _worker = other.start();
    other.until(is(DeliveryState::Sent)).await;
    assert_eq!(other.live.letters().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_mail_that_was_committed_for_a_slot_is_sent_once_by_who_holds_its_lease() {
    let bench = Bench::new();
    let worker = bench.start();
    let slot = bench.open_with_a_slot(1).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(
        bench.live.letters().is_empty(),
        "nobody said it is committed"
    );

    slot.hand_over();

    bench.until(is(DeliveryState::Sent)).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(bench.live.letters().len(), 1);
    bench.stop.cancel();
    worker.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_mail_whose_caller_left_does_not_wait_for_the_end_of_its_lease() {
    let bench = Bench::new();
    let _worker = bench.start();
    let left = tokio::time::Instant::now();
    drop(bench.open_with_a_slot(1).await);

    bench.until(is(DeliveryState::Sent)).await;

    assert!(
        left.elapsed() < Duration::from_secs(5),
        "{:?}",
        left.elapsed()
    );
    assert_eq!(bench.live.letters().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_mails_that_are_being_committed_and_gives_them_back() {
    let bench = Bench::new();
    let worker = bench.start();
    let slot = bench.open_with_a_slot(1).await;
    bench.stop.cancel();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!worker.is_finished());

    slot.hand_over();
    worker.await.unwrap();

    assert!(bench.live.letters().is_empty());
    let due = bench.store.edit(|tables| tables.due(sample::NOON).len());
    assert_eq!(due, 1, "it is anyone's");
    let late = sample::opening(&*bench.vault, 2);
    let slot = bench.slots.reserve(&late, &SeededEntropy::new(2));
    assert!(slot.unwrap().is_none(), "nobody would take it");
}

#[tokio::test(start_paused = true)]
async fn mails_that_wait_come_before_those_that_are_just_being_queued() {
    let bench = Bench::new();
    let next = sample::opening(&*bench.vault, 200);
    let reserve = || {
        bench
            .slots
            .reserve(&next, &SeededEntropy::new(200))
            .unwrap()
    };
    let mut slots: Vec<_> = std::iter::from_fn(reserve).collect();
    assert_eq!(slots.len(), MailerSettings::default().tries_at_once);
    bench.open(1).await;

    // One is free, and is not for who comes next.
    slots.pop().unwrap().give_back();
    assert!(reserve().is_none());

    let _worker = bench.start();
    bench.until(is(DeliveryState::Sent)).await;
    bench.slots.announce();
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert!(reserve().is_some());
}

#[test]
fn as_many_mails_as_are_ever_handed_out_at_once_say_that_more_may_wait() {
    let (vault, slots) = (FakeVault::new(), slots());
    let next = sample::opening(&vault, 1);
    let is_reserved = || {
        let slot = slots.reserve(&next, &SeededEntropy::new(1)).unwrap();
        slot.map(Slot::give_back).is_some()
    };
    let most = MailerSettings::default().tries_at_once / 2;
    for (wanted, found, expected) in [
        (most, most, false),
        (3, 3, false),
        (3, 2, true),
        (3, 3, true),
        (most, most, false),
        (most, 0, true),
    ] {
        slots.note_handed_out(wanted, found);
        assert_eq!(is_reserved(), expected, "{found} of {wanted}");
    }
}
