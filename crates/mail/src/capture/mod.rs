//! The inbox of a development run: messages are caught, kept on disk, and shown.

mod disk;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use otpost_ports::{
    CapturedMessage, Courier, DeliveryError, Inbox, InboxError, InboxFilter, Letter,
};
use tokio::sync::watch;

use crate::message::hex;
use crate::{Message, Renderer};
use disk::Folder;

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
    messages: Mutex<Vec<CapturedMessage>>,
    /// How many arrived since it was opened.
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
    fn messages(&self) -> MutexGuard<'_, Vec<CapturedMessage>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Under the lock from the file to the index, so that both always tell the same.
    fn add(&self, message: CapturedMessage) -> std::io::Result<()> {
        let mut messages = self.messages();
        if messages.iter().any(|one| one.id == message.id) {
            return Ok(());
        }
        self.folder.write(&message)?;
        messages.push(message);
        self.revision.send_modify(|revision| *revision += 1);
        Ok(())
    }

    fn clear(&self) -> std::io::Result<()> {
        let mut messages = self.messages();
        self.folder.clear()?;
        messages.clear();
        Ok(())
    }
}

/// Runs `work` where it may wait for a disk. It runs to its end even when the caller goes away.
async fn on_disk(
    work: impl FnOnce() -> std::io::Result<()> + Send + 'static,
) -> std::io::Result<()> {
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
        let newest_first = messages.iter().rev();
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

    async fn clear(&self) -> Result<(), InboxError> {
        let kept = Arc::clone(&self.kept);
        on_disk(move || kept.clear()).await.map_err(InboxError)
    }
}

fn captured(letter: &Letter, message: Message) -> CapturedMessage {
    CapturedMessage {
        id: hex(&letter.message),
        to: letter.to.as_str().to_owned(),
        session_id: letter.session.to_string(),
        template: letter.template.as_str().to_owned(),
        code: letter.code.reveal().to_owned(),
        subject: message.subject,
        text: message.text,
        html: message.html,
        headers: message.headers,
        received_at: letter.now,
    }
}
