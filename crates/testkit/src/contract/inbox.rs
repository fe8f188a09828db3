//! The promises of [`Inbox`](otpost_ports::Inbox), and of the courier that fills it.

use std::time::Duration;

use otpost_domain::Address;
use otpost_ports::{CapturedMessage, InboxFilter, Letter};

use super::Mailbox;
use crate::sample;

/// Far longer than an arrival takes, and the length of a test of an inbox that never wakes anyone.
const PATIENCE: Duration = Duration::from_secs(3);

/// A captured message shows the letter as its reader would see it.
pub async fn a_captured_message_is_listed_as_it_was_sent(mailbox: &Mailbox) {
    let letter = sample::letter(1, "482913");
    mailbox.capture(&letter).await;

    let [message] = &mailbox.list(&InboxFilter::default()).await[..] else {
        panic!("one message was captured")
    };
    assert_eq!(message.to, "person@example.com");
    assert_eq!(message.session_id, letter.session.to_string());
    assert_eq!(message.template, "login");
    assert_eq!(message.code, "482913");
    assert_eq!(message.received_at, letter.now);
    for (part, text) in [
        ("subject", &message.subject),
        ("text", &message.text),
        ("html", &message.html),
        ("source", &message.source),
    ] {
        assert!(text.contains("482913"), "no code in its {part}: {text}");
    }
    let is_subject = |(name, _): &&(String, String)| name.eq_ignore_ascii_case("subject");
    assert_eq!(message.headers.iter().filter(is_subject).count(), 1);
}

