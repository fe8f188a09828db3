//! API keys: their text, whom they stand for and what they may do.

use alloc::string::String;
use core::fmt;

use subtle::ConstantTimeEq;

use crate::base62;

const ID_LENGTH: usize = 8;
const SECRET_LENGTH: usize = 43;

/// Whether sessions are real, or belong to automated tests of an application.
///
/// Sessions of one mode do not exist for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Mails go out and limits count.
    Live,
    /// The code is known beforehand, nothing is mailed and nothing is counted.
    Test,
}

impl Mode {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Live => "otp_live_",
            Self::Test => "otp_test_",
        }
    }
}

/// The public part of a key, by which operators name it: 8 base62 characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId([u8; ID_LENGTH]);

impl KeyId {
    /// The identifier that `text` writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes().try_into().ok()?;
        base62::is_base62(text).then_some(Self(bytes))
    }

    /// The identifier as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// The whole key as a client presents it: `otp_live_` or `otp_test_`, an identifier of 8
/// characters and 43 characters for 256 random bits.
///
/// Secret: it is shown once, and only its digest is kept.
#[derive(Clone)]
pub struct ApiKey {
    text: String,
    mode: Mode,
    id: KeyId,
}

impl ApiKey {
    /// Makes a key from random bytes: 6 for its identifier, 32 for its secret.
    #[must_use]
    pub fn new(mode: Mode, id: [u8; 6], secret: [u8; 32]) -> Self {
        // 47 bits: eight base62 digits hold them, whatever they are.
        let number = [id[0] & 0x7f, id[1], id[2], id[3], id[4], id[5]];
        let id = base62::encode(&number, ID_LENGTH);
        let mut text = String::from(mode.prefix());
        text.push_str(&id);
        text.push_str(&base62::encode(&secret, SECRET_LENGTH));
        let id = KeyId(core::array::from_fn(|place| id.as_bytes()[place]));
        Self { text, mode, id }
    }

    /// Reads what a client presented; `None` when it has not the form of a key.
    #[must_use]
    pub fn parse(presented: &str) -> Option<Self> {
        let (mode, rest) = [Mode::Live, Mode::Test]
            .into_iter()
            .find_map(|mode| Some((mode, presented.strip_prefix(mode.prefix())?)))?;
        if rest.len() != ID_LENGTH + SECRET_LENGTH || !base62::is_base62(rest) {
            return None;
        }
        let id = KeyId::parse(rest.get(..ID_LENGTH)?)?;
        Some(Self {
            text: presented.into(),
            mode,
            id,
        })
    }

    /// Whether it is a live or a test key.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Its public part.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// The key in the clear: to show it once, and to digest it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({}…)", self.id)
    }
}

/// SHA-256 of a whole key: all that is kept of it. 256 random bits need no slower digest.
#[derive(Clone, Debug)]
pub struct KeyDigest(pub [u8; 32]);

impl KeyDigest {
    /// Whether both are the same, in a time that does not depend on where they differ.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// One thing that a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// To send, verify, resend, and see the status.
    Otp,
    /// To look recipients of its project up, to release and to erase them.
    Admin,
}

impl Permission {
    /// Its name, as command lines, databases and answers write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Otp => "otp",
            Self::Admin => "admin",
        }
    }
}

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Permissions {
    /// [`Permission::Otp`].
    pub otp: bool,
    /// [`Permission::Admin`].
    pub admin: bool,
}

impl Permissions {
    /// Every permission's name.
    pub const NAMES: [&'static str; 2] = [Permission::Otp.name(), Permission::Admin.name()];

    /// The permissions named in `names`, separated by blanks; `None` for an unknown one.
    #[must_use]
    pub fn parse(names: &str) -> Option<Self> {
        let mut permissions = Self::default();
        for name in names.split_whitespace() {
            match name {
                "otp" => permissions.otp = true,
                "admin" => permissions.admin = true,
                _ => return None,
            }
        }
        Some(permissions)
    }

    /// Whether `permission` is among them.
    #[must_use]
    pub const fn include(self, permission: Permission) -> bool {
        match permission {
            Permission::Otp => self.otp,
            Permission::Admin => self.admin,
        }
    }

    /// The names of what is permitted, separated by blanks.
    #[must_use]
    pub const fn names(self) -> &'static str {
        match (self.otp, self.admin) {
            (false, false) => "",
            (true, false) => "otp",
            (false, true) => "admin",
            (true, true) => "otp admin",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn a_key_survives_its_text() {
        for mode in [Mode::Live, Mode::Test] {
            let key = ApiKey::new(mode, [0xff; 6], [0xff; 32]);
            let read = ApiKey::parse(key.reveal()).unwrap();
            assert_eq!((read.mode(), read.id()), (mode, key.id()));
            assert_eq!(key.reveal().len(), 9 + 8 + 43);
        }
    }

    #[test]
    fn what_has_not_the_form_of_a_key_is_none() {
        let key = ApiKey::new(Mode::Live, [1; 6], [2; 32]);
        let text = key.reveal();
        for presented in [
            "",
            "otp_live_",
            &text[1..],
            &text[..text.len() - 1],
            &format!("{text}0"),
            &text.replace("live", "dead"),
            &text.replace('0', "-"),
            "YOUR_API_KEY",
        ] {
            assert!(ApiKey::parse(presented).is_none(), "{presented}");
        }
    }

    #[test]
    fn permissions_survive_their_names() {
        for (otp, admin) in [(false, false), (true, false), (false, true), (true, true)] {
            let permissions = Permissions { otp, admin };
            assert_eq!(Permissions::parse(permissions.names()), Some(permissions));
            assert_eq!(permissions.include(Permission::Otp), otp);
            assert_eq!(permissions.include(Permission::Admin), admin);
        }
        assert_eq!(Permissions::parse("otp root"), None);
    }

    #[test]
    fn debug_output_does_not_hold_the_secret() {
        let key = ApiKey::new(Mode::Live, [1; 6], [2; 32]);
        assert!(!format!("{key:?}").contains(&key.reveal()[17..]));
    }
}
