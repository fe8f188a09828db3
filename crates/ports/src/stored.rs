//! A session as it is kept: its state machine, what is needed to mail and judge its code, and
//! what became of its last mail.

use core::fmt;
use std::ops::RangeInclusive;

use otpost_domain::{Code, Language, Mode, ProjectName, Session, TemplateName, Timestamp};

use crate::{Opening, RETENTION_SECS, Vault, VaultError};

/// Whose a session is: another project's or mode's does not exist for the caller.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The project.
    pub project: ProjectName,
    /// Live, or test.
    pub mode: Mode,
}

/// Bytes that only the vault can read: they name their own key.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(pub Vec<u8>);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// Keyed digest of a folded address: finds the rows of a recipient, tells nobody who it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RecipientDigest(pub [u8; 32]);

impl fmt::Debug for RecipientDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecipientDigest(..)")
    }
}

/// Keyed digest of a network: counts those who reach a project from it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct NetworkDigest(pub [u8; 32]);

impl fmt::Debug for NetworkDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NetworkDigest(..)")
    }
}

/// What a session's codes are derived from, besides the master key. Erased when it ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CodeSecret {
    /// Which master key.
    pub kid: u32,
    /// 32 random bytes of this session alone.
    pub nonce: [u8; 32],
}

impl fmt::Debug for CodeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CodeSecret(kid {})", self.kid)
    }
}

/// What does not change while a session lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// Whose it is.
    pub owner: Owner,
    /// The address on the wire, sealed.
    pub address: Sealed,
    /// The folded address, digested.
    pub recipient: RecipientDigest,
    /// The purpose, which is also the message's template.
    pub template: TemplateName,
    /// The message's language.
    pub language: Language,
    /// What the caller gives the template, sealed; JSON of an object of strings. Erased when the
    /// session ends.
    pub variables: Option<Sealed>,
    /// Whether mails to the address are exempt from the limits of recipients.
    pub is_exempt: bool,
}

/// Identifies one mail, over all its tries: 16 random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub [u8; 16]);

impl MessageId {
    /// The identifiers that begin with these hexadecimal digits, 1 to 32 of them; `None` when they
    /// are something else.
    #[must_use]
    pub fn beginning_with(digits: &str) -> Option<RangeInclusive<Self>> {
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hex || digits.is_empty() || digits.len() > 32 {
            return None;
        }
        let filled = |with: char| {
            let rest = std::iter::repeat_n(with, 32 - digits.len());
            let whole: String = digits.chars().chain(rest).collect();
            let number = u128::from_str_radix(&whole, 16).ok()?;
            Some(Self(number.to_be_bytes()))
        };
        Some(filled('0')?..=filled('f')?)
    }
}

/// In lower-case hexadecimal digits, as in the `Message-ID` of the mail.
impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// What became of the last mail of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// It waits, or is on its way.
    Queued,
    /// A relay took responsibility for it.
    Sent,
    /// It will not be sent.
    Failed,
}

/// The last mail of a session. There is never a second one waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Which mail.
    pub message: MessageId,
    /// Which generation of the code it carries.
    pub generation: u32,
    /// What became of it.
    pub state: DeliveryState,
    /// When it is to be tried next; of use while it is queued.
    pub due_at: Timestamp,
    /// How often it was tried.
    pub tries: u32,
}

/// A session with all that is kept beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSession {
    /// The state machine.
    pub session: Session,
    /// What does not change.
    pub context: Context,
    /// What its codes are derived from; `None` once it ended.
    pub secret: Option<CodeSecret>,
    /// Its last mail.
    pub delivery: Delivery,
}

/// A session as it is stored right after it was opened.
impl From<Opening> for StoredSession {
    fn from(opening: Opening) -> Self {
        let mut stored = Self {
            session: opening.session,
            context: opening.context,
            secret: opening.secret,
            delivery: opening.delivery,
        };
        stored.erase_if_ended();
        stored
    }
}

impl StoredSession {
    /// Erases what is of no use once the session ended: what its codes are derived from, and what
    /// the caller gave the template.
    pub fn erase_if_ended(&mut self) {
        if self.session.pending().is_none() {
            self.secret = None;
            self.context.variables = None;
        }
    }

    /// Whether it is still found at `now`: until [`RETENTION_SECS`] after its hard end.
    #[must_use]
    pub fn is_retained(&self, now: Timestamp) -> bool {
        now < self.session.hard_end().plus_secs(RETENTION_SECS)
    }

    /// The code of one generation: derived, or the known one under a test key.
    ///
    /// # Errors
    ///
    /// Those of the vault; [`VaultError::Tampered`] where the secret is erased.
    pub fn code(&self, generation: u32, vault: &dyn Vault) -> Result<Code, VaultError> {
        let length = self.session.terms().code_length();
        match self.context.owner.mode {
            Mode::Test => Ok(Code::of_tests(length)),
            Mode::Live => {
                let id = self.session.id();
                let address = vault.open_address(id, &self.context.address)?;
                let secret = self.secret.as_ref().ok_or(VaultError::Tampered)?;
                vault.derive(secret, id, &address, length, generation)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_found_by_their_first_digits() {
        let message = MessageId([0xab; 16]);
        let digits = message.to_string();
        assert_eq!(digits, "ab".repeat(16));
        for prefix in ["a", "AB", "aba", digits.as_str()] {
            let range = MessageId::beginning_with(prefix).unwrap();
            assert!(range.contains(&message), "{prefix}");
            assert!(
                !range.contains(&MessageId([0xac; 16])) || prefix == "a",
                "{prefix}"
            );
            assert!(!range.contains(&MessageId([0xb0; 16])), "{prefix}");
        }
        let longer = format!("{digits}a");
        for prefix in ["", "g", "+a", "a b", "\u{e4}", longer.as_str()] {
            assert_eq!(MessageId::beginning_with(prefix), None, "{prefix}");
        }
    }
}
