//! The templates that there are: texts by language, poured into one layout per part.
//!
//! A message is written in two steps. Each text is filled with its values, unescaped; then the
//! layouts take texts and values alike, and the HTML one escapes whatever it takes. So a text
//! cannot hold markup, everything is escaped exactly once, and what a value says is never read as
//! a template.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use handlebars::{Context, Handlebars, RenderError, Template};
use otpost_domain::{Language, TemplateName};
use serde::Serialize;

use crate::built_in::{HTML_LAYOUT, INFORMAL, Layout, Source, TEXT_LAYOUT, TEXTS};
use crate::chains::chains;
use crate::folder::{Contents, Written};
use crate::lifetime::Lifetime;
use crate::lint::{self, HELPERS, Known};
use crate::texts::{Line, Sheet, Texts};
use crate::{TemplateError, TemplateErrors, Tone, layout, plural};

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

/// What texts take. The caller's variables have a place of their own, so that none of them can
/// pose as the code.
#[derive(Serialize)]
struct Filling<'a> {
    code: &'a str,
    product: &'a str,
    lifetime: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    variables: &'a BTreeMap<String, String>,
}

impl<'a> Filling<'a> {
    fn of(values: Values<'a>, lifetime: &'a str) -> Self {
        let name = values.variables.get("name").map(String::as_str);
        Self {
            code: values.code,
            product: values.product,
            lifetime,
            name: name.filter(|name| !name.trim().is_empty()),
            variables: values.variables,
        }
    }
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

/// One file of texts.
#[derive(Debug)]
struct Compiled {
    sheet: Arc<Sheet>,
    /// By file and line.
    texts: Vec<(String, Template)>,
    problems: Vec<TemplateError>,
}

impl Compiled {
    fn of(source: &Source<'_>) -> Self {
        let (sheet, mut problems) = Sheet::parse(source);
        let mut texts = Vec::new();
        for line in sheet.lines() {
            let known = match line.key.as_str() {
                "greeting" => Known::GREETING,
                _ if line.is_unit() => Known::UNIT,
                _ => Known::TEXT,
            };
            match lint::compile(&line.file, line.number, &line.text, &known) {
                Ok(text) => texts.push((line.place(), text)),
                Err(found) => problems.extend(found),
            }
        }
        Self {
            sheet: Arc::new(sheet),
            texts,
            problems,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Catalogue {
    texts: Vec<Texts>,
    listed: Arc<otpost_ports::Catalogue>,
    /// Every text under its file and line; and the layout of the text part.
    plain: Handlebars<'static>,
    html: Handlebars<'static>,
    /// The files of the two layouts.
    pub(crate) text_layout: String,
    pub(crate) html_layout: String,
}

impl Catalogue {
    pub(crate) fn built_in() -> Result<Self, TemplateErrors> {
        Self::load(&Contents::default())
    }

    /// What is built in, below what stands in a folder of one's own.
    pub(crate) fn load(own: &Contents) -> Result<Self, TemplateErrors> {
        /// Compiling takes longer than all else.
        static BASE: LazyLock<Vec<Compiled>> = LazyLock::new(|| {
            let sources = TEXTS.iter().chain(&INFORMAL);
            sources.map(Compiled::of).collect()
        });
        Self::of(&BASE, own)
    }

    /// Reads texts and layouts, and renders everything once, so that a missing value is an error
    /// now and not at night. Tells all that is wrong with them.
    fn of(base: &[Compiled], own: &Contents) -> Result<Self, TemplateErrors> {
        let mut problems = own.problems.clone();
        let mut catalogue = Self {
            texts: Vec::new(),
            listed: Arc::default(),
            plain: registry(),
            html: registry(),
            text_layout: TEXT_LAYOUT.0.to_owned(),
            html_layout: HTML_LAYOUT.0.to_owned(),
        };
        catalogue.plain.register_escape_fn(handlebars::no_escape);
        problems.extend(catalogue.lay_out(own));
        let base = base.iter().map(|one| catalogue.take(one, &mut problems));
        let base = base.collect::<Vec<_>>();
        let own = own.sources().map(|source| Compiled::of(&source));
        let own = own.map(|one| catalogue.take(&one, &mut problems));
        let own = own.collect::<Vec<_>>();
        catalogue.texts = chains(&base, &own);
        catalogue.listed = Arc::new(listed(&catalogue.texts));
        problems.extend(catalogue.texts.iter().flat_map(Texts::missing));
        problems.extend(catalogue.prove());
        if problems.is_empty() {
            return Ok(catalogue);
        }
        problems.sort_unstable();
        problems.dedup();
        Err(TemplateErrors(problems))
    }

    /// Takes the layouts of `own`, and those that are built in for what is missing or broken.
    fn lay_out(&mut self, own: &Contents) -> Vec<TemplateError> {
        let mut problems = Vec::new();
        let mut take =
            |registry: &mut Handlebars<'_>, built_in: Layout<'_>, own: Option<&Written>| {
                let (name, source) = built_in;
                for (file, source) in own
                    .map(|(file, source)| (file.as_str(), source.as_str()))
                    .into_iter()
                    .chain([(name, source)])
                {
                    let fetched = if name == HTML_LAYOUT.0 {
                        layout::check(file, source)
                    } else {
                        Vec::new()
                    };
                    match lint::compile(file, 1, source, &Known::LAYOUT) {
                        Ok(layout) if fetched.is_empty() => {
                            registry.register_template(name, layout);
                            return file.to_owned();
                        }
                        compiled => {
                            problems.extend(compiled.err().unwrap_or_default());
                            problems.extend(fetched);
                        }
                    }
                }
                name.to_owned()
            };
        self.text_layout = take(&mut self.plain, TEXT_LAYOUT, own.text_layout.as_ref());
        self.html_layout = take(&mut self.html, HTML_LAYOUT, own.html_layout.as_ref());
        problems
    }

    /// Takes the texts of one file.
    fn take(&mut self, compiled: &Compiled, problems: &mut Vec<TemplateError>) -> Arc<Sheet> {
        problems.extend(compiled.problems.iter().cloned());
        for (place, text) in &compiled.texts {
            self.plain.register_template(place, text.clone());
        }
        Arc::clone(&compiled.sheet)
    }

    /// Whether the text could be compiled.
    pub(crate) fn has(&self, line: &Line) -> bool {
        self.plain.has_template(&line.place())
    }

    /// What a project that has these messages may ask for.
    pub(crate) const fn listed(&self) -> &Arc<otpost_ports::Catalogue> {
        &self.listed
    }

    /// The texts of `template` in `language`: those in `tone`, else those that there are.
    pub(crate) fn texts(
        &self,
        template: &TemplateName,
        language: &Language,
        tone: Tone,
    ) -> Option<&Texts> {
        let of_template = self
            .texts
            .iter()
            .filter(|one| one.language == *language && one.templates().contains(template));
        of_template.max_by_key(|one| one.tone == tone)
    }

    /// Every text, of every template.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&Texts, &TemplateName)> {
        let texts = self.texts.iter();
        texts.flat_map(|texts| texts.templates().into_iter().map(move |one| (texts, one)))
    }

    /// Writes a message. `texts` and `template` must be of this catalogue.
    pub(crate) fn content(
        &self,
        texts: &Texts,
        template: &TemplateName,
        values: Values<'_>,
    ) -> Result<Content, TemplateError> {
        let lifetime = self.lifetime(texts, template, values.lifetime)?;
        let filling = Filling::of(values, &lifetime);
        let has_name = filling.name.is_some();
        let filling = context(&filling)?;
        let fill = |key| self.fill(texts, template, key, &filling);
        let page = Page {
            language: texts.language.as_str(),
            direction: fill("direction")?,
            product: values.product,
            preheader: fill("preheader")?,
            heading: fill("heading")?,
            greeting: has_name.then(|| fill("greeting")).transpose()?,
            r#where: fill("where")?,
            label: fill("label")?,
            code: values.code,
            validity: fill("validity")?,
            ignore: fill("ignore")?,
            footer: values.footer,
        };
        let page = context(&page)?;
        Ok(Content {
            subject: fill("subject")?,
            text: self
                .plain
                .render_with_context(TEXT_LAYOUT.0, &page)
                .map_err(|error| problem_in(&self.text_layout, 0, &error))?,
            html: self
                .html
                .render_with_context(HTML_LAYOUT.0, &page)
                .map_err(|error| problem_in(&self.html_layout, 0, &error))?,
        })
    }

    /// How long the code is valid, as the message says it.
    pub(crate) fn validity(
        &self,
        texts: &Texts,
        template: &TemplateName,
        values: Values<'_>,
    ) -> Result<String, TemplateError> {
        let lifetime = self.lifetime(texts, template, values.lifetime)?;
        let filling = context(&Filling::of(values, &lifetime))?;
        self.fill(texts, template, "validity", &filling)
    }

    /// "5 minutes", in the language.
    pub(crate) fn lifetime(
        &self,
        texts: &Texts,
        template: &TemplateName,
        lifetime: Lifetime,
    ) -> Result<String, TemplateError> {
        let (unit, count) = (lifetime.unit(), lifetime.count());
        let key = format!("{unit}_{}", plural::form(&texts.language, count));
        let count = count.to_string();
        let values = BTreeMap::from([("count", count.as_str())]);
        self.fill(texts, template, &key, &context(&values)?)
    }

    /// Fills one text. What it takes is a [`context`], made once for all texts of a message.
    pub(crate) fn fill(
        &self,
        texts: &Texts,
        template: &TemplateName,
        key: &str,
        values: &Context,
    ) -> Result<String, TemplateError> {
        let line = texts.get(template, key)?;
        self.plain
            .render_with_context(&line.place(), values)
            .map_err(|error| problem_in(&line.file, line.number - 1, &error))
    }
}

/// Values as templates take them.
pub(crate) fn context(values: &impl Serialize) -> Result<Context, TemplateError> {
    Context::wraps(values).map_err(|error| problem_in("a value", 0, &error))
}

fn listed(texts: &[Texts]) -> otpost_ports::Catalogue {
    let mut languages: Vec<Language> = Vec::new();
    let mut of_templates: BTreeMap<TemplateName, Vec<Language>> = BTreeMap::new();
    for one in texts {
        if !languages.contains(&one.language) {
            languages.push(one.language.clone());
        }
        for template in one.templates() {
            let languages = of_templates.entry(template.clone()).or_default();
            if !languages.contains(&one.language) {
                languages.push(one.language.clone());
            }
        }
    }
    let templates = of_templates.keys().cloned().collect();
    of_templates.retain(|_, there| there.len() < languages.len());
    otpost_ports::Catalogue {
        templates,
        languages,
        exceptions: of_templates,
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

fn problem_in(file: &str, lines_above: usize, error: &RenderError) -> TemplateError {
    let line = error.line_no.unwrap_or(1) + lines_above;
    TemplateError::new(file, line, error.reason().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_with(tag: &str, change: impl Fn(&str) -> String) -> Result<Catalogue, TemplateErrors> {
        let source = built_in(tag);
        let text = change(source.text);
        let changed = Source {
            text: &text,
            ..source
        };
        Catalogue::of(&[Compiled::of(&changed)], &Contents::default())
    }

    fn built_in(tag: &str) -> Source<'static> {
        TEXTS.into_iter().find(|one| one.language == tag).unwrap()
    }

    #[test]
    fn what_is_built_in_is_whole() {
        let catalogue = Catalogue::built_in().unwrap();
        let listed = catalogue.listed();
        let names: Vec<_> = listed.templates.iter().map(TemplateName::as_str).collect();
        assert_eq!(names, ["login", "reset", "signup"]);
        assert_eq!(listed.languages[0], Language::new("en"));
        assert_eq!(listed.languages.len(), TEXTS.len());
        assert!(listed.exceptions.is_empty());
        let all = (TEXTS.len() + INFORMAL.len()) * 3;
        assert_eq!(catalogue.pairs().count(), all);
    }

    #[test]
    fn a_text_that_hides_the_lifetime_or_misses_a_unit_is_refused_with_file_and_line() {
        for (tag, from, to) in [
            ("en", "creating your {{product}}", "{{prodcut}}"),
            ("en", "valid for {{lifetime}} and", "valid and"),
            ("en", "{{count}} hours", "{{cuont}} hours"),
            ("en", "minutes_one", "minutes_two"),
            // 21 and 31 take the form of one.
            ("ru", "{{count}} минуту", "одну минуту"),
        ] {
            let slip = |text: &str| {
                assert!(text.contains(from), "{from}");
                text.replace(from, to)
            };
            let TemplateErrors(found) = load_with(tag, slip).unwrap_err();
            let text = slip(built_in(tag).text);
            let line = text.lines().position(|line| line.contains(to)).unwrap() + 1;
            let file = format!("{tag}.texts");
            assert!(
                found.iter().any(|one| one.file == file && one.line == line),
                "{from}: {found:?}"
            );
        }
        let less = |text: &str| text.replace("minutes_few = {{count}} minuty", "");
        let TemplateErrors(found) = load_with("cs", less).unwrap_err();
        assert_eq!(found.len(), 3, "once a template: {found:?}");
    }

    #[test]
    fn a_tone_is_spoken_where_the_language_has_it() {
        let catalogue = Catalogue::built_in().unwrap();
        let login = TemplateName::parse("login").unwrap();
        for (tag, tone, file) in [
            ("de", Tone::Formal, "de.texts"),
            ("de", Tone::Informal, "de.informal.texts"),
            ("en", Tone::Informal, "en.texts"),
        ] {
            let texts = catalogue.texts(&login, &Language::new(tag), tone).unwrap();
            assert_eq!(&*texts.sheets[0].file, file);
        }
        let klingon = Language::new("tlh");
        assert!(catalogue.texts(&login, &klingon, Tone::Formal).is_none());
    }

    #[test]
    fn a_variable_cannot_pose_as_the_code() {
        let variables = ["code", "product", "lifetime", "log", "len", "variables"]
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
            assert!(!all.contains("999999"), "{} {template}", texts.language);
        }
    }
}
