//! Bytes that look random and are the same in every run.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use otpost_ports::{Entropy, EntropyError};

use crate::mix;

/// A counter through a mixing function: the same seed gives the same bytes. Not random.
#[derive(Debug)]
pub struct SeededEntropy {
    next: AtomicU64,
    fails: AtomicBool,
}

impl SeededEntropy {
    /// A source that begins at `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self {
            next: AtomicU64::new(seed),
            fails: AtomicBool::new(false),
        }
    }

    /// From now on it fails, or works again.
    pub fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::SeqCst);
    }
}

impl Default for SeededEntropy {
    fn default() -> Self {
        Self::new(0)
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(EntropyError);
        }
        for chunk in bytes.chunks_mut(8) {
            let number = mix::step(self.next.fetch_add(1, Ordering::SeqCst));
            chunk.copy_from_slice(&number.to_be_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_no_two_draws_agree() {
        let draw = |entropy: &dyn Entropy| entropy.bytes::<20>().unwrap();
        let (one, same, other) = (
            SeededEntropy::new(1),
            SeededEntropy::new(1),
            SeededEntropy::new(1 << 32),
        );

        let first = draw(&one);
        assert_eq!(first, draw(&same));
        assert_ne!(first, draw(&one));
        assert_ne!(first, draw(&other));
    }

    #[test]
    fn it_fails_when_told() {
        let entropy = SeededEntropy::default();
        entropy.fail(true);
        assert_eq!(entropy.fill(&mut [0; 4]), Err(EntropyError));
        entropy.fail(false);
        assert_eq!(entropy.fill(&mut [0; 4]), Ok(()));
    }
}
