//! Codes: what a mail carries, and what a person typed.

use core::fmt;

use subtle::ConstantTimeEq;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// Number of digits of a code, 4 to 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CodeLength(u8);

impl CodeLength {
    /// The shortest code.
    pub const MIN: u8 = 4;
    /// The longest code.
    pub const MAX: u8 = 8;
    /// What a session has unless asked otherwise: about 20 bits (NIST SP 800-63B-4, 3.1.3.2).
    pub const DEFAULT: Self = Self(6);

    /// A length of `digits`; `None` outside 4 to 8.
    #[must_use]
    pub const fn new(digits: u8) -> Option<Self> {
        if digits < Self::MIN || digits > Self::MAX {
            None
        } else {
            Some(Self(digits))
        }
    }

    /// The number of digits.
    #[must_use]
    pub const fn digits(self) -> u8 {
        self.0
    }

    /// How many codes of this length there are.
    #[must_use]
    pub const fn combinations(self) -> u64 {
        10_u64.pow(self.0 as u32)
    }
}

/// A code of 4 to 8 ASCII digits.
///
/// Secret: it has no `Display` and no `PartialEq`, and [`Code::reveal`] is the only way to its
/// digits, so that a search finds every use.
#[derive(Clone)]
pub struct Code {
    digits: [u8; CodeLength::MAX as usize],
    length: CodeLength,
}

impl Code {
    /// The code that writes `number` in `length` digits, zeroes in front; `number` is reduced to
    /// that many digits first.
    #[must_use]
    pub fn from_number(number: u64, length: CodeLength) -> Self {
        let mut rest = number % length.combinations();
        let mut digits = [b'0'; CodeLength::MAX as usize];
        for digit in digits[..usize::from(length.0)].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        Self { digits, length }
    }

    /// The code that `text` writes in 4 to 8 ASCII digits, and nothing else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let length = u8::try_from(text.len()).ok().and_then(CodeLength::new)?;
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let mut digits = [b'0'; CodeLength::MAX as usize];
        digits[..text.len()].copy_from_slice(text.as_bytes());
        Some(Self { digits, length })
    }

    /// The code of every session under a test key: the first `length` digits of `42424242`.
    #[must_use]
    pub fn of_tests(length: CodeLength) -> Self {
        Self {
            digits: *b"42424242",
            length,
        }
    }

    /// The number of digits.
    #[must_use]
    pub const fn length(&self) -> CodeLength {
        self.length
    }

    /// The digits in the clear: for the mail, and nowhere else.
    #[must_use]
    pub fn reveal(&self) -> &str {
        core::str::from_utf8(&self.digits[..usize::from(self.length.0)]).unwrap_or_default()
    }

    /// Whether both are the same code, in a time that does not depend on where they differ.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.length == other.length
            && bool::from(self.reveal().as_bytes().ct_eq(other.reveal().as_bytes()))
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(..)")
    }
}

/// What a person typed or pasted, normalised once; perhaps no code at all.
#[derive(Clone, Debug)]
pub struct Candidate(Option<Code>);

impl Candidate {
    /// Drops what mail programs and keyboards add and reads the digits of any script.
    ///
    /// Dropped are the Unicode categories Z, P, Cf and Cc and U+2212 (minus sign). Every other
    /// character that is no decimal digit makes the candidate malformed.
    #[must_use]
    pub fn normalise(typed: &str) -> Self {
        let mut digits = [0_u8; CodeLength::MAX as usize];
        let mut count = 0;
        for character in typed.chars() {
            // Nearly always an ASCII digit, which needs no look at the tables of Unicode.
            let value = match character {
                '0'..='9' => Some(character as u8 - b'0'),
                other if is_noise(other) => continue,
                other => digit_value(other),
            };
            let (Some(value), true) = (value, count < digits.len()) else {
                return Self(None);
            };
            digits[count] = b'0' + value;
            count += 1;
        }
        Self(
            core::str::from_utf8(&digits[..count])
                .ok()
                .and_then(Code::parse),
        )
    }

    /// The code that was typed, where it is one of `length` digits.
    #[must_use]
    pub fn of_length(&self, length: CodeLength) -> Option<&Code> {
        self.0.as_ref().filter(|code| code.length() == length)
    }
}

