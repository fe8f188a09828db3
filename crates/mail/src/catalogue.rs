//! The templates that there are: texts by language, poured into one layout per part.
//!
//! A message is written in two steps. Each text is filled with its values, unescaped; then the
//! layouts take texts and values alike, and the HTML one escapes whatever it takes. So a text
//! cannot hold markup, everything is escaped exactly once, and what a value says is never read as
//! a template.

use std::collections::BTreeMap;

use handlebars::{Handlebars, RenderError};
use otpost_domain::{Language, TemplateName};
use serde::Serialize;

use crate::TemplateError;
use crate::lifetime::Lifetime;
use crate::lint::{self, HELPERS};
use crate::texts::{KEYS, Texts};

/// The first language is the one of readers whose own there is not.
const BUILT_IN: [(&str, &str, &str); 2] = [
    ("en", "en.texts", include_str!("../templates/en.texts")),
    ("de", "de.texts", include_str!("../templates/de.texts")),
];
const TEXT_LAYOUT: (&str, &str) = ("layout.txt", include_str!("../templates/layout.txt"));
const HTML_LAYOUT: (&str, &str) = ("layout.html", include_str!("../templates/layout.html"));

/// What a reader sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

/// What a message says, besides its texts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Values<'a> {
    pub(crate) code: &'a str,
    pub(crate) product: &'a str,
    pub(crate) lifetime: Lifetime,
    /// One element a line.
    pub(crate) footer: &'a [String],
    /// What the caller gave. `name` makes a greeting; the rest is for texts that use it.
    pub(crate) variables: &'a BTreeMap<String, String>,
}

/// What the layouts take.
#[derive(Serialize)]
struct Page<'a> {
    language: &'a str,
    direction: String,
    product: &'a str,
    preheader: String,
    heading: String,
    greeting: Option<String>,
    r#where: String,
    label: String,
    code: &'a str,
    validity: String,
    ignore: String,
    footer: &'a [String],
}

#[derive(Debug)]
pub(crate) struct Catalogue {
    languages: Vec<Language>,
    templates: Vec<TemplateName>,
    /// Every text under its language, template and key; and the layout of the text part.
    plain: Handlebars<'static>,
    html: Handlebars<'static>,
    /// Where each text stands, for errors.
    places: BTreeMap<String, (String, usize)>,
}

impl Catalogue {
    pub(crate) fn built_in() -> Result<Self, TemplateError> {
        let texts = BUILT_IN.map(|(tag, file, source)| (Language::new(tag), file, source));
        Self::load(&texts, TEXT_LAYOUT, HTML_LAYOUT)
    }

    /// Reads `texts` (language, file name, content) and the layouts (file name, content), and
    /// renders everything once, so that a missing value is an error now and not at night.
    fn load(
        texts: &[(Language, &str, &str)],
        text_layout: (&str, &str),
        html_layout: (&str, &str),
    ) -> Result<Self, TemplateError> {
        let mut catalogue = Self {
            languages: Vec::new(),
            templates: Vec::new(),
            plain: registry(),
            html: registry(),
            places: BTreeMap::new(),
        };
        catalogue.plain.register_escape_fn(handlebars::no_escape);
        let (file, source) = text_layout;
        let layout = lint::compile(file, 1, source)?;
        catalogue.plain.register_template(TEXT_LAYOUT.0, layout);
        let (file, source) = html_layout;
        let layout = lint::compile(file, 1, source)?;
        catalogue.html.register_template(HTML_LAYOUT.0, layout);
        for (language, file, source) in texts {
            catalogue.add(&Texts::parse(language.clone(), file, source)?)?;
        }
        catalogue.prove()?;
        Ok(catalogue)
    }

    fn add(&mut self, texts: &Texts) -> Result<(), TemplateError> {
        if self.templates.is_empty() {
            self.templates = texts.templates().cloned().collect();
        }
        if !texts.templates().eq(&self.templates) {
            let problem = "every language must have the same templates";
            return Err(TemplateError::new(&texts.file, 1, problem));
        }
        for template in texts.templates() {
            for key in KEYS {
                let line = texts.get(template, key)?;
                let text = lint::compile(&texts.file, line.number, &line.text)?;
                let name = name_of(&texts.language, template, key);
                self.plain.register_template(&name, text);
                self.places.insert(name, (texts.file.clone(), line.number));
            }
        }
        self.languages.push(texts.language.clone());
        Ok(())
    }

