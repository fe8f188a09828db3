//! The texts of one language: files of `key = text` lines, with a section for each template.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

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

/// One text, and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) file: Arc<str>,
    pub(crate) number: usize,
    pub(crate) key: String,
    pub(crate) text: String,
}

impl Line {
    /// A name for it that no other line has.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.file, self.number)
    }

    pub(crate) fn is_unit(&self) -> bool {
        is_unit(&self.key)
    }

    pub(crate) fn problem(&self, problem: impl Into<String>) -> TemplateError {
        TemplateError::new(&self.file, self.number, problem)
    }
}

type Lines = BTreeMap<String, Line>;

#[derive(Debug)]
struct Section {
    /// The line of its name.
    number: usize,
    lines: Lines,
}

/// One file.
#[derive(Debug)]
pub(crate) struct Sheet {
    pub(crate) language: Language,
    pub(crate) tone: Tone,
    pub(crate) file: Arc<str>,
    common: Lines,
    sections: BTreeMap<TemplateName, Section>,
}

impl Sheet {
    /// Reads `source`, and tells all that is wrong with it. Blank lines and lines that begin with
    /// `#` say nothing.
    pub(crate) fn parse(source: &Source<'_>) -> (Self, Vec<TemplateError>) {
        let mut sheet = Self {
            language: Language::new(source.language),
            tone: source.tone,
            file: source.file.into(),
            common: Lines::new(),
            sections: BTreeMap::new(),
        };
        let units = unit_keys(&sheet.language);
        let mut section = None;
        let mut problems = Vec::new();
        for (index, line) in source.text.lines().enumerate() {
            if let Err(problem) = sheet.take(line.trim(), index + 1, &mut section, &units) {
                problems.push(TemplateError::new(source.file, index + 1, problem));
            }
        }
        (sheet, problems)
    }

    fn take(
        &mut self,
        line: &str,
        number: usize,
        section: &mut Option<TemplateName>,
        units: &[String],
    ) -> Result<(), String> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        if line.chars().any(char::is_control) {
            return Err("a text must not hold control characters".to_owned());
        }
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            let name = TemplateName::parse(name).map_err(|error| error.to_string())?;
            self.sections.entry(name.clone()).or_insert(Section {
                number,
                lines: Lines::new(),
            });
            *section = Some(name);
            return Ok(());
        }
        let (key, text) = line
            .split_once('=')
            .map(|(key, text)| (key.trim(), text.trim()))
            .ok_or("a line is `key = text` or `[template]`")?;
        check(key, text, units)?;
        let lines = match section
            .as_ref()
            .and_then(|name| self.sections.get_mut(name))
        {
            Some(section) => &mut section.lines,
            None => &mut self.common,
        };
        let line = Line {
            file: Arc::clone(&self.file),
            number,
            key: key.to_owned(),
            text: text.to_owned(),
        };
        match lines.insert(key.to_owned(), line) {
            None => Ok(()),
            Some(first) => Err(format!(
                "the key {key} is given twice: it stands on line {} already",
                first.number
            )),
        }
    }

    /// Every text.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &Line> {
        let sections = self.sections.values();
        self.common
            .values()
            .chain(sections.flat_map(|one| one.lines.values()))
    }

    fn get(&self, template: &TemplateName, key: &str) -> Option<&Line> {
        let section = self.sections.get(template);
        section
            .and_then(|section| section.lines.get(key))
            .or_else(|| self.common.get(key))
    }
}

/// All that is written for the readers of one language in one tone: what a sheet leaves out is
/// taken from the next.
#[derive(Clone, Debug)]
pub(crate) struct Texts {
    pub(crate) language: Language,
    pub(crate) tone: Tone,
    pub(crate) sheets: Vec<Arc<Sheet>>,
    /// How many of the sheets are not built in: the first ones.
    pub(crate) own_count: usize,
    units: Vec<String>,
}

impl Texts {
    pub(crate) fn new(
        language: Language,
        tone: Tone,
        sheets: Vec<Arc<Sheet>>,
        own_count: usize,
    ) -> Self {
        Self {
            units: unit_keys(&language),
            language,
            tone,
            sheets,
            own_count,
        }
    }

    /// The templates that have a section.
    pub(crate) fn templates(&self) -> BTreeSet<&TemplateName> {
        let sheets = self.sheets.iter();
        sheets.flat_map(|sheet| sheet.sections.keys()).collect()
    }

    /// What its templates lack.
    pub(crate) fn missing(&self) -> impl Iterator<Item = TemplateError> {
        let templates = self.templates().into_iter();
        templates.flat_map(|template| self.missing_in(template))
    }

    /// What `template` lacks.
    pub(crate) fn missing_in(
        &self,
        template: &TemplateName,
    ) -> impl Iterator<Item = TemplateError> {
        self.keys().filter_map(|key| self.get(template, key).err())
    }

    /// The text of `key` in `template`.
    pub(crate) fn get(&self, template: &TemplateName, key: &str) -> Result<&Line, TemplateError> {
        let mut sheets = self.sheets.iter();
        sheets
            .find_map(|sheet| sheet.get(template, key))
            .ok_or_else(|| {
                let (file, line) = self.place_of(template);
                let problem = format!("the template {template} has no {key}");
                TemplateError::new(file, line, problem)
            })
    }

