//! Random bytes of the operating system.

use otpost_ports::{Entropy, EntropyError};
use ring::rand::{SecureRandom, SystemRandom};

/// The operating system's source, by ring.
#[derive(Clone, Debug)]
pub struct OsEntropy(SystemRandom);

impl OsEntropy {
    /// Opens the source.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the source of randomness is opened"
    )]
    pub fn new() -> Self {
        Self(SystemRandom::new())
    }
}

impl Default for OsEntropy {
    fn default() -> Self {
        Self::new()
    }
}

impl Entropy for OsEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        self.0.fill(bytes).map_err(|_| EntropyError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_draws_agree() {
        let entropy = OsEntropy::new();
        let entropy: &dyn Entropy = &entropy;
        assert_ne!(entropy.bytes::<32>(), entropy.bytes::<32>());
    }
}