    /// Renders every template in every language with and without what is optional.
    fn prove(&self) -> Result<(), TemplateError> {
        const CODE: &str = "48291377";
        const LIFETIME: Lifetime = Lifetime::Minutes(59);
        let named = BTreeMap::from([("name".to_owned(), "Ada".to_owned())]);
        let footer = ["Footer".to_owned()];
        let samples = [(&BTreeMap::new(), [].as_slice()), (&named, &footer)];
        for (language, template) in self.pairs() {
            for (variables, footer) in samples {
                let values = Values {
                    code: CODE,
                    product: "Product",
                    lifetime: LIFETIME,
                    footer,
                    variables,
                };
                let content = self.content(language, template, values)?;
                let lifetime = self.lifetime(language, template, LIFETIME)?;
                let has_both = |part: &str| part.contains(CODE) && part.contains(&lifetime);
                if !has_both(&content.text) || !has_both(&content.html) {
                    let (file, line) = self.place(language, template, "validity");
                    let problem = "a message must say its code and its lifetime in both parts";
                    return Err(TemplateError::new(file, line, problem));
                }
                let units = ["seconds", "minutes", "hours"];
                for (unit, form) in units
                    .iter()
                    .flat_map(|unit| [(unit, "one"), (unit, "other")])
                {
                    let key = format!("{unit}_{form}");
                    self.fill(language, template, &key, &BTreeMap::from([("count", "2")]))?;
                }
            }
        }
        Ok(())
    }

    pub(crate) fn languages(&self) -> &[Language] {
        &self.languages
    }

    pub(crate) fn templates(&self) -> &[TemplateName] {
        &self.templates
    }

    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&Language, &TemplateName)> {
        let templates = &self.templates;
        self.languages
            .iter()
            .flat_map(move |language| templates.iter().map(move |one| (language, one)))
    }

    /// Writes a message. `language` and `template` must be of this catalogue.
    pub(crate) fn content(
        &self,
        language: &Language,
        template: &TemplateName,
        values: Values<'_>,
    ) -> Result<Content, TemplateError> {
        let lifetime = self.lifetime(language, template, values.lifetime)?;
        // The caller's variables come first, so that none of them can pose as the code.
        let mut known: BTreeMap<&str, &str> = BTreeMap::new();
        for (name, value) in values.variables {
            known.insert(name, value);
        }
        known.insert("code", values.code);
        known.insert("product", values.product);
        known.insert("lifetime", &lifetime);

        let fill = |key| self.fill(language, template, key, &known);
        let is_named = known
            .get("name")
            .is_some_and(|name| !name.trim().is_empty());
        let page = Page {
            language: language.as_str(),
            direction: fill("direction")?,
            product: values.product,
            preheader: fill("preheader")?,
            heading: fill("heading")?,
            greeting: is_named.then(|| fill("greeting")).transpose()?,
            r#where: fill("where")?,
            label: fill("label")?,
            code: values.code,
            validity: fill("validity")?,
            ignore: fill("ignore")?,
            footer: values.footer,
        };
        let in_layout = |(file, _): (&str, &str), error: &RenderError| problem_in(file, 0, error);
        Ok(Content {
            subject: fill("subject")?,
            text: self
                .plain
                .render(TEXT_LAYOUT.0, &page)
                .map_err(|error| in_layout(TEXT_LAYOUT, &error))?,
            html: self
                .html
                .render(HTML_LAYOUT.0, &page)
                .map_err(|error| in_layout(HTML_LAYOUT, &error))?,
        })
    }

    /// "5 minutes", in the language.
    fn lifetime(
        &self,
        language: &Language,
        template: &TemplateName,
        lifetime: Lifetime,
    ) -> Result<String, TemplateError> {
        let count = lifetime.count().to_string();
        let values = BTreeMap::from([("count", count.as_str())]);
        self.fill(language, template, lifetime.key(), &values)
    }

    fn fill(
        &self,
        language: &Language,
        template: &TemplateName,
        key: &str,
        values: &BTreeMap<&str, &str>,
    ) -> Result<String, TemplateError> {
        self.plain
            .render(&name_of(language, template, key), values)
            .map_err(|error| {
                let (file, line) = self.place(language, template, key);
                problem_in(file, line.saturating_sub(1), &error)
            })
    }

    fn place(&self, language: &Language, template: &TemplateName, key: &str) -> (&str, usize) {
        self.places
            .get(&name_of(language, template, key))
            .map_or((TEXT_LAYOUT.0, 1), |(file, line)| (file.as_str(), *line))
    }
}

