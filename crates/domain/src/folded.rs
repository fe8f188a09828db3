//! The form of an address under which limits count and rows are found again.

use alloc::string::String;
use core::fmt;

use crate::Address;

/// A provider that delivers `a.b@` and `ab@` to the same mailbox, under either of its domains.
/// The first stands for both. <https://support.google.com/mail/answer/10313>
const GMAIL: [&str; 2] = ["gmail.com", "googlemail.com"];

/// An address in which spellings of one mailbox meet: lower case, without `+tag`, and for the
/// provider known to ignore them without dots and under one domain.
///
/// Never mailed to, never kept: only its keyed digest is.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct FoldedAddress(String);

impl FoldedAddress {
    /// The folded form of `address`.
    #[must_use]
    pub fn of(address: &Address) -> Self {
        let local = address.local_part();
        let untagged = match local.split_once('+') {
            Some((name, _)) if !name.is_empty() => name,
            _ => local,
        };
        let mut folded = untagged.to_ascii_lowercase();
        let mut domain = address.domain();
        if GMAIL.contains(&domain) {
            folded.retain(|character| character != '.');
            domain = GMAIL[0];
        }
        folded.push('@');
        folded.push_str(domain);
        Self(folded)
    }

    /// The bytes to digest.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for FoldedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FoldedAddress(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_mailbox_meet() {
        for (typed, folded) in [
            ("User+a+b@Example.com", "user@example.com"),
            ("U.Ser@example.com", "u.ser@example.com"),
            ("U.Ser+x@gmail.com", "user@gmail.com"),
            ("u.s.e.r+x@GoogleMail.com", "user@gmail.com"),
            ("u.ser@mail.googlemail.com", "u.ser@mail.googlemail.com"),
            ("+tag@example.com", "+tag@example.com"),
        ] {
            let address = Address::parse(typed).unwrap();
            assert_eq!(FoldedAddress::of(&address).0, folded, "{typed}");
        }
    }
}