/// Whatever came last is on top, and no two messages have one identifier.
pub async fn the_newest_message_comes_first(mailbox: &Mailbox) {
    for number in [1, 2, 3] {
        mailbox.capture(&sample::letter(number, "482913")).await;
    }

    let messages = mailbox.list(&InboxFilter::default()).await;
    let sessions: Vec<_> = messages.iter().map(|one| one.session_id.clone()).collect();
    assert_eq!(sessions, [3, 2, 1].map(session));
    let mut ids: Vec<_> = messages.into_iter().map(|message| message.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

/// Asked for an address, it shows the messages to exactly that one.
pub async fn messages_are_filtered_by_the_whole_address(mailbox: &Mailbox) {
    for (number, to) in [
        (1, "a@example.com"),
        (2, "aa@example.com"),
        (3, "a@example.co"),
    ] {
        let to = Address::parse(to).unwrap();
        let letter = sample::letter(number, "482913");
        mailbox.capture(&Letter { to, ..letter }).await;
    }

    let filter = InboxFilter {
        to: Some("a@example.com".to_owned()),
        session_id: None,
    };
    assert_eq!(mailbox.sessions(&filter).await, [session(1)]);
}

/// Asked for a session, it shows the messages of that one.
pub async fn messages_are_filtered_by_session(mailbox: &Mailbox) {
    for number in [1, 2] {
        mailbox.capture(&sample::letter(number, "482913")).await;
    }

    let filter = InboxFilter {
        to: None,
        session_id: Some(session(1)),
    };
    assert_eq!(mailbox.sessions(&filter).await, [session(1)]);
    let both = InboxFilter {
        to: Some("nobody@example.com".to_owned()),
        ..filter
    };
    assert_eq!(mailbox.sessions(&both).await, Vec::<String>::new());
}

/// The one that is named is removed, once, and no other.
pub async fn a_removed_message_is_gone_and_the_others_stay(mailbox: &Mailbox) {
    for number in [1, 2, 3] {
        mailbox.capture(&sample::letter(number, "482913")).await;
    }
    let messages = mailbox.list(&InboxFilter::default()).await;
    let second = messages.iter().find(|one| one.session_id == session(2));
    let id = second.unwrap().id.clone();
    let others = async || {
        let mut sessions = mailbox.sessions(&InboxFilter::default()).await;
        sessions.sort_unstable();
        sessions
    };

    assert!(mailbox.inbox.remove(&id).await.unwrap());
    assert_eq!(others().await, [1, 3].map(session));
    assert!(!mailbox.inbox.remove(&id).await.unwrap());
    assert!(!mailbox.inbox.remove("nothing").await.unwrap());
    assert_eq!(others().await, [1, 3].map(session));
}

/// A cleared inbox is empty, and works on.
pub async fn a_cleared_inbox_is_empty_and_takes_new_messages(mailbox: &Mailbox) {
    for number in [1, 2] {
        mailbox.capture(&sample::letter(number, "482913")).await;
    }

    mailbox.inbox.clear().await.unwrap();
    let all = InboxFilter::default();
    assert_eq!(mailbox.sessions(&all).await, Vec::<String>::new());

    mailbox.capture(&sample::letter(3, "482913")).await;
    assert_eq!(mailbox.sessions(&all).await, [session(3)]);
}

/// Whoever waits when a message arrives is woken, and then finds it.
pub async fn an_arrival_wakes_whoever_waits(mailbox: &Mailbox) {
    let letter = sample::letter(1, "482913");
    let seen = mailbox.inbox.revision();

    // The wait begins first: the branches are polled in this order.
    let (woken, ()) = tokio::join!(biased;
        tokio::time::timeout(PATIENCE, mailbox.inbox.changed_since(seen)),
        mailbox.capture(&letter),
    );

    assert!(woken.is_ok(), "nobody was woken");
    let all = InboxFilter::default();
    assert_eq!(mailbox.sessions(&all).await, [session(1)]);
}

/// An arrival between the look and the wait is not missed, nor is one that was cleared since.
pub async fn an_arrival_before_the_wait_is_not_missed(mailbox: &Mailbox) {
    for number in [1, 2] {
        let seen = mailbox.inbox.revision();
        mailbox.capture(&sample::letter(number, "482913")).await;

        let missed = mailbox.inbox.changed_since(seen);
        let told = tokio::time::timeout(PATIENCE, missed).await;
        assert!(told.is_ok(), "arrival {number} was missed");
        mailbox.inbox.clear().await.unwrap();
    }
}

/// Whoever waits learns that a message was removed, or all of them.
pub async fn a_removal_wakes_whoever_waits(mailbox: &Mailbox) {
    for number in [1, 2] {
        mailbox.capture(&sample::letter(number, "482913")).await;
    }
    let id = mailbox.list(&InboxFilter::default()).await[0].id.clone();

    let seen = mailbox.inbox.revision();
    mailbox.inbox.remove(&id).await.unwrap();
    let removed = tokio::time::timeout(PATIENCE, mailbox.inbox.changed_since(seen)).await;
    assert!(removed.is_ok(), "the removal was missed");

    let seen = mailbox.inbox.revision();
    mailbox.inbox.clear().await.unwrap();
    let cleared = tokio::time::timeout(PATIENCE, mailbox.inbox.changed_since(seen)).await;
    assert!(cleared.is_ok(), "the clearing was missed");
}

/// Nobody is woken before anything happens.
pub async fn a_quiet_inbox_wakes_nobody(mailbox: &Mailbox) {
    mailbox.capture(&sample::letter(1, "482913")).await;
    let seen = mailbox.inbox.revision();
    mailbox.list(&InboxFilter::default()).await;

    assert_eq!(mailbox.inbox.revision(), seen);
    let wait = mailbox.inbox.changed_since(seen);
    let woken = tokio::time::timeout(Duration::from_millis(50), wait).await;
    assert!(woken.is_err(), "woken for nothing");
}

impl Mailbox {
    async fn capture(&self, letter: &Letter) {
        self.courier.deliver(letter).await.unwrap();
    }

    async fn list(&self, filter: &InboxFilter) -> Vec<CapturedMessage> {
        self.inbox.list(filter).await.unwrap()
    }

    async fn sessions(&self, filter: &InboxFilter) -> Vec<String> {
        let messages = self.list(filter).await.into_iter();
        messages.map(|message| message.session_id).collect()
    }
}

fn session(number: u8) -> String {
    sample::session_id(number, sample::NOON).to_string()
}
