//! The promises of [`Vault`].

use std::collections::BTreeSet;

use otpost_domain::{Address, CodeLength, FoldedAddress, Mode, Network, SessionId};
use otpost_ports::{CodeSecret, Endpoint, Owner, Sealed, SealedField, Vault, VaultError};

use crate::sample::{self, NOON};

const PLAIN: &[u8] = b"person@example.com";

const FIELDS: [SealedField; 3] = [
    SealedField::Address,
    SealedField::Variables,
    SealedField::Answer,
];

/// All that a code depends on.
struct Facts {
    secret: CodeSecret,
    session: SessionId,
    address: Address,
    length: CodeLength,
}

impl Facts {
    fn new(vault: &dyn Vault) -> Self {
        Self {
            secret: vault.new_secret().unwrap(),
            session: session(1),
            address: sample::address(),
            length: CodeLength::new(CodeLength::MAX).unwrap(),
        }
    }

    /// The codes of the first generations: more digits than chance makes agree.
    fn codes(&self, vault: &dyn Vault) -> Vec<String> {
        let derive = |generation| {
            let code = vault.derive(
                &self.secret,
                &self.session,
                &self.address,
                self.length,
                generation,
            );
            code.unwrap().reveal().to_owned()
        };
        (0..4).map(derive).collect()
    }
}

/// The same facts give the same code at any time: nothing else is kept of it.
pub fn a_code_is_derived_again_from_the_same_facts(vault: &dyn Vault) {
    let facts = Facts::new(vault);
    assert_eq!(facts.codes(vault), facts.codes(vault));
}

/// A code has as many digits as the session says.
pub fn a_code_has_the_length_asked_for(vault: &dyn Vault) {
    for digits in CodeLength::MIN..=CodeLength::MAX {
        let length = CodeLength::new(digits).unwrap();
        let facts = Facts {
            length,
            ..Facts::new(vault)
        };
        for code in facts.codes(vault) {
            assert_eq!(code.len(), usize::from(digits));
        }
    }
}

/// Another session's secret gives other codes.
pub fn a_code_depends_on_the_secret(vault: &dyn Vault) {
    let facts = Facts::new(vault);
    let kid = facts.secret.kid;
    let codes = facts.codes(vault);
    let nonce = vault.new_secret().unwrap().nonce;
    let secret = CodeSecret { kid, nonce };
    assert_ne!(Facts { secret, ..facts }.codes(vault), codes);
}

/// A secret that got into another session gives other codes there.
pub fn a_code_depends_on_the_session(vault: &dyn Vault) {
    let facts = Facts::new(vault);
    let codes = facts.codes(vault);
    let session = session(2);
    assert_ne!(Facts { session, ..facts }.codes(vault), codes);
}

/// A code mailed to one address never confirms another, not even another spelling.
pub fn a_code_depends_on_the_address(vault: &dyn Vault) {
    let facts = Facts::new(vault);
    let codes = facts.codes(vault);
    let address = Address::parse("Person@example.com").unwrap();
    assert_ne!(Facts { address, ..facts }.codes(vault), codes);
}

/// A shorter code is no part of a longer one.
pub fn a_code_depends_on_the_length(vault: &dyn Vault) {
    let facts = Facts::new(vault);
    let mut tails = facts.codes(vault);
    for code in &mut tails {
        code.drain(..1);
    }
    let length = CodeLength::new(CodeLength::MAX - 1).unwrap();
    assert_ne!(Facts { length, ..facts }.codes(vault), tails);
}

/// A new generation is a new code.
pub fn a_code_depends_on_the_generation(vault: &dyn Vault) {
    let mut codes = Facts::new(vault).codes(vault);
    codes.sort_unstable();
    codes.dedup();
    assert!(codes.len() > 1, "every generation has the same code");
}

/// Without the key there is no code: it fails closed.
pub fn an_unknown_key_derives_nothing(vault: &dyn Vault) {
    let facts = Facts::new(vault);
    let kid = u32::MAX;
    let secret = CodeSecret {
        kid,
        ..facts.secret
    };
    let code = vault.derive(&secret, &facts.session, &facts.address, facts.length, 0);
    assert!(
        matches!(code, Err(VaultError::UnknownKey(u32::MAX))),
        "{code:?}"
    );
}

/// Each session has its own secret.
pub fn no_two_secrets_agree(vault: &dyn Vault) {
    let nonce = || vault.new_secret().unwrap().nonce;
    let nonces = [nonce(), nonce(), nonce()];
    assert!(nonces[0] != nonces[1] && nonces[1] != nonces[2] && nonces[0] != nonces[2]);
}

/// A recipient is found again by its digest, and is nobody else.
pub fn a_recipient_has_one_digest_and_no_other_has_it(vault: &dyn Vault) {
    let digest = |typed| {
        let address = Address::parse(typed).unwrap();
        vault.digest(&FoldedAddress::of(&address))
    };
    assert_eq!(digest("a@example.com"), digest("A+tag@example.com"));
    assert_ne!(digest("a@example.com"), digest("b@example.com"));
}

