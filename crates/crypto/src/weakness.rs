//! Keys that nobody drew at random.

use std::collections::BTreeSet;
use std::fmt;

/// Fewest different bytes that a key of 32 must have. A random one has about 30, and fewer than
/// these once in 10^14; text in hexadecimal digits or a repeated word has fewer.
const DISTINCT_MIN: usize = 17;

/// What gives a weak key away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weakness {
    /// All bytes are the same.
    Constant,
    /// Each byte is a step further than the one before, as in every documented example.
    Example,
    /// It is made of few different bytes: a pattern, or text.
    Pattern,
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Constant => "all its bytes are the same",
            Self::Example => "it is an example from the documentation",
            Self::Pattern => "it is a pattern or text, not random bytes",
        })
    }
}

impl Weakness {
    /// What is wrong with `key`, if anything is.
    pub(crate) fn of(key: &[u8; 32]) -> Option<Self> {
        let step = key[1].wrapping_sub(key[0]);
        let is_run = key
            .windows(2)
            .all(|pair| pair[1] == pair[0].wrapping_add(step));
        let distinct = key.iter().collect::<BTreeSet<_>>().len();
        match (is_run, step) {
            (true, 0) => Some(Self::Constant),
            (true, _) => Some(Self::Example),
            (false, _) => (distinct < DISTINCT_MIN).then_some(Self::Pattern),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use otpost_ports::Entropy;
    use otpost_testkit::SeededEntropy;

    fn bytes(byte: impl Fn(u8) -> u8) -> [u8; 32] {
        std::array::from_fn(|place| byte(u8::try_from(place).unwrap()))
    }

    #[test]
    fn what_nobody_drew_at_random_is_weak() {
        for (name, key, weakness) in [
            ("zeroes", bytes(|_| 0), Weakness::Constant),
            ("ones", bytes(|_| 0xff), Weakness::Constant),
            ("00..1f", bytes(|place| place), Weakness::Example),
            ("20..3f", bytes(|place| 0x20 + place), Weakness::Example),
            (
                "f0..0f",
                bytes(|place| 0xf0_u8.wrapping_add(place)),
                Weakness::Example,
            ),
            ("1f..00", bytes(|place| 0x1f - place), Weakness::Example),
            (
                "hex",
                *b"0f9e1d2c3b4a59687f8e9dacbb0c1d2e",
                Weakness::Pattern,
            ),
            (
                "word",
                *b"changeme-changeme-changeme-chang",
                Weakness::Pattern,
            ),
            (
                "short",
                bytes(|place| if place < 16 { place * place } else { 0 }),
                Weakness::Pattern,
            ),
        ] {
            assert_eq!(Weakness::of(&key), Some(weakness), "{name}");
        }
    }

    #[test]
    fn random_bytes_are_not_weak() {
        let entropy = SeededEntropy::default();
        let entropy: &dyn Entropy = &entropy;
        for draw in 0..10_000 {
            assert_eq!(Weakness::of(&entropy.bytes().unwrap()), None, "{draw}");
        }
    }
}
