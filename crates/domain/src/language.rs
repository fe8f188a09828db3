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

    /// The one of `available` that serves a reader of `wanted` best: the tag itself, else what it
    /// is another name for, else the same of the tag shortened from its end (RFC 4647, 3.4,
    /// lookup). So `zh-HK` finds `zh-Hant`, `pt` finds `pt-BR`, and `no-NO` finds `nb`.
    #[must_use]
    pub fn nearest<'a>(available: &'a [Self], wanted: &str) -> Option<&'a Self> {
        let find = |tag: &str| {
            let mut available = available.iter();
            available.find(|one| one.0.eq_ignore_ascii_case(tag))
        };
        let mut range = wanted;
        loop {
            if let Some(found) = find(range).or_else(|| find(stands_for(range)?)) {
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

/// What a tag means that names no script or region, or is another name, where cutting it short
/// would lose its reader. A part of CLDR 48, `common/supplemental`.
const MEANT: [(&str, &[&str]); 7] = [
    // likelySubtags.xml: the script in which a region writes.
    ("zh-Hans", &["zh"]),
    ("zh-Hant", &["zh-TW", "zh-HK", "zh-MO"]),
    ("pt-BR", &["pt"]),
    // supplementalData.xml, parentLocales.
    (
        "pt-PT",
        &[
            "pt-AO", "pt-CH", "pt-CV", "pt-FR", "pt-GQ", "pt-GW", "pt-LU", "pt-MO", "pt-MZ",
            "pt-ST", "pt-TL",
        ],
    ),
    // supplementalMetadata.xml, languageAlias. Who writes `nn` reads `nb`.
    ("nb", &["no", "nn"]),
    ("he", &["iw"]),
    ("id", &["in"]),
];

fn stands_for(tag: &str) -> Option<&'static str> {
    let is_it = |name: &&str| name.eq_ignore_ascii_case(tag);
    let mut meant = MEANT.iter();
    meant
        .find(|(_, names)| names.iter().any(is_it))
        .map(|(meant, _)| *meant)
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

    #[test]
    fn a_reader_is_understood_by_region_and_by_an_old_name() {
        let available = [
            "en", "es", "he", "id", "nb", "pt-BR", "pt-PT", "zh-Hans", "zh-Hant",
        ]
        .map(Language::new);
        for (wanted, found) in [
            ("zh", "zh-Hans"),
            ("zh-CN", "zh-Hans"),
            ("zh-SG", "zh-Hans"),
            ("zh-Hans-HK", "zh-Hans"),
            ("zh-TW", "zh-Hant"),
            ("ZH-hk", "zh-Hant"),
            ("zh-MO-x-a", "zh-Hant"),
            ("zh-Hant-CN", "zh-Hant"),
            ("pt", "pt-BR"),
            ("pt-BR", "pt-BR"),
            ("pt-US", "pt-BR"),
            ("pt-PT", "pt-PT"),
            ("pt-AO", "pt-PT"),
            ("pt-mz", "pt-PT"),
            ("no", "nb"),
            ("no-NO", "nb"),
            ("nn-NO", "nb"),
            ("iw", "he"),
            ("iw-IL", "he"),
            ("in-ID", "id"),
            ("es-419", "es"),
            ("en-GB-oxendict", "en"),
        ] {
            let nearest = Language::nearest(&available, wanted).map(Language::as_str);
            assert_eq!(nearest, Some(found), "{wanted}");
        }
        assert_eq!(Language::nearest(&available, "fr"), None);
    }

    #[test]
    fn what_a_tag_stands_for_is_taken_only_where_it_is() {
        let portuguese = ["pt-BR"].map(Language::new);
        let nearest = Language::nearest(&portuguese, "pt-PT").map(Language::as_str);
        assert_eq!(nearest, Some("pt-BR"), "better than another language");

        let norwegian = ["no", "nb"].map(Language::new);
        let nearest = Language::nearest(&norwegian, "no").map(Language::as_str);
        assert_eq!(nearest, Some("no"), "its own name comes first");
    }
}
