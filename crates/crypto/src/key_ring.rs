//! The keys of a configuration, read and checked.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use otpost_ports::VaultError;
use secrecy::{ExposeSecret, SecretBox};
use zeroize::Zeroizing;

use crate::Weakness;

/// 256 bits that are erased when they are dropped, and never shown.
pub(crate) type Key = SecretBox<[u8; 32]>;

/// The master keys by number, the one for new sessions, and the index key.
///
/// A new master key is loaded on every node, then made the active one; an old one is taken out
/// after the longest life of a session and its retention. The index key never changes, or
/// addresses would be counted anew and an erasure would miss rows.
pub struct KeyRing {
    masters: BTreeMap<u32, Key>,
    active: u32,
    index: Key,
}

/// Shows the numbers of the keys, and no key.
impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing")
            .field("masters", &self.masters.keys())
            .field("active", &self.active)
            .finish_non_exhaustive()
    }
}

/// Which key is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyName {
    /// The master key of this number.
    Master(u32),
    /// The index key.
    Index,
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Master(kid) => write!(f, "master key {kid}"),
            Self::Index => f.write_str("the index key"),
        }
    }
}

/// Why a configuration's keys are refused. No message holds any part of a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is no master key.
    #[error("there is no master key")]
    NoMasterKey,
    /// There is no index key.
    #[error("there is no index key")]
    NoIndexKey,
    /// An entry is not `NUMBER:BASE64`, its number from 1. Counted from 1.
    #[error("entry {0} is not NUMBER:BASE64 with a number from 1")]
    Entry(usize),
    /// Two entries have one number.
    #[error("two master keys have the number {0}")]
    Duplicate(u32),
    /// It is no base64 (RFC 4648, 4, with padding).
    #[error("{0} is not base64")]
    NotBase64(KeyName),
    /// It has not 32 bytes.
    #[error("{key} has {bytes} bytes and needs 32")]
    Length {
        /// Which key.
        key: KeyName,
        /// How many it has.
        bytes: usize,
    },
    /// It was not drawn at random.
    #[error("{key} is weak: {weakness}")]
    Weak {
        /// Which key.
        key: KeyName,
        /// What gives it away.
        weakness: Weakness,
    },
    /// One key stands in two places.
    #[error("{0} and {1} are the same key")]
    Reused(KeyName, KeyName),
    /// The active key is not in the ring.
    #[error("there is no master key of the number {0}")]
    UnknownActive(u32),
}

impl KeyRing {
    /// Reads `masters`, entries of the form `NUMBER:BASE64`, and the `index` key in base64, each
    /// of 32 bytes. Sessions are opened under the master key of the number `active`.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with them.
    pub fn parse<'a>(
        masters: impl IntoIterator<Item = &'a str>,
        active: u32,
        index: &str,
    ) -> Result<Self, KeyError> {
        let mut ring = BTreeMap::new();
        for (place, entry) in masters.into_iter().enumerate() {
            let (kid, text) = split(entry).ok_or(KeyError::Entry(place + 1))?;
            let key = read(KeyName::Master(kid), text)?;
            if ring.insert(kid, key).is_some() {
                return Err(KeyError::Duplicate(kid));
            }
        }
        if ring.is_empty() {
            return Err(KeyError::NoMasterKey);
        }
        if index.trim().is_empty() {
            return Err(KeyError::NoIndexKey);
        }
        let index = read(KeyName::Index, index)?;
        refuse_reuse(&ring, &index)?;
        if !ring.contains_key(&active) {
            return Err(KeyError::UnknownActive(active));
        }
        Ok(Self {
            masters: ring,
            active,
            index,
        })
    }

    /// The number of the key for new sessions.
    #[must_use]
    pub const fn active(&self) -> u32 {
        self.active
    }

    pub(crate) fn master(&self, kid: u32) -> Result<&[u8; 32], VaultError> {
        let key = self.masters.get(&kid).ok_or(VaultError::UnknownKey(kid))?;
        Ok(key.expose_secret())
    }

    pub(crate) fn index(&self) -> &[u8; 32] {
        self.index.expose_secret()
    }

    /// A ring of these very keys, which the documented vectors need: [`KeyRing::parse`] refuses
    /// them.
    #[cfg(test)]
    pub(crate) fn unchecked(masters: &[(u32, [u8; 32])], active: u32, index: [u8; 32]) -> Self {
        let key = |bytes: &[u8; 32]| Key::new(Box::new(*bytes));
        Self {
            masters: masters
                .iter()
                .map(|(kid, bytes)| (*kid, key(bytes)))
                .collect(),
            active,
            index: key(&index),
        }
    }
}

fn split(entry: &str) -> Option<(u32, &str)> {
    let (number, key) = entry.trim().split_once(':')?;
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    let kid = number.parse().ok().filter(|kid| is_number && *kid > 0)?;
    Some((kid, key))
}

fn read(name: KeyName, text: &str) -> Result<Key, KeyError> {
    let bytes = STANDARD.decode(text.trim());
    let bytes = Zeroizing::new(bytes.map_err(|_| KeyError::NotBase64(name))?);
    let mut key = Key::new(Box::new([0; 32]));
    if bytes.len() != key.expose_secret().len() {
        return Err(KeyError::Length {
            key: name,
            bytes: bytes.len(),
        });
    }
    secrecy::ExposeSecretMut::expose_secret_mut(&mut key).copy_from_slice(&bytes);
    match Weakness::of(key.expose_secret()) {
        Some(weakness) => Err(KeyError::Weak {
            key: name,
            weakness,
        }),
        None => Ok(key),
    }
}

