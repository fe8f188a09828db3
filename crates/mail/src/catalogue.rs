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

use crate::built_in::{HTML_LAYOUT, INFORMAL, Layout, Source, TEXT_LAYOUT, TEXTS};
use crate::lifetime::{Lifetime, UNITS};
use crate::lint::{self, HELPERS};
use crate::texts::{Line, Texts};
use crate::{TemplateError, Tone, plural};

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
    texts: Vec<Texts>,
    /// Every text under its file and line; and the layout of the text part.
    plain: Handlebars<'static>,
    html: Handlebars<'static>,
}

impl Catalogue {
    pub(crate) fn built_in() -> Result<Self, TemplateError> {
        let sources: Vec<_> = TEXTS.into_iter().chain(INFORMAL).collect();
        Self::load(&sources, TEXT_LAYOUT, HTML_LAYOUT)
    }

    /// Reads texts and layouts, and renders everything once, so that a missing value is an error
    /// now and not at night.
    fn load(
        sources: &[Source<'_>],
        text_layout: Layout<'_>,
        html_layout: Layout<'_>,
    ) -> Result<Self, TemplateError> {
        let mut catalogue = Self {
            languages: Vec::new(),
            templates: Vec::new(),
            texts: Vec::new(),
            plain: registry(),
            html: registry(),
        };
        catalogue.plain.register_escape_fn(handlebars::no_escape);
        let (file, source) = text_layout;
        let layout = lint::compile(file, 1, source)?;
        catalogue.plain.register_template(TEXT_LAYOUT.0, layout);
        let (file, source) = html_layout;
        let layout = lint::compile(file, 1, source)?;
        catalogue.html.register_template(HTML_LAYOUT.0, layout);
        for source in sources {
            catalogue.add(Texts::parse(source)?)?;
        }
        catalogue.prove()?;
        Ok(catalogue)
    }

    fn add(&mut self, texts: Texts) -> Result<(), TemplateError> {
        if self.templates.is_empty() {
            self.templates = texts.templates().cloned().collect();
        }
        if !texts.templates().eq(&self.templates) {
            let problem = "every language must have the same templates";
            return Err(TemplateError::new(&texts.file, 1, problem));
        }
        for line in texts.lines() {
            let text = lint::compile(&texts.file, line.number, &line.text)?;
            let name = name_of(&texts.file, line);
            self.plain.register_template(&name, text);
        }
        if !self.languages.contains(&texts.language) {
            self.languages.push(texts.language.clone());
        }
        self.texts.push(texts);
        Ok(())
    }

    /// Renders every template in every language with and without what is optional.
    fn prove(&self) -> Result<(), TemplateError> {
        let named = BTreeMap::from([("name".to_owned(), "Ada".to_owned())]);
        let footer = ["Footer".to_owned()];
        for (texts, template) in self.pairs() {
            self.prove_content(texts, template, &BTreeMap::new(), &[])?;
            self.prove_content(texts, template, &named, &footer)?;
            self.prove_units(texts, template)?;
        }
        Ok(())
    }

    fn prove_content(
        &self,
        texts: &Texts,
        template: &TemplateName,
        variables: &BTreeMap<String, String>,
        footer: &[String],
    ) -> Result<(), TemplateError> {
        const CODE: &str = "48291377";
        const LIFETIME: Lifetime = Lifetime::Minutes(59);
        let values = Values {
            code: CODE,
            product: "Product",
            lifetime: LIFETIME,
            footer,
            variables,
        };
        let content = self.content(texts, template, values)?;
        let lifetime = self.lifetime(texts, template, LIFETIME)?;
        let has_both = |part: &str| part.contains(CODE) && part.contains(&lifetime);
        if has_both(&content.text) && has_both(&content.html) {
            return Ok(());
        }
        let line = texts.get(template, "validity")?.number;
        let problem = "a message must say its code and its lifetime in both parts";
        Err(TemplateError::new(&texts.file, line, problem))
    }

    /// A form may leave its count out only where it has but one: "two minutes" in a word, but not
    /// "one minute" where 21 takes the same form.
    fn prove_units(&self, texts: &Texts, template: &TemplateName) -> Result<(), TemplateError> {
        for (form, counts) in plural::forms(&texts.language) {
            for unit in UNITS {
                let key = format!("{unit}_{form}");
                for count in counts.iter().take(2).map(u64::to_string) {
                    let values = BTreeMap::from([("count", count.as_str())]);
                    let text = self.fill(texts, template, &key, &values)?;
                    if counts.len() > 1 && !text.contains(&count) {
                        let line = texts.get(template, &key)?.number;
                        let problem =
                            "more than one count takes this form, so it must say {{count}}";
                        return Err(TemplateError::new(&texts.file, line, problem));
                    }
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

    /// The texts of `language`: those in `tone`, else those that there are.
    pub(crate) fn texts(&self, language: &Language, tone: Tone) -> Option<&Texts> {
        let of_language = self.texts.iter().filter(|one| one.language == *language);
        of_language.max_by_key(|one| one.tone == tone)
    }

    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&Texts, &TemplateName)> {
        self.texts
            .iter()
            .flat_map(|texts| texts.templates().map(move |one| (texts, one)))
    }

    /// Writes a message. `texts` and `template` must be of this catalogue.
    pub(crate) fn content(
        &self,
        texts: &Texts,
        template: &TemplateName,
        values: Values<'_>,
    ) -> Result<Content, TemplateError> {
        let lifetime = self.lifetime(texts, template, values.lifetime)?;
        // The caller's variables come first, so that none of them can pose as the code.
        let mut known: BTreeMap<&str, &str> = BTreeMap::new();
        for (name, value) in values.variables {
            known.insert(name, value);
        }
        known.insert("code", values.code);
        known.insert("product", values.product);
        known.insert("lifetime", &lifetime);

        let fill = |key| self.fill(texts, template, key, &known);
        let is_named = known
            .get("name")
            .is_some_and(|name| !name.trim().is_empty());
        let page = Page {
            language: texts.language.as_str(),
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
        texts: &Texts,
        template: &TemplateName,
        lifetime: Lifetime,
    ) -> Result<String, TemplateError> {
        let (unit, count) = (lifetime.unit(), lifetime.count());
        let key = format!("{unit}_{}", plural::form(&texts.language, count));
        let count = count.to_string();
        let values = BTreeMap::from([("count", count.as_str())]);
        self.fill(texts, template, &key, &values)
    }

    fn fill(
        &self,
        texts: &Texts,
        template: &TemplateName,
        key: &str,
        values: &BTreeMap<&str, &str>,
    ) -> Result<String, TemplateError> {
        let line = texts.get(template, key)?;
        self.plain
            .render(&name_of(&texts.file, line), values)
            .map_err(|error| problem_in(&texts.file, line.number - 1, &error))
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

fn name_of(file: &str, line: &Line) -> String {
    format!("{file}:{}", line.number)
}

fn problem_in(file: &str, lines_above: usize, error: &RenderError) -> TemplateError {
    let line = error.line_no.unwrap_or(1) + lines_above;
    TemplateError::new(file, line, error.reason().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENGLISH: Source<'static> = TEXTS[0];

    fn load_with(
        source: Source<'_>,
        change: impl Fn(&str) -> String,
    ) -> Result<Catalogue, TemplateError> {
        let text = change(source.text);
        let changed = Source {
            text: &text,
            ..source
        };
        Catalogue::load(&[changed], TEXT_LAYOUT, HTML_LAYOUT)
    }

    fn built_in(tag: &str) -> Source<'static> {
        TEXTS.into_iter().find(|one| one.language == tag).unwrap()
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
        assert_eq!(catalogue.languages()[0], Language::new("en"));
        assert_eq!(catalogue.languages().len(), TEXTS.len());
        let all = (TEXTS.len() + INFORMAL.len()) * 3;
        assert_eq!(catalogue.pairs().count(), all);
    }

    #[test]
    fn an_unknown_value_is_refused_at_load_with_file_and_line() {
        let slip = |text: &str| text.replace("creating your {{product}}", "{{prodcut}}");
        let error = load_with(ENGLISH, slip).unwrap_err();
        let line = slip(ENGLISH.text)
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
        for (tag, from, to) in [
            ("en", "valid for {{lifetime}} and", "valid and"),
            ("en", "{{count}} hours", "{{cuont}} hours"),
            ("en", "minutes_one", "minutes_two"),
            // 21 and 31 take the form of one.
            ("ru", "{{count}} минуту", "одну минуту"),
            ("cs", "minutes_few = {{count}} minuty", ""),
        ] {
            let source = built_in(tag);
            let loaded = load_with(source, |text| {
                assert!(text.contains(from), "{from}");
                text.replace(from, to)
            });
            assert_eq!(loaded.unwrap_err().file, source.file, "{from}");
        }
    }

    #[test]
    fn languages_that_differ_in_their_templates_are_refused() {
        let german = built_in("de");
        let text = german.text.replace("[reset]", "[recover]");
        let german = Source {
            text: &text,
            ..german
        };
        let loaded = Catalogue::load(&[ENGLISH, german], TEXT_LAYOUT, HTML_LAYOUT);
        assert_eq!(loaded.unwrap_err().file, "de.texts");
    }

    #[test]
    fn a_layout_without_the_code_is_refused() {
        let html = HTML_LAYOUT.1.replace("{{code}}", "");
        let loaded = Catalogue::load(&[ENGLISH], TEXT_LAYOUT, ("layout.html", &html));
        assert!(loaded.is_err());
    }

    #[test]
    fn a_tone_is_spoken_where_the_language_has_it() {
        let catalogue = Catalogue::built_in().unwrap();
        for (tag, tone, file) in [
            ("de", Tone::Formal, "de.texts"),
            ("de", Tone::Informal, "de.informal.texts"),
            ("en", Tone::Informal, "en.texts"),
        ] {
            let texts = catalogue.texts(&Language::new(tag), tone).unwrap();
            assert_eq!(texts.file, file);
        }
        assert!(
            catalogue
                .texts(&Language::new("tlh"), Tone::Formal)
                .is_none()
        );
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
        for (texts, template) in catalogue.pairs() {
            let content = catalogue.content(texts, template, values).unwrap();
            let all = [content.subject, content.text, content.html].concat();
            assert!(!all.contains("999999"), "{} {template}", texts.file);
        }
    }
}
