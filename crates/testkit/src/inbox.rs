//! A development inbox in memory, with the courier that fills it.

use async_trait::async_trait;
use otpost_domain::{Language, TemplateName, Timestamp};
use otpost_ports::{
    CapturedMessage, Courier, DeliveryError, Inbox, InboxError, InboxFilter, Letter, Preview,
};
use tokio::sync::watch;

use crate::sample;

/// Captures letters in memory, and shows them.
#[derive(Debug)]
pub struct MemoryInbox {
    drawer: watch::Sender<Drawer>,
}

#[derive(Debug, Default)]
struct Drawer {
    messages: Vec<CapturedMessage>,
    revision: u64,
    arrivals: u64,
}

impl MemoryInbox {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self {
            drawer: watch::Sender::new(Drawer::default()),
        }
    }
}

impl Default for MemoryInbox {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Inbox for MemoryInbox {
    async fn list(&self, filter: &InboxFilter) -> Result<Vec<CapturedMessage>, InboxError> {
        let drawer = self.drawer.borrow();
        let newest_first = drawer.messages.iter().rev();
        let asked = newest_first.filter(|message| filter.takes(message));
        Ok(asked.cloned().collect())
    }

    fn revision(&self) -> u64 {
        self.drawer.borrow().revision
    }

    async fn changed_since(&self, seen: u64) {
        let mut drawer = self.drawer.subscribe();
        // An error means that the sender is gone, and it is in `self`.
        let _ = drawer.wait_for(|drawer| drawer.revision != seen).await;
    }

    async fn remove(&self, id: &str) -> Result<bool, InboxError> {
        Ok(self.drawer.send_if_modified(|drawer| {
            let before = drawer.messages.len();
            drawer.messages.retain(|message| message.id != id);
            let is_removed = drawer.messages.len() < before;
            drawer.revision += u64::from(is_removed);
            is_removed
        }))
    }

    async fn clear(&self) -> Result<(), InboxError> {
        self.drawer.send_modify(|drawer| {
            drawer.revision += 1;
            drawer.messages.clear();
        });
        Ok(())
    }
}

#[async_trait]
impl Courier for MemoryInbox {
    async fn deliver(&self, letter: &Letter) -> Result<(), DeliveryError> {
        self.drawer.send_modify(|drawer| {
            drawer.revision += 1;
            drawer.arrivals += 1;
            drawer
                .messages
                .push(capture(drawer.arrivals.to_string(), letter));
        });
        Ok(())
    }
}

/// Two templates in a language of each direction.
impl Preview for MemoryInbox {
    fn templates(&self) -> Vec<TemplateName> {
        let names = ["login", "signup"].map(TemplateName::parse);
        names.into_iter().flatten().collect()
    }

    fn languages(&self) -> Vec<Language> {
        ["en", "ar"].map(Language::new).to_vec()
    }

    fn message(
        &self,
        template: &TemplateName,
        language: &Language,
        now: Timestamp,
    ) -> Result<CapturedMessage, DeliveryError> {
        let letter = Letter {
            template: template.clone(),
            language: language.clone(),
            now,
            ..sample::letter(1, "482913")
        };
        Ok(capture("preview".to_owned(), &letter))
    }
}

fn capture(id: String, letter: &Letter) -> CapturedMessage {
    let subject = format!("{} is your code", letter.code.reveal());
    CapturedMessage {
        id,
        to: letter.to.as_str().to_owned(),
        session_id: letter.session.to_string(),
        template: letter.template.to_string(),
        code: letter.code.reveal().to_owned(),
        text: format!("Your code is\n{}\n", letter.code.reveal()),
        html: format!("<p>Your code is <bdi>{}</bdi></p>", letter.code.reveal()),
        headers: vec![("Subject".to_owned(), subject.clone())],
        source: format!("Subject: {subject}\r\n\r\nYour code is\r\n"),
        subject,
        received_at: letter.now,
    }
}