/// A network is found again by its digest, and is no other network.
pub fn a_network_has_one_digest_and_no_other_has_it(vault: &dyn Vault) {
    let digest = |typed: &str| vault.digest_network(&Network::of(typed.parse().unwrap()));
    assert_eq!(digest("192.0.2.1"), digest("::ffff:192.0.2.1"));
    assert_eq!(digest("2001:db8::1"), digest("2001:db8::2"));
    let (old, new) = (digest("192.0.2.1"), digest("2001:db8::1"));
    assert!(old != new && old != digest("192.0.2.2"));
    assert_ne!(new, digest("2001:db8:0:1::1"));
}

/// The answer to a request is found again by its key, and by no other key, and not by that key of
/// another project, mode or endpoint.
pub fn an_idempotency_key_has_one_digest_and_no_other_has_it(vault: &dyn Vault) {
    let mut digests = BTreeSet::new();
    let mut all = 0;
    for (project, keys) in [("acme", ["key", "ykey", ""]), ("acmey", ["key", "KEY", ""])] {
        for (mode, key) in keys
            .iter()
            .flat_map(|key| [(Mode::Live, key), (Mode::Test, key)])
        {
            let project = sample::project(project);
            let owner = Owner { project, mode };
            for endpoint in [Endpoint::Send, Endpoint::Verify, Endpoint::Resend] {
                let digest = || vault.digest_idempotency_key(&owner, endpoint, key);
                assert_eq!(digest(), digest());
                digests.insert(digest());
                all += 1;
            }
        }
    }
    assert_eq!(digests.len(), all, "two keys have one digest");
}

/// A request is known by its body under its key, and is no other request.
pub fn a_request_has_one_digest_and_no_other_has_it(vault: &dyn Vault) {
    let key = |key| vault.digest_idempotency_key(&sample::owner(), Endpoint::Send, key);
    let (one, other) = (key("one"), key("other"));
    let digest = |key, body: &[u8]| vault.digest_request(key, body);
    assert_eq!(digest(&one, PLAIN), digest(&one, PLAIN));
    assert_ne!(digest(&one, PLAIN), digest(&other, PLAIN));
    assert_ne!(digest(&one, PLAIN), digest(&one, &PLAIN[1..]));
    assert_ne!(digest(&one, b""), digest(&one, b"\0"));
}

/// What was sealed is opened as it was, whatever its length.
pub fn what_was_sealed_is_opened(vault: &dyn Vault) {
    let long = [0xa5; 10_000];
    for plain in [&b""[..], b"\0", PLAIN, &long] {
        for field in FIELDS {
            let sealed = vault.seal(&session(1), field, plain).unwrap();
            let opened = vault.open(&session(1), field, &sealed);
            assert_eq!(opened.as_deref(), Ok(plain));
        }
    }
}

/// Nothing of the value is to be seen in its seal.
pub fn a_seal_hides_what_it_holds(vault: &dyn Vault) {
    let sealed = seal(vault);
    let is_shown = |part: &[u8]| sealed.0.windows(part.len()).any(|window| window == part);
    for part in PLAIN.windows(4) {
        assert!(!is_shown(part), "{}", String::from_utf8_lossy(part));
    }
}

/// Who sees two seals cannot tell whether they hold the same.
pub fn two_seals_of_one_value_differ(vault: &dyn Vault) {
    assert_ne!(seal(vault), seal(vault));
}

/// A seal put into another session is not opened.
pub fn a_seal_belongs_to_its_session(vault: &dyn Vault) {
    let opened = vault.open(&session(2), SealedField::Address, &seal(vault));
    assert_eq!(opened, Err(VaultError::Tampered));
}

/// A seal passed off as another value is not opened.
pub fn a_seal_belongs_to_its_field(vault: &dyn Vault) {
    for field in FIELDS {
        let sealed = vault.seal(&session(1), field, PLAIN).unwrap();
        for other in FIELDS.into_iter().filter(|other| *other != field) {
            let opened = vault.open(&session(1), other, &sealed);
            assert_eq!(opened, Err(VaultError::Tampered), "{field:?}, {other:?}");
        }
    }
}

/// A seal of which one bit is another, or which is cut or lengthened, is not opened.
pub fn a_seal_that_was_touched_is_not_opened(vault: &dyn Vault) {
    let sealed = seal(vault).0;
    let open = |bytes: Vec<u8>| vault.open(&session(1), SealedField::Address, &Sealed(bytes));
    assert!(open(sealed.clone()).is_ok());

    for place in 0..sealed.len() {
        let mut flipped = sealed.clone();
        flipped[place] ^= 1;
        assert!(open(flipped).is_err(), "byte {place} is not protected");
        assert!(open(sealed[..place].to_vec()).is_err(), "cut at {place}");
    }
    let longer = [&sealed[..], b"\0"].concat();
    assert_eq!(open(longer), Err(VaultError::Tampered));
}

/// A key is known by its digest, and by no other key's.
pub fn an_api_key_has_one_digest_and_no_other_has_it(vault: &dyn Vault) {
    let digest = |number| vault.key_digest(&sample::key(number));
    assert!(digest(1).matches(&digest(1)));
    assert!(!digest(1).matches(&digest(2)));
}

fn session(number: u8) -> SessionId {
    sample::session_id(number, NOON)
}

fn seal(vault: &dyn Vault) -> Sealed {
    vault
        .seal(&session(1), SealedField::Address, PLAIN)
        .unwrap()
}
