//! The texts of one language: a file of `key = text` lines, with a section for each template.

use std::collections::BTreeMap;

use otpost_domain::{Language, TemplateName};

use crate::built_in::Source;
use crate::lifetime::UNITS;
use crate::{TemplateError, Tone, plural};

/// Every key that each template of a language must find, in its section or above all sections.
/// Beside them are the units, in each plural form that the language has: `minutes_few`.
const KEYS: [&str; 9] = [
    "direction",
    "subject",
    "preheader",
    "heading",
    "greeting",
    "where",
    "label",
    "validity",
    "ignore",
];

/// One text, and the line of the file that it stands on.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) number: usize,
    pub(crate) text: String,
}

#[derive(Debug)]
pub(crate) struct Texts {
    pub(crate) language: Language,
    pub(crate) tone: Tone,
    pub(crate) file: String,
    common: BTreeMap<String, Line>,
    sections: BTreeMap<TemplateName, BTreeMap<String, Line>>,
}

impl Texts {
    /// Reads `source`. Blank lines and lines that begin with `#` say nothing.
    pub(crate) fn parse(source: &Source<'_>) -> Result<Self, TemplateError> {
        let mut texts = Self {
            language: Language::new(source.language),
            tone: source.tone,
            file: source.file.to_owned(),
            common: BTreeMap::new(),
            sections: BTreeMap::new(),
        };
        let units = unit_keys(&texts.language);
        let mut section = None;
        for (index, line) in source.text.lines().enumerate() {
            let (number, line) = (index + 1, line.trim());
            let problem = |text: String| TemplateError::new(source.file, number, text);
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(name) = line
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'))
            {
                let name = TemplateName::parse(name).map_err(|error| problem(error.to_string()))?;
                texts.sections.entry(name.clone()).or_default();
                section = Some(name);
                continue;
            }
            let (key, text) = line
                .split_once('=')
                .map(|(key, text)| (key.trim(), text.trim()))
                .ok_or_else(|| problem("a line is `key = text` or `[template]`".to_owned()))?;
            check(key, text, &units).map_err(problem)?;
            let lines = match &section {
                Some(name) => texts.sections.entry(name.clone()).or_default(),
                None => &mut texts.common,
            };
            let text = text.to_owned();
            if lines
                .insert(key.to_owned(), Line { number, text })
                .is_some()
            {
                return Err(problem(format!("the key {key} is given twice")));
            }
        }
        texts.check_whole(&units)?;
        Ok(texts)
    }

    fn check_whole(&self, units: &[String]) -> Result<(), TemplateError> {
        for template in self.templates() {
            for key in KEYS.into_iter().chain(units.iter().map(String::as_str)) {
                self.get(template, key)?;
            }
        }
        Ok(())
    }

    /// The templates that have a section.
    pub(crate) fn templates(&self) -> impl Iterator<Item = &TemplateName> {
        self.sections.keys()
    }

    /// Every text.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &Line> {
        self.common
            .values()
            .chain(self.sections.values().flat_map(BTreeMap::values))
    }

    /// The text of `key` in `template`.
    pub(crate) fn get(&self, template: &TemplateName, key: &str) -> Result<&Line, TemplateError> {
        self.sections
            .get(template)
            .and_then(|lines| lines.get(key))
            .or_else(|| self.common.get(key))
            .ok_or_else(|| {
                let problem = format!("the template {template} has no {key}");
                TemplateError::new(&self.file, 1, problem)
            })
    }
}

fn unit_keys(language: &Language) -> Vec<String> {
    let forms = plural::forms(language);
    UNITS
        .iter()
        .flat_map(|unit| forms.keys().map(move |form| format!("{unit}_{form}")))
        .collect()
}

fn check(key: &str, text: &str, units: &[String]) -> Result<(), String> {
    if key == "direction" && !["ltr", "rtl"].contains(&text) {
        return Err("the direction is ltr or rtl".to_owned());
    }
    if KEYS.contains(&key) || units.iter().any(|one| one == key) {
        return Ok(());
    }
    let is_unit = key
        .split_once('_')
        .is_some_and(|(unit, _)| UNITS.contains(&unit));
    Err(if is_unit {
        let units = units.join(", ");
        format!("the language has no plural form {key}: it has {units}")
    } else {
        format!("there is no key {key}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(language: &str, text: &str) -> Result<Texts, TemplateError> {
        Texts::parse(&Source {
            language,
            tone: Tone::Formal,
            file: "a.texts",
            text,
        })
    }

    const WHOLE: &str = "direction = ltr\nsubject = A\npreheader = A\nheading = A\ngreeting = A\n\
        where = A\nvalidity = A\nignore = A\nseconds_one = A\nseconds_other = A\n\
        minutes_one = A\nminutes_other = A\nhours_one = A\nhours_other = A\n";

    #[test]
    fn a_section_wins_over_what_stands_above_it() {
        let source = format!("{WHOLE}# all\nlabel = A = B\n\n[login]\n[reset]\nlabel = C\n");
        let texts = parse("en", &source).unwrap();
        let get = |template| {
            let line = texts
                .get(&TemplateName::parse(template).unwrap(), "label")
                .unwrap();
            (line.number, line.text.as_str())
        };

        assert_eq!(get("login"), (16, "A = B"));
        assert_eq!(get("reset"), (20, "C"));
        assert_eq!(texts.templates().count(), 2);
        assert_eq!(texts.lines().count(), 16);
    }

    #[test]
    fn a_slip_is_refused_with_its_line() {
        for (source, line) in [
            ("\nlable = A", 2),
            ("label = A\nlabel = B", 2),
            ("label", 1),
            ("[Log in]", 1),
            ("\ndirection = left", 2),
            ("\n\nminutes = A", 3),
        ] {
            assert_eq!(parse("en", source).unwrap_err().line, line, "{source}");
        }
    }

    #[test]
    fn a_key_that_is_nowhere_is_an_error() {
        let error = parse("en", &format!("{WHOLE}[login]")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a.texts:1: the template login has no label"
        );
    }

    #[test]
    fn units_come_in_the_plural_forms_of_the_language_and_no_others() {
        let english = format!("{WHOLE}[login]\nlabel = A");
        parse("en", &english).unwrap();

        let missing = parse("cs", &english).unwrap_err();
        assert_eq!(
            missing.to_string(),
            "a.texts:1: the template login has no seconds_few"
        );
        let superfluous = parse("ja", &english).unwrap_err();
        assert_eq!(
            superfluous.to_string(),
            "a.texts:9: the language has no plural form seconds_one: \
             it has seconds_other, minutes_other, hours_other"
        );
    }
}
