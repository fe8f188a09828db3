//! The texts of one language: a file of `key = text` lines, with a section for each template.

use std::collections::BTreeMap;

use otpost_domain::{Language, TemplateName};

use crate::TemplateError;

/// Every key that each template of a language must find, in its section or above all sections.
pub(crate) const KEYS: [&str; 15] = [
    "direction",
    "subject",
    "preheader",
    "heading",
    "greeting",
    "where",
    "label",
    "validity",
    "ignore",
    "seconds_one",
    "seconds_other",
    "minutes_one",
    "minutes_other",
    "hours_one",
    "hours_other",
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
    pub(crate) file: String,
    common: BTreeMap<String, Line>,
    sections: BTreeMap<TemplateName, BTreeMap<String, Line>>,
}

impl Texts {
    /// Reads `source`. Blank lines and lines that begin with `#` say nothing.
    pub(crate) fn parse(
        language: Language,
        file: &str,
        source: &str,
    ) -> Result<Self, TemplateError> {
        let mut texts = Self {
            language,
            file: file.to_owned(),
            common: BTreeMap::new(),
            sections: BTreeMap::new(),
        };
        let mut section = None;
        for (index, line) in source.lines().enumerate() {
            let (number, line) = (index + 1, line.trim());
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let problem = |text: String| TemplateError::new(file, number, text);
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
            if !KEYS.contains(&key) {
                return Err(problem(format!("there is no key {key}")));
            }
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
        Ok(texts)
    }

    /// The templates that have a section.
    pub(crate) fn templates(&self) -> impl Iterator<Item = &TemplateName> {
        self.sections.keys()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(source: &str) -> Result<Texts, TemplateError> {
        Texts::parse(Language::new("en"), "en.texts", source)
    }

    #[test]
    fn a_section_wins_over_what_stands_above_it() {
        let texts = parse("# all\nlabel = A = B\n\n[login]\n[reset]\nlabel = C\n").unwrap();
        let get = |template| {
            let line = texts
                .get(&TemplateName::parse(template).unwrap(), "label")
                .unwrap();
            (line.number, line.text.as_str())
        };

        assert_eq!(get("login"), (2, "A = B"));
        assert_eq!(get("reset"), (6, "C"));
        assert_eq!(texts.templates().count(), 2);
    }

    #[test]
    fn a_slip_is_refused_with_its_line() {
        for (source, line) in [
            ("\nlable = A", 2),
            ("label = A\nlabel = B", 2),
            ("label", 1),
            ("[Log in]", 1),
        ] {
            assert_eq!(parse(source).unwrap_err().line, line, "{source}");
        }
    }

    #[test]
    fn a_key_that_is_nowhere_is_an_error() {
        let texts = parse("[login]\nlabel = A").unwrap();
        let error = texts
            .get(&TemplateName::parse("login").unwrap(), "where")
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "en.texts:1: the template login has no where"
        );
    }
}