fn is_noise(character: char) -> bool {
    matches!(
        character.general_category_group(),
        GeneralCategoryGroup::Separator | GeneralCategoryGroup::Punctuation
    ) || matches!(
        character.general_category(),
        GeneralCategory::Format | GeneralCategory::Control
    ) || character == '\u{2212}'
}

/// The value of a decimal digit of any script (general category Nd).
///
/// Unicode encodes them in whole runs from zero to nine and promises to keep it so (UAX #44,
/// `Numeric_Type=Decimal`). Some runs follow each other without a gap, five at most, so the value
/// is the number of digits directly before, modulo ten.
fn digit_value(character: char) -> Option<u8> {
    if !is_decimal(character) {
        return None;
    }
    let before = ('\0'..character)
        .rev()
        .take_while(|previous| is_decimal(*previous))
        .count();
    u8::try_from(before % 10).ok()
}

fn is_decimal(character: char) -> bool {
    character.general_category() == GeneralCategory::DecimalNumber
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use alloc::vec::Vec;

    fn typed(text: &str) -> Option<String> {
        Candidate::normalise(text)
            .0
            .map(|code| code.reveal().into())
    }

    #[test]
    fn what_people_paste_is_read() {
        for text in [
            "482913",
            " 482913 ",
            "482 913",
            "482-913",
            "482\u{a0}913",
            "482\u{2009}913",
            "\u{2068}482913\u{2069}",
            "482\u{200b}913",
            "482\u{2212}913",
            "\u{feff}482913\r\n",
            "482–913",
            "(482913)",
            "“482913”.",
            "４８２９１３",
            "٤٨٢٩١٣",
            "۴۸۲۹۱۳",
            "४८२९१३",
            "𝟒𝟖𝟐𝟗𝟏𝟑",
            "4\t8\t2\t9\t1\t3",
            "\u{0}482913",
        ] {
            assert_eq!(typed(text).as_deref(), Some("482913"), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_code_is_malformed() {
        for text in [
            "",
            " ",
            "482",
            "482913482",
            "48291a",
            "+482913",
            "4829¹3",
            "Ⅳ82913",
            "四八二九一三",
            "482913€",
            "½48291",
            "482913x",
        ] {
            assert_eq!(typed(text), None, "{text:?}");
        }
        assert_eq!(typed(&"1".repeat(100_000)), None);
    }

    #[test]
    fn every_decimal_digit_of_unicode_has_its_value() {
        let digits: Vec<char> = ('\0'..=char::MAX)
            .filter(|character| is_decimal(*character))
            .collect();
        assert!(digits.len() >= 680, "{}", digits.len());
        // The n-th decimal digit of Unicode has the value n mod 10, for they come in whole runs.
        for (place, digit) in digits.iter().enumerate() {
            let expected = u8::try_from(place % 10).unwrap();
            assert_eq!(
                digit_value(*digit),
                Some(expected),
                "U+{:04X}",
                u32::from(*digit)
            );
        }
    }

    #[test]
    fn a_code_of_another_length_is_not_taken() {
        let candidate = Candidate::normalise("1234");
        assert!(candidate.of_length(CodeLength::DEFAULT).is_none());
        assert!(candidate.of_length(CodeLength::new(4).unwrap()).is_some());
    }

    #[test]
    fn zeroes_in_front_are_part_of_the_code() {
        let code = Code::from_number(42, CodeLength::DEFAULT);
        assert_eq!(code.reveal(), "000042");
        assert!(code.matches(&Code::parse("000042").unwrap()));
        assert!(!code.matches(&Code::parse("0042").unwrap()));
        assert!(!code.matches(&Code::parse("000043").unwrap()));
    }

    #[test]
    fn the_code_of_tests_is_known_beforehand() {
        let code = Code::of_tests(CodeLength::DEFAULT);
        assert_eq!(code.reveal(), "424242");
        assert!(code.matches(&Code::parse("424242").unwrap()));
    }

    #[test]
    fn debug_output_holds_no_digit() {
        let shown = alloc::format!("{:?}", Candidate::normalise("482913"));
        assert!(!shown.contains(|c: char| c.is_ascii_digit()), "{shown}");
    }
}
