//! Inboxes with one flaw each.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use otpost_ports::{
    CapturedMessage, Courier, DeliveryError, Inbox, InboxError, InboxFilter, Letter,
};
use otpost_testkit::contract::Mailbox;
use otpost_testkit::{MemoryInbox, inbox_contract};

use crate::{Control, assert_complete};

/// What is wrong with an inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    LosesTheCode,
    ListsTheOldestFirst,
    FindsPartsOfAnAddress,
    IgnoresTheSession,
    RemovesTheNewest,
    ClearsNothing,
    HidesRemovals,
    NeverWakes,
    MissesArrivals,
    WakesAtOnce,
}

const CONTROLS: &[Control<Flaw>] = &[
    (
        Flaw::LosesTheCode,
        &["a_captured_message_is_listed_as_it_was_sent"],
    ),
    (
        Flaw::ListsTheOldestFirst,
        &["the_newest_message_comes_first"],
    ),
    (
        Flaw::FindsPartsOfAnAddress,
        &["messages_are_filtered_by_the_whole_address"],
    ),
    (
        Flaw::IgnoresTheSession,
        &["messages_are_filtered_by_session"],
    ),
    (
        Flaw::RemovesTheNewest,
        &["a_removed_message_is_gone_and_the_others_stay"],
    ),
    (
        Flaw::ClearsNothing,
        &[
            "a_cleared_inbox_is_empty_and_takes_new_messages",
            "a_removal_wakes_whoever_waits",
        ],
    ),
    (Flaw::HidesRemovals, &["a_removal_wakes_whoever_waits"]),
    (
        Flaw::NeverWakes,
        &[
            "an_arrival_wakes_whoever_waits",
            "an_arrival_before_the_wait_is_not_missed",
            "a_removal_wakes_whoever_waits",
        ],
    ),
    (
        Flaw::MissesArrivals,
        &[
            "an_arrival_before_the_wait_is_not_missed",
            "a_removal_wakes_whoever_waits",
        ],
    ),
    (Flaw::WakesAtOnce, &["a_quiet_inbox_wakes_nobody"]),
];

struct Flawed {
    flaw: Option<Flaw>,
    inner: MemoryInbox,
    /// Changes that nobody is told of.
    hidden: AtomicU64,
}

impl Flawed {
    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }
}

#[async_trait]
impl Inbox for Flawed {
    async fn list(&self, filter: &InboxFilter) -> Result<Vec<CapturedMessage>, InboxError> {
        let mut inner_filter = filter.clone();
        if self.has(Flaw::IgnoresTheSession) {
            inner_filter.session_id = None;
        }
        if self.has(Flaw::FindsPartsOfAnAddress) {
            inner_filter.to = None;
        }
        let mut messages = self.inner.list(&inner_filter).await?;
        if self.has(Flaw::FindsPartsOfAnAddress) {
            let part = filter.to.clone().unwrap_or_default();
            messages.retain(|message| message.to.contains(&part));
        }
        if self.has(Flaw::ListsTheOldestFirst) {
            messages.reverse();
        }
        if self.has(Flaw::LosesTheCode) {
            for message in &mut messages {
                message.code.clear();
            }
        }
        Ok(messages)
    }

    fn revision(&self) -> u64 {
        self.inner.revision() - self.hidden.load(Ordering::SeqCst)
    }

    async fn changed_since(&self, seen: u64) {
        match self.flaw {
            Some(Flaw::NeverWakes) => std::future::pending().await,
            Some(Flaw::MissesArrivals) => self.inner.changed_since(self.revision()).await,
            Some(Flaw::WakesAtOnce) => {}
            _ => {
                let hidden = self.hidden.load(Ordering::SeqCst);
                self.inner.changed_since(seen + hidden).await;
            }
        }
    }

    async fn remove(&self, id: &str) -> Result<bool, InboxError> {
        let newest = self.inner.list(&InboxFilter::default()).await?;
        let newest = newest.first().map(|message| message.id.clone());
        let id = match newest {
            Some(newest) if self.has(Flaw::RemovesTheNewest) => newest,
            _ => id.to_owned(),
        };
        let is_removed = self.inner.remove(&id).await?;
        if self.has(Flaw::HidesRemovals) && is_removed {
            self.hidden.fetch_add(1, Ordering::SeqCst);
        }
        Ok(is_removed)
    }

    async fn clear(&self) -> Result<(), InboxError> {
        if self.has(Flaw::ClearsNothing) {
            Ok(())
        } else {
            self.inner.clear().await
        }
    }
}

#[async_trait]
impl Courier for Flawed {
    async fn deliver(&self, letter: &Letter) -> Result<(), DeliveryError> {
        self.inner.deliver(letter).await
    }
}

#[expect(
    clippy::unused_async,
    reason = "the form in which a suite asks for an adapter"
)]
async fn mailbox(flaw: Option<Flaw>) -> ((), Mailbox) {
    let inner = MemoryInbox::new();
    let hidden = AtomicU64::new(0);
    let flawed = Flawed {
        flaw,
        inner,
        hidden,
    };
    ((), Mailbox::of(Arc::new(flawed)))
}

#[tokio::test]
async fn each_flaw_breaks_just_the_promises_that_it_should() {
    for (flaw, promises) in CONTROLS {
        let flaw = Some(*flaw);
        let broken = inbox_contract!(@list __contract_broken { mailbox(flaw) });
        assert_eq!(broken, *promises, "{flaw:?}");
    }
}

#[tokio::test]
async fn an_inbox_without_a_flaw_breaks_nothing() {
    let broken: Vec<&str> = inbox_contract!(@list __contract_broken { mailbox(None) });
    assert_eq!(broken, Vec::<&str>::new());
}

#[test]
fn each_promise_is_broken_by_some_flaw() {
    assert_complete(&inbox_contract!(@list __contract_names {}), CONTROLS);
}
