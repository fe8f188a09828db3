//! Published and own test vectors of every primitive and of the derivation.

use std::sync::Arc;

use otpost_domain::{Address, CodeLength, Mode, ProjectName, SessionId, derivation};
use otpost_ports::{CodeSecret, Endpoint, Owner, Vault};
use ring::{hkdf as ring_hkdf, hmac};

use crate::vault::sha256;
use crate::{KeyRing, OsEntropy, RingVault, hkdf};

/// Key material in the clear, to be compared.
struct Bytes(Vec<u8>);

struct Length(usize);

impl ring_hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl From<ring_hkdf::Okm<'_, Length>> for Bytes {
    fn from(okm: ring_hkdf::Okm<'_, Length>) -> Self {
        let mut bytes = vec![0; okm.len().0];
        okm.fill(&mut bytes).unwrap();
        Self(bytes)
    }
}

fn run<const N: usize>(first: u8) -> [u8; N] {
    std::array::from_fn(|place| first + u8::try_from(place).unwrap())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// RFC 5869, A.1.
#[test]
fn hkdf_gives_the_published_key() {
    let Bytes(okm) = hkdf::key(&run::<13>(0), &[0x0b; 22], &[&run::<10>(0xf0)], Length(42));
    assert_eq!(
        hex(&okm),
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    );
}

/// RFC 4226, appendix D.
#[test]
fn hotp_gives_the_published_codes() {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"12345678901234567890");
    let codes: Vec<_> = (0..10).map(|counter| truncated(&key, counter, 6)).collect();
    assert_eq!(
        codes,
        [
            "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583",
            "399871", "520489"
        ]
    );
}

/// RFC 6238, appendix B, the rows of SHA-256 with its key of 32 bytes.
#[test]
fn totp_gives_the_published_codes() {
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"12345678901234567890123456789012");
    for (time, code) in [
        (59_u64, "46119246"),
        (1_111_111_109, "68084774"),
        (1_111_111_111, "67062674"),
        (1_234_567_890, "91819424"),
        (2_000_000_000, "90698825"),
        (20_000_000_000, "77737706"),
    ] {
        assert_eq!(truncated(&key, time / 30, 8), code, "{time}");
    }
}

/// The dynamic truncation of RFC 4226, 5.3: of the vectors only, for the codes are not cut so.
fn truncated(key: &hmac::Key, counter: u64, digits: usize) -> String {
    let mac = hmac::sign(key, &counter.to_be_bytes());
    let mac = mac.as_ref();
    let offset = usize::from(mac[mac.len() - 1] & 0xf);
    let cut: [u8; 4] = mac[offset..offset + 4].try_into().unwrap();
    let number = u64::from(u32::from_be_bytes(cut) & 0x7fff_ffff);
    let length = CodeLength::new(u8::try_from(digits).unwrap()).unwrap();
    let code = derivation::reduce(number.to_be_bytes(), length);
    code.reveal().to_owned()
}

#[test]
fn the_documented_session_has_the_documented_key_and_codes() {
    let (master, nonce) = (run::<32>(0x00), run::<32>(0x20));
    let session = SessionId::from_bytes(run(0x40));
    let address = Address::parse("person@example.com").unwrap();
    let length = CodeLength::DEFAULT;

    let info = derivation::info(1, &session, &sha256(address.as_str().as_bytes()), length);
    let Bytes(key) = hkdf::key(&nonce, &master, &[&info], Length(32));
    assert_eq!(
        hex(&key),
        "977c04598f2390f0b2646b50ca7a4eed06d21370fb953d6274deee7834d44df8"
    );

    let ring = KeyRing::unchecked(&[(1, master)], 1, [0; 32]);
    let vault = RingVault::new(ring, Arc::new(OsEntropy::new()));
    let secret = CodeSecret { kid: 1, nonce };
    let codes = [0, 1, 2, 3].map(|generation| {
        let code = vault.derive(&secret, &session, &address, length, generation);
        code.unwrap().reveal().to_owned()
    });
    assert_eq!(codes, ["160351", "070862", "307505", "284175"]);
}

/// Computed from the documented layout by another implementation of HMAC.
#[test]
fn the_documented_request_has_the_documented_digests() {
    let ring = KeyRing::unchecked(&[(1, [1; 32])], 1, run(0x60));
    let vault = RingVault::new(ring, Arc::new(OsEntropy::new()));
    let owner = Owner {
        project: ProjectName::parse("acme").unwrap(),
        mode: Mode::Test,
    };

    let key = vault.digest_idempotency_key(&owner, Endpoint::Resend, "key-1");
    assert_eq!(
        hex(&key.0),
        "e3efe7b466c2ca79ac5dc2ad2b2bc3eabd52e482435fec678bd78dd675522a87"
    );
    let request = vault.digest_request(&key, br#"{"email":"person@example.com"}"#);
    assert_eq!(
        hex(&request.0),
        "2b758ca45af1c4f8d40c789e49a152c3f6946b166db39b55b53756b7c38c2ac4"
    );
}
