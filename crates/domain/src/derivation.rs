//! The arithmetic of the derived code; the primitives (HKDF, HMAC) are the caller's.
//!
//! ```text
//! K    = HKDF-SHA-256(salt = nonce, ikm = master[kid], info = info(kid, session, address, digits))
//! mac  = HMAC-SHA-256(K, message(generation))
//! code = reduce(mac[0..8], digits)
//! ```
//!
//! So neither a code nor a digest of one is ever at rest, a repeated mail carries the same code,
//! and a new code is the next generation.

use crate::{Code, CodeLength, SessionId};

const LABEL: &[u8; 12] = b"otp-code/v1\0";
const INFO_LENGTH: usize = LABEL.len() + 4 + (2 + SessionId::BYTES) + (2 + 32) + 1;

/// The `info` of the HKDF (RFC 5869): what a code is bound to.
///
/// `"otp-code/v1" 00 ‖ be32(kid) ‖ lp(session) ‖ lp(address_sha256) ‖ byte(digits)`, where
/// `lp(x) = be16(len x) ‖ x`. `address_sha256` is the SHA-256 of the address on the wire, so that
/// a code mailed to one address never confirms another.
#[must_use]
pub fn info(
    kid: u32,
    session: &SessionId,
    address_sha256: &[u8; 32],
    length: CodeLength,
) -> [u8; INFO_LENGTH] {
    let parts: [&[u8]; 7] = [
        LABEL,
        &kid.to_be_bytes(),
        &lp(session.as_bytes()),
        session.as_bytes(),
        &lp(address_sha256),
        address_sha256,
        &[length.digits()],
    ];
    let mut info = [0; INFO_LENGTH];
    let mut end = 0;
    for part in parts {
        let start = end;
        end += part.len();
        info[start..end].copy_from_slice(part);
    }
    info
}

/// The length that goes before `bytes`, as a big-endian 16-bit number.
fn lp(bytes: &[u8]) -> [u8; 2] {
    u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes()
}

/// The message of the HMAC: the generation as a big-endian 64-bit number.
#[must_use]
pub const fn message(generation: u32) -> [u8; 8] {
    (generation as u64).to_be_bytes()
}

/// The code that the first eight bytes of the HMAC stand for.
///
/// 64 bits are reduced, not the 31 of RFC 4226, 5.3, whose bias at 8 digits is 2.4 %: here it is
/// below 5e-12.
#[must_use]
pub fn reduce(mac_head: [u8; 8], length: CodeLength) -> Code {
    Code::from_number(u64::from_be_bytes(mac_head), length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_info_is_laid_out_as_documented() {
        let session =
            SessionId::from_bytes(core::array::from_fn(|i| 0x40 + u8::try_from(i).unwrap()));
        let info = info(1, &session, &[0xaa; 32], CodeLength::DEFAULT);

        assert_eq!(&info[..12], b"otp-code/v1\0");
        assert_eq!(&info[12..18], &[0, 0, 0, 1, 0, 22]);
        assert_eq!(&info[18..40], session.as_bytes());
        assert_eq!(&info[40..42], &[0, 32]);
        assert_eq!(&info[42..74], &[0xaa; 32]);
        assert_eq!(&info[74..], &[6]);
    }

    #[test]
    fn the_reduction_keeps_leading_zeroes() {
        let code = reduce(1_000_042_u64.to_be_bytes(), CodeLength::DEFAULT);
        assert_eq!(code.reveal(), "000042");
    }
}
