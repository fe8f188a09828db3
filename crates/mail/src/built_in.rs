//! The texts and layouts that are built in.

use crate::Tone;

/// One file of texts, unread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    pub(crate) language: &'a str,
    pub(crate) tone: Tone,
    pub(crate) file: &'a str,
    pub(crate) text: &'a str,
}

macro_rules! sources {
    ($tone:expr, $suffix:literal: $($tag:literal)*) => {
        [$(Source {
            language: $tag,
            tone: $tone,
            file: concat!($tag, $suffix),
            text: include_str!(concat!("../templates/", $tag, $suffix)),
        }),*]
    };
}

/// The first language is the one of readers whose own there is not.
pub(crate) const TEXTS: [Source<'static>; 30] = sources!(Tone::Formal, ".texts":
    "en" "de" "ar" "cs" "da" "el" "es" "fi" "fr" "he" "hi" "hu" "id" "it" "ja" "ko" "nb" "nl" "pl"
    "pt-BR" "pt-PT" "ro" "ru" "sk" "sv" "tr" "uk" "vi" "zh-Hans" "zh-Hant");

/// Languages of which there is a second form, for readers who are on familiar terms.
pub(crate) const INFORMAL: [Source<'static>; 1] = sources!(Tone::Informal, ".informal.texts": "de");

/// A layout: its file and its content.
pub(crate) type Layout<'a> = (&'a str, &'a str);

pub(crate) const TEXT_LAYOUT: Layout<'static> =
    ("layout.txt", include_str!("../templates/layout.txt"));
pub(crate) const HTML_LAYOUT: Layout<'static> =
    ("layout.html", include_str!("../templates/layout.html"));
