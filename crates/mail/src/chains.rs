//! Which files a message is taken from: one's own before those that are built in.

use std::sync::Arc;

use otpost_domain::Language;

use crate::Tone;
use crate::texts::{Sheet, Texts};

/// The texts of every language and tone that there is a file of. The built-in languages come
/// first, in their order.
///
/// In each, a file of one's own comes before one that is built in, then the language before the
/// one that it is a kind of (`en-GB`, `en`), then the informal file before the other.
pub(crate) fn chains(base: &[Arc<Sheet>], own: &[Arc<Sheet>]) -> Vec<Texts> {
    let mut languages: Vec<Language> = Vec::new();
    for sheet in base.iter().chain(own) {
        if !languages.contains(&sheet.language) {
            languages.push(sheet.language.clone());
        }
    }
    let mut texts = Vec::new();
    for language in &languages {
        let is_built_in = base.iter().any(|sheet| sheet.language == *language);
        let line = lineage(language, is_built_in, &languages);
        for tone in [Tone::Formal, Tone::Informal] {
            let tones: &[Tone] = match tone {
                Tone::Formal => &[Tone::Formal],
                Tone::Informal => &[Tone::Informal, Tone::Formal],
            };
            let mut sheets = chosen(own, &line, tones);
            let own_count = sheets.len();
            sheets.extend(chosen(base, &line, tones));
            if sheets.iter().any(|sheet| sheet.tone == tone) {
                texts.push(Texts::new(language.clone(), tone, sheets, own_count));
            }
        }
    }
    texts
}

/// `language`, and the one that it is a kind of. A built-in one stands for itself.
fn lineage(language: &Language, is_built_in: bool, all: &[Language]) -> Vec<Language> {
    let mut lineage = vec![language.clone()];
    if !is_built_in {
        let mut others = all.to_vec();
        others.retain(|one| one != language);
        lineage.extend(Language::nearest(&others, language.as_str()).cloned());
    }
    lineage
}

fn chosen(pool: &[Arc<Sheet>], lineage: &[Language], tones: &[Tone]) -> Vec<Arc<Sheet>> {
    let mut chosen = Vec::new();
    for language in lineage {
        for tone in tones {
            let mut pool = pool.iter();
            let found = pool.find(|sheet| sheet.language == *language && sheet.tone == *tone);
            chosen.extend(found.cloned());
        }
    }
    chosen
}
