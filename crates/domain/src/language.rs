//! The language of a mail, and the choice of the nearest one that there is.

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt;

/// A BCP 47 language tag of which messages exist, such as `en` or `zh-Hant`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Language(String);

impl Language {
    /// The language named by `tag`, which is taken as it is.
    #[must_use]
    pub fn new(tag: &str) -> Self {
        Self(tag.to_owned())
    }

    /// The tag.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The one of `available` that serves a reader of `wanted` best: the tag itself, else the
    /// tag shortened from its end (RFC 4647, 3.4, lookup).
    #[must_use]
    pub fn nearest<'a>(available: &'a [Self], wanted: &str) -> Option<&'a Self> {
        let mut range = wanted;
        loop {
            if let Some(found) = available
                .iter()
                .find(|one| one.0.eq_ignore_ascii_case(range))
            {
                return Some(found);
            }
            let (head, _) = range.rsplit_once('-')?;
            // A single character only introduces what was cut off with it.
            range = match head.rsplit_once('-') {
                Some((rest, singleton)) if singleton.len() == 1 => rest,
                _ => head,
            };
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_language_wins() {
        let available = ["en", "de", "zh-Hant"].map(Language::new);
        for (wanted, found) in [
            ("de", Some("de")),
            ("DE-at-1996", Some("de")),
            ("de-u-co-phonebk", Some("de")),
            ("zh-Hant-TW", Some("zh-Hant")),
            ("zh", None),
            ("fr-CA", None),
            ("", None),
        ] {
            let nearest = Language::nearest(&available, wanted).map(Language::as_str);
            assert_eq!(nearest, found, "{wanted}");
        }
    }
}
