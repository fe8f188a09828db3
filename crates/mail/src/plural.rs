//! The plural forms of a language, by the rules of CLDR.

use std::collections::BTreeMap;

use icu_locale_core::Locale;
use icu_plurals::{PluralCategory, PluralRules};
use otpost_domain::Language;

/// Counts up to here show every form that a message can need: none counts further, and none has
/// a fraction.
const COUNT_MAX: u64 = 120;

/// The form that `count` of something takes in `language`, as CLDR calls it.
pub(crate) fn form(language: &Language, count: u64) -> &'static str {
    name_of(rules(language).as_ref(), count)
}

/// The forms of `language`, each with the counts that take it.
pub(crate) fn forms(language: &Language) -> BTreeMap<&'static str, Vec<u64>> {
    let rules = rules(language);
    let mut forms = BTreeMap::<_, Vec<u64>>::new();
    for count in 0..=COUNT_MAX {
        let form = name_of(rules.as_ref(), count);
        forms.entry(form).or_default().push(count);
    }
    forms
}

fn rules(language: &Language) -> Option<PluralRules> {
    let locale = Locale::try_from_str(language.as_str()).ok()?;
    PluralRules::try_new_cardinal(locale.into()).ok()
}

fn name_of(rules: Option<&PluralRules>, count: u64) -> &'static str {
    // CLDR's own answer for a language that it does not know.
    let category = rules.map_or(PluralCategory::Other, |rules| rules.category_for(count));
    match category {
        PluralCategory::Zero => "zero",
        PluralCategory::One => "one",
        PluralCategory::Two => "two",
        PluralCategory::Few => "few",
        PluralCategory::Many => "many",
        PluralCategory::Other => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_are_those_of_cldr_for_whole_numbers() {
        for (tag, expected) in [
            ("ja", "other"),
            ("en", "one other"),
            // "many" is for millions there, and for fractions in Czech.
            ("fr", "one other"),
            ("cs", "few one other"),
            ("ro", "few one other"),
            ("pl", "few many one"),
            ("ru", "few many one"),
            ("he", "one other two"),
            ("ar", "few many one other two zero"),
            ("zh-Hant", "other"),
            ("not a tag", "other"),
        ] {
            let forms: Vec<_> = forms(&Language::new(tag)).into_keys().collect();
            assert_eq!(forms.join(" "), expected, "{tag}");
        }
    }

    #[test]
    fn a_count_takes_the_form_of_its_language() {
        for (tag, count, expected) in [
            ("en", 1, "one"),
            ("en", 0, "other"),
            ("fr", 0, "one"),
            ("pt-BR", 0, "one"),
            ("pt-PT", 0, "other"),
            ("pl", 22, "few"),
            ("pl", 21, "many"),
            ("ru", 21, "one"),
            ("ro", 19, "few"),
            ("ro", 20, "other"),
            ("ar", 2, "two"),
            ("ar", 11, "many"),
            ("ar", 100, "other"),
        ] {
            assert_eq!(form(&Language::new(tag), count), expected, "{count} {tag}");
        }
    }
}
