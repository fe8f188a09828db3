//! The opaque identifier of a session: time first, so that new rows land at the end of an index.

use alloc::string::String;
use core::fmt;

use crate::{Timestamp, base62};

const TEXT_LENGTH: usize = 30;

/// 6 bytes of creation time in milliseconds and 16 random bytes, written as 30 base62 digits.
///
/// It identifies and does not authorise: every use needs the project's API key too. Its 128
/// random bits keep it from being guessed (OWASP ASVS 5.0, 7.2.3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId([u8; Self::BYTES]);

impl SessionId {
    /// Length in bytes.
    pub const BYTES: usize = 22;

    /// Stands for a text that cannot be an identifier: no session has it.
    pub const NONE: Self = Self([0; Self::BYTES]);

    /// An identifier for a session opened at `now`, made unique by `random`.
    #[must_use]
    pub fn new(now: Timestamp, random: [u8; 16]) -> Self {
        let mut bytes = [0; Self::BYTES];
        bytes[..6].copy_from_slice(&now.as_millis().to_be_bytes()[2..]);
        bytes[6..].copy_from_slice(&random);
        Self(bytes)
    }

    /// The identifier with these raw bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The raw bytes, as they are stored and as they enter the derivation of a code.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// The identifier that `text` writes; `None` for anything that [`fmt::Display`] never wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != TEXT_LENGTH {
            return None;
        }
        base62::decode(text).map(Self)
    }

    /// The last eight characters: enough to find a session in a log, too few to use it.
    #[must_use]
    pub fn short(&self) -> String {
        base62::encode(&self.0, TEXT_LENGTH).split_off(TEXT_LENGTH - 8)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base62::encode(&self.0, TEXT_LENGTH))
    }
}

/// Shows [`SessionId::short`], for logs must not hold whole identifiers.
impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId(…{})", self.short())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::ToString};

    #[test]
    fn an_identifier_survives_its_text() {
        let id = SessionId::new(Timestamp::from_millis(1_767_960_000_000), [7; 16]);
        assert_eq!(SessionId::parse(&id.to_string()), Some(id));
        assert_eq!(id.to_string().len(), 30);
    }

    #[test]
    fn later_identifiers_sort_after_earlier_ones() {
        let earlier = SessionId::new(Timestamp::from_millis(1_767_960_000_000), [0xff; 16]);
        let later = SessionId::new(Timestamp::from_millis(1_767_960_000_001), [0; 16]);
        assert!(earlier < later);
        assert!(earlier.to_string() < later.to_string());
    }

    #[test]
    fn text_of_another_length_is_no_identifier() {
        for text in ["", "abc123...", &"0".repeat(29), &"0".repeat(31)] {
            assert_eq!(SessionId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn debug_output_does_not_hold_the_whole_identifier() {
        let id = SessionId::from_bytes([0xab; 22]);
        assert!(!format!("{id:?}").contains(&id.to_string()));
    }
}
