//! Fixed-width base62 that sorts as the bytes do: digits, upper case, lower case, as in ASCII.

use alloc::string::String;
use alloc::vec;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// `bytes` as one big-endian number in exactly `width` digits.
///
/// `width` must be large enough for the number: 30 for 22 bytes, 43 for 32.
pub(crate) fn encode(bytes: &[u8], width: usize) -> String {
    let mut number = bytes.to_vec();
    let mut digits = vec![b'0'; width];
    for digit in digits.iter_mut().rev() {
        let mut remainder = 0_u32;
        for byte in &mut number {
            let value = (remainder << 8) | u32::from(*byte);
            // The remainder is below 62, so the quotient is below 256: nothing is masked off.
            *byte = ((value / 62) & 0xff) as u8;
            remainder = value % 62;
        }
        *digit = ALPHABET[remainder as usize];
    }
    digits.into_iter().map(char::from).collect()
}

/// The `N` bytes that `text` stands for; `None` for a foreign character or a number too large.
pub(crate) fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut number = [0_u8; N];
    for digit in text.bytes() {
        let mut carry = value_of(digit)?;
        for byte in number.iter_mut().rev() {
            let value = u32::from(*byte) * 62 + carry;
            *byte = (value & 0xff) as u8;
            carry = value >> 8;
        }
        if carry != 0 {
            return None;
        }
    }
    Some(number)
}

/// Whether `text` consists of digits of this alphabet only.
pub(crate) fn is_base62(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn value_of(digit: u8) -> Option<u32> {
    Some(match digit {
        b'0'..=b'9' => u32::from(digit - b'0'),
        b'A'..=b'Z' => u32::from(digit - b'A') + 10,
        b'a'..=b'z' => u32::from(digit - b'a') + 36,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(bytes: [u8; 22]) {
            let text = encode(&bytes, 30);
            prop_assert_eq!(text.len(), 30);
            prop_assert_eq!(decode::<22>(&text), Some(bytes));
        }

        #[test]
        fn text_sorts_as_bytes_do(a: [u8; 22], b: [u8; 22]) {
            prop_assert_eq!(encode(&a, 30).cmp(&encode(&b, 30)), a.cmp(&b));
        }
    }

    #[test]
    fn the_largest_numbers_fit() {
        assert_eq!(decode::<22>(&encode(&[0xff; 22], 30)), Some([0xff; 22]));
        assert_eq!(decode::<32>(&encode(&[0xff; 32], 43)), Some([0xff; 32]));
    }

    #[test]
    fn a_number_too_large_or_a_foreign_character_is_refused() {
        assert_eq!(decode::<22>(&"z".repeat(30)), None);
        assert_eq!(decode::<22>("00000000000000000000000000000-"), None);
        assert_eq!(decode::<22>("ä"), None);
    }
}