fn registry() -> Handlebars<'static> {
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    // A value called like a helper of handlebars' own would otherwise call it.
    for helper in [
        "unless", "with", "lookup", "raw", "log", "eq", "ne", "gt", "gte", "lt", "lte", "and",
        "or", "not", "len",
    ] {
        debug_assert!(!HELPERS.contains(&helper));
        registry.unregister_helper(helper);
    }
    registry
}

fn name_of(language: &Language, template: &TemplateName, key: &str) -> String {
    format!("{language}/{template}/{key}")
}

fn problem_in(file: &str, lines_above: usize, error: &RenderError) -> TemplateError {
    let line = error.line_no.unwrap_or(1) + lines_above;
    TemplateError::new(file, line, error.reason().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_english(change: impl Fn(&str) -> String) -> Result<Catalogue, TemplateError> {
        let (tag, file, source) = BUILT_IN[0];
        let source = change(source);
        let texts = [(Language::new(tag), file, source.as_str())];
        Catalogue::load(&texts, TEXT_LAYOUT, HTML_LAYOUT)
    }

    #[test]
    fn what_is_built_in_is_whole() {
        let catalogue = Catalogue::built_in().unwrap();
        let names: Vec<_> = catalogue
            .templates()
            .iter()
            .map(TemplateName::as_str)
            .collect();
        assert_eq!(names, ["login", "reset", "signup"]);
        assert_eq!(catalogue.languages(), ["en", "de"].map(Language::new));
        assert_eq!(catalogue.pairs().count(), 6);
    }

    #[test]
    fn an_unknown_value_is_refused_at_load_with_file_and_line() {
        let slip = |text: &str| text.replace("creating your {{product}}", "{{prodcut}}");
        let error = load_english(slip).unwrap_err();
        let line = slip(BUILT_IN[0].2)
            .lines()
            .position(|line| line.contains("prodcut"));
        assert_eq!(
            (error.file.as_str(), Some(error.line - 1)),
            ("en.texts", line),
            "{error}"
        );
    }

    #[test]
    fn a_text_that_hides_the_lifetime_or_misses_a_unit_is_refused() {
        for (from, to) in [
            ("valid for {{lifetime}} and", "valid and"),
            ("{{count}} hours", "{{cuont}} hours"),
            ("minutes_one", "minutes_two"),
        ] {
            let loaded = load_english(|text| {
                assert!(text.contains(from), "{from}");
                text.replace(from, to)
            });
            assert_eq!(loaded.unwrap_err().file, "en.texts", "{from}");
        }
    }

    #[test]
    fn languages_that_differ_in_their_templates_are_refused() {
        let [(en, en_file, en_text), (de, de_file, de_text)] = BUILT_IN;
        let de_text = de_text.replace("[reset]", "[recover]");
        let texts = [
            (Language::new(en), en_file, en_text),
            (Language::new(de), de_file, de_text.as_str()),
        ];
        let error = Catalogue::load(&texts, TEXT_LAYOUT, HTML_LAYOUT).unwrap_err();
        assert_eq!(error.file, "de.texts");
    }

    #[test]
    fn a_layout_without_the_code_is_refused() {
        let (tag, file, source) = BUILT_IN[0];
        let texts = [(Language::new(tag), file, source)];
        let html = HTML_LAYOUT.1.replace("{{code}}", "");
        assert!(Catalogue::load(&texts, TEXT_LAYOUT, ("layout.html", &html)).is_err());
    }

    #[test]
    fn a_variable_cannot_pose_as_the_code() {
        let variables = ["code", "product", "lifetime", "log", "len"]
            .map(|name| (name.to_owned(), "999999".to_owned()));
        let values = Values {
            code: "482913",
            product: "Acme",
            lifetime: Lifetime::Minutes(5),
            footer: &[],
            variables: &BTreeMap::from(variables),
        };
        let catalogue = Catalogue::built_in().unwrap();
        for (language, template) in catalogue.pairs() {
            let content = catalogue.content(language, template, values).unwrap();
            let all = [content.subject, content.text, content.html].concat();
            assert!(!all.contains("999999"), "{language} {template}");
        }
    }
}
