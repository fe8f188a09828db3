//! The address that a mail goes to: one strict parser, whose result is what is on the wire.

use alloc::string::String;
use core::fmt;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// Longest local part in octets (RFC 5321, 4.5.3.1.1).
const LOCAL_OCTETS_MAX: usize = 64;
/// Longest address in octets: a path of 256 less its angle brackets (RFC 5321, 4.5.3.1.3).
const OCTETS_MAX: usize = 254;
/// Top-level domains that never receive mail (RFC 2606, RFC 6761).
const RESERVED: [&str; 3] = ["invalid", "test", "localhost"];

/// A mailbox address: a Dot-string before the `@` (RFC 5321, 4.1.2), a domain of at least two
/// labels behind it, in lower case and in A-labels. At most 254 octets.
///
/// The local part stays as typed, for it is the receiving host's to interpret (RFC 5321, 2.4).
/// `Debug` does not show it: an address is personal data.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address {
    text: String,
    at: usize,
}

impl Address {
    /// Reads an address as a person typed it: blanks and line ends around it are dropped, a
    /// domain in another script becomes its A-labels (UTS 46), and what remains is validated.
    ///
    /// # Errors
    ///
    /// The first rule that `typed` breaks.
    pub fn parse(typed: &str) -> Result<Self, AddressError> {
        let typed = typed.trim_matches([' ', '\t', '\r', '\n']);
        if typed.chars().any(is_invisible) {
            return Err(AddressError::Characters);
        }
        let (local, domain) = typed.split_once('@').ok_or(AddressError::Shape)?;
        if domain.contains('@') {
            return Err(AddressError::Shape);
        }
        check_local(local)?;
        let domain = Uts46::new()
            .to_ascii(
                domain.as_bytes(),
                AsciiDenyList::STD3,
                Hyphens::CheckFirstLast,
                DnsLength::Verify,
            )
            .map_err(|_| AddressError::Domain)?;
        check_domain(&domain)?;
        let at = local.len();
        let mut text = String::with_capacity(at + 1 + domain.len());
        text.push_str(local);
        text.push('@');
        text.push_str(&domain);
        if text.len() > OCTETS_MAX {
            return Err(AddressError::TooLong);
        }
        Ok(Self { text, at })
    }

    /// The whole address, exactly as it goes into `RCPT TO`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What stands before the `@`.
    #[must_use]
    pub fn local_part(&self) -> &str {
        &self.text[..self.at]
    }

    /// What stands behind the `@`: lower case, A-labels.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.text[self.at + 1..]
    }

    /// What stands behind the last `+` of the local part.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.local_part().rsplit_once('+').map(|(_, tag)| tag)
    }

    /// Whether the domain ends in `.invalid`, `.test` or `.localhost`, where no mail arrives.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        let top = self.domain().rsplit('.').next().unwrap_or_default();
        RESERVED.contains(&top)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(..)")
    }
}

/// Which rule an address breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressError {
    /// Control characters, white space, or characters that nobody sees.
    Characters,
    /// Not exactly one `@`.
    Shape,
    /// The part before the `@` is no Dot-string of 1 to 64 ASCII characters.
    LocalPart,
    /// The part behind the `@` is no domain of at least two labels.
    Domain,
    /// More than 254 octets in all.
    TooLong,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Characters => "blanks and invisible characters are not allowed",
            Self::Shape => "exactly one @ is needed",
            Self::LocalPart => "the part before the @ is not valid",
            Self::Domain => "the part behind the @ is not a domain",
            Self::TooLong => "at most 254 octets are allowed",
        })
    }
}

impl core::error::Error for AddressError {}

/// Characters that make two addresses look alike which are not: refused before UTS 46 would
/// silently drop some of them.
fn is_invisible(character: char) -> bool {
    if character.is_ascii() {
        // Nearly all are, and their categories need no look at the tables.
        return character == ' ' || character.is_ascii_control();
    }
    is_invisible_by_category(character)
}

fn is_invisible_by_category(character: char) -> bool {
    character.general_category_group() == GeneralCategoryGroup::Separator
        || matches!(
            character.general_category(),
            GeneralCategory::Control | GeneralCategory::Format
        )
        // Combining grapheme joiner, Hangul fillers, Khmer inherent vowels, variation selectors:
        // Default_Ignorable_Code_Point of the other categories.
        || matches!(
            character,
            '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
                | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0100}'..='\u{e01ef}'
        )
}

fn check_local(local: &str) -> Result<(), AddressError> {
    let is_atom = |atom: &str| !atom.is_empty() && atom.bytes().all(is_atext);
    // "=?…?=" is made of atext, but a mail program would decode it (RFC 2047) and show, or
    // deliver to, something else.
    let is_encoded_word = local
        .split_once("=?")
        .is_some_and(|(_, rest)| rest.contains("?="));
    if local.len() > LOCAL_OCTETS_MAX || is_encoded_word || !local.split('.').all(is_atom) {
        return Err(AddressError::LocalPart);
    }
    Ok(())
}

/// RFC 5322, 3.2.3.
fn is_atext(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte)
}

