//! The inbox of a development run: messages are caught, kept on disk, and shown.

mod disk;
mod preview;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use otpost_ports::{
    CapturedMessage, Courier, DeliveryError, Inbox, InboxError, InboxFilter, Letter,
};
use tokio::sync::watch;

use crate::{Message, Renderer};
use disk::{Filed, Folder};

/// Keeps every message in a folder, one file each, and an index of them in memory.
///
/// A message counts as sent when its file is on disk, name and all: it is there after `kill -9`
/// and after a power cut. Delivered again, it is still there once.
pub struct CaptureInbox {
    renderer: Arc<Renderer>,
    kept: Arc<Kept>,
}

struct Kept {
    folder: Folder,
    /// The oldest first.
    messages: Mutex<Vec<Filed>>,
    /// How often something arrived or was removed since it was opened.
    revision: watch::Sender<u64>,
}

impl CaptureInbox {
    /// Opens the inbox in `folder`, which is made if need be, and reads what is there.
    ///
    /// # Errors
    ///
    /// [`InboxError`] when the folder cannot be read or written, or holds a file that is no
    /// message.
    pub fn open(folder: &Path, renderer: Arc<Renderer>) -> Result<Self, InboxError> {
        let (folder, messages) = Folder::open(folder).map_err(InboxError)?;
        let messages = Mutex::new(messages);
        Ok(Self {
            renderer,
            kept: Arc::new(Kept {
                folder,
                messages,
                revision: watch::Sender::new(0),
            }),
        })
    }
}

impl Kept {
    fn messages(&self) -> MutexGuard<'_, Vec<Filed>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Under the lock from the file to the index, so that both always tell the same.
    fn add(&self, message: CapturedMessage) -> std::io::Result<()> {
        let mut messages = self.messages();
        if messages.iter().any(|one| one.message.id == message.id) {
            return Ok(());
        }
        messages.push(self.folder.write(message)?);
        self.tell_change();
        Ok(())
    }

    fn remove(&self, id: &str) -> std::io::Result<bool> {
        let mut messages = self.messages();
        let Some(place) = messages.iter().position(|one| one.message.id == id) else {
            return Ok(false);
        };
        self.folder.remove(&messages[place])?;
        messages.remove(place);
        self.tell_change();
        Ok(true)
    }

    fn clear(&self) -> std::io::Result<()> {
        let mut messages = self.messages();
        self.folder.clear()?;
        messages.clear();
        self.tell_change();
        Ok(())
    }

    fn tell_change(&self) {
        self.revision.send_modify(|revision| *revision += 1);
    }
}

/// Runs `work` where it may wait for a disk. It runs to its end even when the caller goes away.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(std::io::Error::other(error)))
}

#[async_trait]
impl Courier for CaptureInbox {
    async fn deliver(&self, letter: &Letter) -> Result<(), DeliveryError> {
        let message = captured(letter, self.renderer.message(letter)?);
        let kept = Arc::clone(&self.kept);
        let added = on_disk(move || kept.add(message)).await;
        added.map_err(|error| DeliveryError::Transient {
            cause: format!("the inbox cannot be written: {error}"),
            reply: None,
        })
    }
}

#[async_trait]
impl Inbox for CaptureInbox {
    async fn list(&self, filter: &InboxFilter) -> Result<Vec<CapturedMessage>, InboxError> {
        let messages = self.kept.messages();
        let newest_first = messages.iter().rev().map(|one| &one.message);
        Ok(newest_first
            .filter(|one| filter.takes(one))
            .cloned()
            .collect())
    }

    fn revision(&self) -> u64 {
        *self.kept.revision.borrow()
    }

    async fn changed_since(&self, seen: u64) {
        let mut revision = self.kept.revision.subscribe();
        // An error means that the sender is gone, and it is in `self`.
        let _ = revision.wait_for(|revision| *revision != seen).await;
    }

    async fn remove(&self, id: &str) -> Result<bool, InboxError> {
        let (kept, id) = (Arc::clone(&self.kept), id.to_owned());
        let removed = on_disk(move || kept.remove(&id)).await;
        removed.map_err(InboxError)
    }

    async fn clear(&self) -> Result<(), InboxError> {
        let kept = Arc::clone(&self.kept);
        on_disk(move || kept.clear()).await.map_err(InboxError)
    }
}

fn captured(letter: &Letter, message: Message) -> CapturedMessage {
    CapturedMessage {
        id: letter.message.to_string(),
        to: letter.to.as_str().to_owned(),
        session_id: letter.session.to_string(),
        template: letter.template.as_str().to_owned(),
        code: letter.code.reveal().to_owned(),
        subject: message.subject,
        text: message.text,
        html: message.html,
        headers: message.headers,
        // All of it is ASCII.
        source: String::from_utf8_lossy(&message.bytes).into_owned(),
        received_at: letter.now,
    }
}
