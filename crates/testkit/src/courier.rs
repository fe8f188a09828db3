//! A courier that delivers nothing and remembers everything.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use otpost_ports::{Courier, DeliveryError, Letter};
use tokio::sync::watch;

/// What a [`RecordingCourier`] does with a letter.
#[derive(Clone, Debug)]
pub enum Reaction {
    /// Takes it, after so long.
    TakeAfter(Duration),
    /// Does not take it.
    Refuse(DeliveryError),
    /// Never answers, until the try is given up.
    Hang,
}

/// Collects letters, and answers as it was told.
#[derive(Debug)]
pub struct RecordingCourier {
    script: Mutex<VecDeque<Reaction>>,
    letters: watch::Sender<Vec<Letter>>,
}

impl RecordingCourier {
    /// A courier that takes every letter.
    #[must_use]
    pub fn new() -> Self {
        Self {
            script: Mutex::default(),
            letters: watch::Sender::new(Vec::new()),
        }
    }

    /// Answers the next letters in this way, one each; every later one is taken.
    pub fn react(&self, reactions: impl IntoIterator<Item = Reaction>) {
        self.script().extend(reactions);
    }

    /// Every letter that it was asked to deliver, taken or not, in order.
    #[must_use]
    pub fn letters(&self) -> Vec<Letter> {
        self.letters.borrow().clone()
    }

    /// Waits until it was asked to deliver `count` letters in all, and shows them.
    pub async fn wait_for(&self, count: usize) -> Vec<Letter> {
        let mut letters = self.letters.subscribe();
        let reached = letters.wait_for(|letters| letters.len() >= count).await;
        reached.expect("the sender is in self").clone()
    }

    fn script(&self) -> std::sync::MutexGuard<'_, VecDeque<Reaction>> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for RecordingCourier {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Courier for RecordingCourier {
    async fn deliver(&self, letter: &Letter) -> Result<(), DeliveryError> {
        let reaction = self.script().pop_front();
        self.letters
            .send_modify(|letters| letters.push(letter.clone()));
        match reaction {
            None => Ok(()),
            Some(Reaction::TakeAfter(pause)) => {
                tokio::time::sleep(pause).await;
                Ok(())
            }
            Some(Reaction::Refuse(error)) => Err(error),
            Some(Reaction::Hang) => std::future::pending().await,
        }
    }
}