fn check_domain(domain: &str) -> Result<(), AddressError> {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_numeric = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    match domain.rsplit_once('.') {
        Some((_, top)) if domain.split('.').all(is_label) && !is_numeric(top) => Ok(()),
        _ => Err(AddressError::Domain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ascii_is_judged_as_its_categories_say() {
        for character in '\0'..='\u{7f}' {
            let by_category = is_invisible_by_category(character);
            assert_eq!(is_invisible(character), by_category, "{character:?}");
        }
    }

    #[test]
    fn addresses_that_receive_mail_are_taken() {
        for (typed, wire) in [
            ("user@example.com", "user@example.com"),
            (" user@example.com\r\n", "user@example.com"),
            ("User.Name+tag@EXAMPLE.Com", "User.Name+tag@example.com"),
            ("o'brien@example.co.uk", "o'brien@example.co.uk"),
            ("a@bücher.example", "a@xn--bcher-kva.example"),
            ("a@xn--bcher-kva.example", "a@xn--bcher-kva.example"),
            ("a@例え.jp", "a@xn--r8jz45g.jp"),
            ("a@r3---sn.example.com", "a@r3---sn.example.com"),
            (
                "{}|~!#$%&'*+-/=?^_`@example.com",
                "{}|~!#$%&'*+-/=?^_`@example.com",
            ),
            ("x@example。com", "x@example.com"),
            ("1@1.example", "1@1.example"),
        ] {
            assert_eq!(
                Address::parse(typed).map(|a| a.text).as_deref(),
                Ok(wire),
                "{typed:?}"
            );
        }
    }

    #[test]
    fn everything_else_is_refused() {
        use AddressError::{Characters, Domain, LocalPart, Shape};
        for (typed, error) in [
            ("", Shape),
            ("user", Shape),
            ("a@b@example.com", Shape),
            ("user＠example.com", Shape),
            ("@example.com", LocalPart),
            ("a..b@example.com", LocalPart),
            (".a@example.com", LocalPart),
            ("a.@example.com", LocalPart),
            ("\"a\"@example.com", LocalPart),
            ("\"a@evil.example\"@example.com", Shape),
            ("a(comment)@example.com", LocalPart),
            ("=?utf-8?q?a=40b?=@example.com", LocalPart),
            ("Bob<bob@example.com>", LocalPart),
            ("a,b@example.com", LocalPart),
            ("mıke@example.com", LocalPart),
            ("İa@example.com", LocalPart),
            ("ü@example.com", LocalPart),
            ("a b@example.com", Characters),
            ("Bob <bob@example.com>", Characters),
            ("a@example.com, b@example.com", Characters),
            ("a\0@example.com", Characters),
            ("a@exam\u{200b}ple.com", Characters),
            ("a@exam\u{ad}ple.com", Characters),
            ("a@exam\u{fe0f}ple.com", Characters),
            ("a\u{202e}@example.com", Characters),
            ("a@example.com\r\nRCPT TO:<b@example.com>", Characters),
            ("a@localhost", Domain),
            ("a@[127.0.0.1]", Domain),
            ("a@127.0.0.1", Domain),
            ("a@example.123", Domain),
            ("a@example..com", Domain),
            ("a@example.com.", Domain),
            ("a@.example.com", Domain),
            ("a@-example.com", Domain),
            ("a@example-.com", Domain),
            ("a@exa_mple.com", Domain),
            ("a@b＠example.com", Domain),
            ("a@xn--a.com", Domain),
            ("a@", Domain),
        ] {
            assert_eq!(Address::parse(typed), Err(error), "{typed:?}");
        }
    }

    #[test]
    fn lengths_are_bounded_in_octets() {
        let local = "a".repeat(64);
        let domain = |rest: usize| {
            let label = "b".repeat(61);
            alloc::format!("{label}.{label}.{}.{}", "c".repeat(rest), "com")
        };
        assert!(Address::parse(&alloc::format!("{local}@{}", domain(61))).is_ok());
        assert_eq!(
            Address::parse(&alloc::format!("{local}@{}", domain(62))),
            Err(AddressError::TooLong)
        );
        assert_eq!(
            Address::parse(&alloc::format!("a{local}@example.com")),
            Err(AddressError::LocalPart)
        );
        assert_eq!(
            Address::parse(&alloc::format!("a@{}.com", "b".repeat(64))),
            Err(AddressError::Domain)
        );
    }

    #[test]
    fn reserved_domains_are_known() {
        for (typed, reserved) in [
            ("a@b.test", true),
            ("a@b.INVALID", true),
            ("a@b.localhost", true),
            ("a@example.com", false),
            ("a@test.example", false),
        ] {
            assert_eq!(
                Address::parse(typed).unwrap().is_reserved(),
                reserved,
                "{typed}"
            );
        }
    }

    #[test]
    fn the_tag_is_what_stands_behind_the_last_plus() {
        let tag = |typed| Address::parse(typed).unwrap().tag().map(String::from);
        assert_eq!(tag("a+b+expired@example.com").as_deref(), Some("expired"));
        assert_eq!(tag("a@example.com"), None);
    }

    proptest! {
        #[test]
        fn what_was_parsed_parses_to_itself(typed in "\\PC{0,12}@\\PC{0,20}") {
            if let Ok(address) = Address::parse(&typed) {
                prop_assert_eq!(Address::parse(address.as_str()), Ok(address.clone()));
                prop_assert!(address.as_str().is_ascii());
                prop_assert!(!address.as_str().bytes().any(|b| b <= b' ' || b == 0x7f));
            }
        }
    }
}