    /// Where a template begins.
    fn place_of(&self, template: &TemplateName) -> (&str, usize) {
        let mut sheets = self.sheets.iter();
        let found = sheets.find_map(|sheet| {
            let section = sheet.sections.get(template)?;
            Some((&*sheet.file, section.number))
        });
        found.unwrap_or(("", 1))
    }

    /// Every text that `template` has.
    pub(crate) fn lines(&self, template: &TemplateName) -> impl Iterator<Item = &Line> {
        self.keys().filter_map(|key| self.get(template, key).ok())
    }

    /// The files of one's own that `template` takes something from.
    pub(crate) fn own_files(&self, template: &TemplateName) -> Vec<&str> {
        let own = self.sheets[..self.own_count].iter();
        own.map(|sheet| &*sheet.file)
            .filter(|file| self.lines(template).any(|line| &*line.file == *file))
            .collect()
    }

    fn keys(&self) -> impl Iterator<Item = &str> {
        let units = self.units.iter().map(String::as_str);
        KEYS.into_iter().chain(units)
    }
}

fn unit_keys(language: &Language) -> Vec<String> {
    let forms = plural::forms(language);
    UNITS
        .iter()
        .flat_map(|unit| forms.keys().map(move |form| format!("{unit}_{form}")))
        .collect()
}

fn is_unit(key: &str) -> bool {
    key.split_once('_')
        .is_some_and(|(unit, _)| UNITS.contains(&unit))
}

fn check(key: &str, text: &str, units: &[String]) -> Result<(), String> {
    if key == "direction" && !["ltr", "rtl"].contains(&text) {
        return Err("the direction is ltr or rtl".to_owned());
    }
    if KEYS.contains(&key) || units.iter().any(|one| one == key) {
        return Ok(());
    }
    Err(if is_unit(key) {
        let units = units.join(", ");
        format!("the language has no plural form {key}: it has {units}")
    } else {
        format!("there is no key {key}: there are {}", KEYS.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(language: &str, text: &str) -> (Texts, Vec<TemplateError>) {
        let (sheet, problems) = Sheet::parse(&Source {
            language,
            tone: Tone::Formal,
            file: "a.texts",
            text,
        });
        let texts = Texts::new(sheet.language.clone(), sheet.tone, vec![Arc::new(sheet)], 0);
        (texts, problems)
    }

    const WHOLE: &str = "direction = ltr\nsubject = A\npreheader = A\nheading = A\ngreeting = A\n\
        where = A\nvalidity = A\nignore = A\nseconds_one = A\nseconds_other = A\n\
        minutes_one = A\nminutes_other = A\nhours_one = A\nhours_other = A\n";

    #[test]
    fn a_section_wins_over_what_stands_above_it() {
        let source = format!("{WHOLE}# all\nlabel = A = B\n\n[login]\n[reset]\nlabel = C\n");
        let (texts, problems) = parse("en", &source);
        assert_eq!(problems, []);
        let get = |template| {
            let line = texts
                .get(&TemplateName::parse(template).unwrap(), "label")
                .unwrap();
            (line.number, line.text.as_str())
        };

        assert_eq!(get("login"), (16, "A = B"));
        assert_eq!(get("reset"), (20, "C"));
        assert_eq!(texts.templates().len(), 2);
        assert_eq!(texts.sheets[0].lines().count(), 16);
        assert_eq!(texts.missing().count(), 0);
    }

    #[test]
    fn every_slip_is_refused_with_its_line() {
        for (source, lines) in [
            ("\nlable = A", vec![2]),
            ("label = A\nlabel = B", vec![2]),
            ("label\n\n[Log in]\nwehre = A", vec![1, 3, 4]),
            ("\ndirection = left", vec![2]),
            ("\n\nminutes = A", vec![3]),
            ("label = a\tb\nignore = a\u{1b}[2J", vec![1, 2]),
        ] {
            let (_, problems) = parse("en", source);
            let found: Vec<_> = problems.iter().map(|one| one.line).collect();
            assert_eq!(found, lines, "{source}");
        }
    }

    #[test]
    fn a_key_that_is_nowhere_is_an_error_at_its_template() {
        let (texts, _) = parse("en", &format!("{WHOLE}[login]"));
        let missing: Vec<_> = texts.missing().map(|one| one.to_string()).collect();
        assert_eq!(missing, ["a.texts:15: the template login has no label"]);
    }

    #[test]
    fn units_come_in_the_plural_forms_of_the_language_and_no_others() {
        let english = format!("{WHOLE}[login]\nlabel = A");
        assert_eq!(parse("en", &english).1, []);

        let (czech, _) = parse("cs", &english);
        assert_eq!(
            czech.missing().next().unwrap().to_string(),
            "a.texts:15: the template login has no seconds_few"
        );
        let (_, superfluous) = parse("ja", &english);
        assert_eq!(
            superfluous[0].to_string(),
            "a.texts:9: the language has no plural form seconds_one: \
             it has seconds_other, minutes_other, hours_other"
        );
    }
}