/// A key known by two names is a mistake of copying: taking one of them out would achieve nothing.
fn refuse_reuse(masters: &BTreeMap<u32, Key>, index: &Key) -> Result<(), KeyError> {
    let named = masters
        .iter()
        .map(|(kid, key)| (KeyName::Master(*kid), key));
    let named: Vec<_> = named.chain([(KeyName::Index, index)]).collect();
    for (place, (name, key)) in named.iter().enumerate() {
        for (other, same) in &named[place + 1..] {
            if key.expose_secret() == same.expose_secret() {
                return Err(KeyError::Reused(*name, *other));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{new_index_key, new_master_key};
    use otpost_testkit::SeededEntropy;

    fn encode(byte: impl Fn(u8) -> u8) -> String {
        STANDARD.encode((0..32).map(byte).collect::<Vec<_>>())
    }

    fn fresh(seed: u64) -> String {
        let key = new_index_key(&SeededEntropy::new(seed << 32)).unwrap();
        key.expose_secret().to_owned()
    }

    fn error(masters: &[&str], active: u32, index: &str) -> KeyError {
        KeyRing::parse(masters.iter().copied(), active, index).unwrap_err()
    }

    #[test]
    fn fresh_keys_are_taken() {
        let entropy = SeededEntropy::default();
        let keys = [7, 4_294_967_295].map(|kid| new_master_key(kid, &entropy).unwrap());
        let entries = keys.iter().map(ExposeSecret::expose_secret);

        let ring = KeyRing::parse(entries, 7, &fresh(9)).unwrap();

        assert_eq!(ring.active(), 7);
        assert!(ring.master(7).is_ok() && ring.master(4_294_967_295).is_ok());
        assert_eq!(ring.master(8), Err(VaultError::UnknownKey(8)));
    }

    #[test]
    fn what_is_missing_is_named() {
        let entry = format!("1:{}", fresh(1));
        assert_eq!(error(&[], 1, &fresh(2)), KeyError::NoMasterKey);
        assert_eq!(error(&[&entry], 1, " \n"), KeyError::NoIndexKey);
        assert_eq!(error(&[&entry], 2, &fresh(2)), KeyError::UnknownActive(2));
    }

    #[test]
    fn an_entry_has_a_number_and_a_key() {
        let good = format!("1:{}", fresh(1));
        for number in ["", "0", "-1", "+2", "4294967296", "one", "2:3"] {
            let entry = format!("{number}:{}", fresh(2));
            let refused = error(&[&good, &entry], 1, &fresh(3));
            let expected = match number {
                "2:3" => KeyError::NotBase64(KeyName::Master(2)),
                _ => KeyError::Entry(2),
            };
            assert_eq!(refused, expected, "{number}");
        }
        assert_eq!(error(&[&fresh(2)], 1, &fresh(3)), KeyError::Entry(1));
    }

    #[test]
    fn a_weak_key_is_refused_wherever_it_stands() {
        let (master, index) = (format!("1:{}", fresh(1)), fresh(2));
        for (name, text, weakness) in [
            ("constant", encode(|_| 7), Weakness::Constant),
            ("the example", encode(|place| place), Weakness::Example),
            ("another", encode(|place| 0x20 + place), Weakness::Example),
            (
                "a pattern",
                encode(|place| place % 4 * 9),
                Weakness::Pattern,
            ),
        ] {
            let key = KeyName::Master(2);
            let entry = format!("2:{text}");
            let refused = error(&[&master, &entry], 1, &index);
            assert_eq!(refused, KeyError::Weak { key, weakness }, "{name}");

            let key = KeyName::Index;
            let refused = error(&[&master], 1, &text);
            assert_eq!(refused, KeyError::Weak { key, weakness }, "{name}");
        }
    }

    #[test]
    fn a_key_of_another_length_is_refused() {
        let master = format!("1:{}", fresh(1));
        for bytes in [1, 16, 31, 33, 64] {
            let text = STANDARD.encode(vec![1; bytes]);
            let key = KeyName::Index;
            assert_eq!(error(&[&master], 1, &text), KeyError::Length { key, bytes });
        }
        for text in ["changeme", "not base64!", "AAEC=AwQ"] {
            let key = KeyName::Master(1);
            let refused = error(&[&format!("1:{text}")], 1, &fresh(1));
            let is_refused = match &refused {
                KeyError::NotBase64(named) | KeyError::Length { key: named, .. } => *named == key,
                _ => false,
            };
            assert!(is_refused, "{text}: {refused}");
        }
    }

    #[test]
    fn one_key_in_two_places_is_refused() {
        let key = fresh(1);
        let (one, two) = (format!("1:{key}"), format!("2:{key}"));
        let masters = KeyError::Reused(KeyName::Master(1), KeyName::Master(2));
        assert_eq!(error(&[&one, &two], 1, &fresh(2)), masters);
        let index = KeyError::Reused(KeyName::Master(1), KeyName::Index);
        assert_eq!(error(&[&one], 1, &key), index);

        let other = format!("1:{}", fresh(2));
        assert_eq!(error(&[&one, &other], 1, &fresh(3)), KeyError::Duplicate(1));
    }

    #[test]
    fn neither_debug_output_nor_an_error_shows_a_key() {
        let (master, index) = (fresh(1), fresh(2));
        let ring = KeyRing::parse([&*format!("1:{master}")], 1, &index).unwrap();
        let shown = format!("{ring:?}");
        assert!(shown.contains('1'), "{shown}");

        let short = &master[..20];
        let refused = error(&[&format!("1:{short}")], 1, &index);
        for text in [shown, format!("{refused:?} {refused}")] {
            for part in [&master[..8], &index[..8], "[", "0x"] {
                let is_list_of_numbers = part == "[" && text.contains("[1]");
                assert!(is_list_of_numbers || !text.contains(part), "{text}");
            }
        }
    }
}
