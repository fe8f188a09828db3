//! The form of an address under which limits count and rows are found again.

use alloc::string::String;
use core::fmt;

use crate::Address;

/// Providers that deliver `a.b@` and `ab@` to the same mailbox.
const DOTS_IGNORED_BY: [&str; 2] = ["gmail.com", "googlemail.com"];

/// An address in which spellings of one mailbox meet: lower case, without `+tag`, without dots
/// for the providers known to ignore them.
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
        if DOTS_IGNORED_BY.contains(&address.domain()) {
            folded.retain(|character| character != '.');
        }
        folded.push('@');
        folded.push_str(address.domain());
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
            ("u.s.e.r@GoogleMail.com", "user@googlemail.com"),
            ("+tag@example.com", "+tag@example.com"),
        ] {
            let address = Address::parse(typed).unwrap();
            assert_eq!(FoldedAddress::of(&address).0, folded, "{typed}");
        }
    }
}
