//! What a template may hold: values that there are, escaped, and two plain helpers.

use handlebars::Template;
use handlebars::template::{HelperTemplate, Parameter, TemplateElement};

/// The helpers that a template may use. Nothing else of handlebars is needed to say what a mail
/// says, and each of the others reaches further than a text should.
pub(crate) const HELPERS: [&str; 2] = ["if", "each"];

/// What the caller gave stands below this name.
const VARIABLES: &str = "variables.";

/// What is wrong with a template, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{file}:{line}: {problem}")]
pub struct TemplateError {
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) problem: String,
}

impl TemplateError {
    pub(crate) fn new(file: &str, line: usize, problem: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line,
            problem: problem.into(),
        }
    }

    /// The file, as a path from where its folder was named; the bare name of one that is built in.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }
}

/// All that is wrong with templates, by file and line; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateErrors(pub Vec<TemplateError>);

impl std::fmt::Display for TemplateErrors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lines: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for TemplateErrors {}

/// The names of the values that a template may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    /// Those that are always there.
    pub(crate) always: &'static [&'static str],
    /// Those that may not be there: they stand inside an `if` about themselves.
    pub(crate) optional: &'static [&'static str],
    /// Whether the caller's variables are there, all of them optional.
    pub(crate) variables: bool,
}

impl Known {
    /// What a text may use.
    pub(crate) const TEXT: Self = Self {
        always: &["code", "product", "lifetime"],
        optional: &["name"],
        variables: true,
    };
    /// What a greeting may use: it is there only where the name is.
    pub(crate) const GREETING: Self = Self {
        always: &["code", "product", "lifetime", "name"],
        ..Self::TEXT
    };
    /// What a unit may use.
    pub(crate) const UNIT: Self = Self {
        always: &["count"],
        optional: &[],
        variables: false,
    };
    /// What a layout may use.
    pub(crate) const LAYOUT: Self = Self {
        always: &[
            "language",
            "direction",
            "product",
            "preheader",
            "heading",
            "greeting",
            "where",
            "label",
            "code",
            "validity",
            "ignore",
            "footer",
        ],
        optional: &[],
        variables: false,
    };

    fn is_optional(&self, name: &str) -> bool {
        self.optional.contains(&name) || (self.variables && is_variable(name))
    }

    /// What is wrong with using `name` inside of `tested` conditions.
    fn judge(&self, name: &str, tested: &[&str]) -> Option<String> {
        let in_list = matches!(name, "this" | ".") && tested.contains(&LIST);
        if self.always.contains(&name) || tested.contains(&name) || in_list {
            return None;
        }
        Some(if self.is_optional(name) {
            format!("{name} is not always there: write it inside {{{{#if {name}}}}} … {{{{/if}}}}")
        } else {
            let names: Vec<_> = self.always.iter().chain(self.optional).copied().collect();
            let names = names.join(", ");
            let more = if self.variables {
                ", variables.NAME"
            } else {
                ""
            };
            format!("there is no value {name}: there are {names}{more}")
        })
    }
}

/// The only list that there is.
const FOOTER: &str = "footer";

/// Stands among the conditions for the inside of an `each`.
const LIST: &str = "#each";

fn is_variable(name: &str) -> bool {
    name.strip_prefix(VARIABLES)
        .is_some_and(|name| !name.is_empty() && name.chars().all(is_in_name))
}

const fn is_in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The names of the caller's variables that `source` uses; there may be more than it does.
pub(crate) fn variables(source: &str) -> impl Iterator<Item = &str> {
    let names = source.split(VARIABLES).skip(1);
    names
        .map(|rest| rest.split(|c| !is_in_name(c)).next().unwrap_or_default())
        .filter(|name| !name.is_empty())
}

/// Compiles `source`, which begins at `first_line` of `file`.
pub(crate) fn compile(
    file: &str,
    first_line: usize,
    source: &str,
    known: &Known,
) -> Result<Template, Vec<TemplateError>> {
    let template = Template::compile_with_name(source, file.to_owned()).map_err(|error| {
        let line = error.pos().map_or(1, |(line, _)| line);
        vec![TemplateError::new(
            file,
            first_line + line - 1,
            error.reason().to_string(),
        )]
    })?;
    let mut lint = Lint {
        known,
        findings: Vec::new(),
    };
    lint.template(&template, 1, &[]);
    if lint.findings.is_empty() {
        return Ok(template);
    }
    let findings = lint.findings.into_iter();
    Err(findings
        .map(|(line, problem)| TemplateError::new(file, first_line + line - 1, problem))
        .collect())
}

struct Lint<'a> {
    known: &'a Known,
    /// Lines and what is wrong with them.
    findings: Vec<(usize, String)>,
}

impl Lint<'_> {
    /// `tested` are the values that are known to be there.
    fn template(&mut self, template: &Template, outer_line: usize, tested: &[&str]) {
        for (index, element) in template.elements.iter().enumerate() {
            // An `else if` has no line of its own.
            let line = template.mapping.get(index).map_or(outer_line, |at| at.0);
            match element {
                TemplateElement::RawString(_) | TemplateElement::Comment(_) => {}
                TemplateElement::Expression(value) => self.value(value, line, tested),
                TemplateElement::HelperBlock(block) => self.block(block, line, tested),
                TemplateElement::HtmlExpression(_) => {
                    let problem = "{{{ }}} and {{& }} write a value unescaped and are refused";
                    self.findings.push((line, problem.to_owned()));
                }
                // Partials, decorators, and whatever handlebars will add.
                _ => {
                    let problem = "partials and decorators are refused".to_owned();
                    self.findings.push((line, problem));
                }
            }
        }
    }

    fn value(&mut self, value: &HelperTemplate, line: usize, tested: &[&str]) {
        let is_plain = value.params.is_empty() && value.hash.is_empty();
        let name = match &value.name {
            Parameter::Path(_) | Parameter::Name(_) if is_plain => value.name.as_name(),
            _ => None,
        };
        let problem = match name {
            Some(name) => self.known.judge(name, tested),
            None => Some(unlisted(&value.name)),
        };
        self.findings.extend(problem.map(|problem| (line, problem)));
    }

    fn block(&mut self, block: &HelperTemplate, line: usize, tested: &[&str]) {
        let helper = block.name.as_name().unwrap_or_default();
        if !HELPERS.contains(&helper) {
            self.findings.push((line, unlisted(&block.name)));
            return;
        }
        let name = match block.params.as_slice() {
            [Parameter::Path(_)] if block.hash.is_empty() => block.params[0].as_name(),
            _ => None,
        };
        let Some(name) = name else {
            let problem = "a helper takes the name of a value and nothing else".to_owned();
            self.findings.push((line, problem));
            return;
        };
        if helper == "each" && !(name == FOOTER && self.known.always.contains(&name)) {
            let problem = format!("each is for the list {FOOTER} of a layout: {name} is no list");
            self.findings.push((line, problem));
            return;
        }
        if !self.known.is_optional(name) {
            let problem = self.known.judge(name, tested);
            self.findings.extend(problem.map(|problem| (line, problem)));
        }
        if let Some(inside) = &block.template {
            let condition = if helper == "each" { LIST } else { name };
            self.template(inside, line, &[tested, &[condition]].concat());
        }
        if let Some(inverse) = &block.inverse {
            self.template(inverse, line, tested);
        }
    }
}

fn unlisted(name: &Parameter) -> String {
    let allowed = HELPERS.join(" and ");
    match name.as_name() {
        Some(name) => format!("the helper {name} is not one of {allowed}"),
        None => format!("only values and the helpers {allowed} are allowed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(source: &str, known: &Known) -> Vec<TemplateError> {
        compile("a.txt", 7, source, known).err().unwrap_or_default()
    }

    #[test]
    fn values_conditions_lists_and_comments_are_allowed() {
        for (known, source) in [
            (
                Known::TEXT,
                "{{code}}\n{{! why }}\n{{#if name}}{{name}}{{else}}you{{/if}}",
            ),
            (
                Known::TEXT,
                "{{#if variables.plan}}{{#if name}}{{name}} {{variables.plan}}{{/if}}{{/if}}",
            ),
            (Known::GREETING, "{{name}}"),
            (Known::LAYOUT, "{{#each footer}}{{this}}{{/each}}"),
            (Known::UNIT, "{{count}}"),
        ] {
            assert_eq!(problems(source, &known), [], "{source}");
        }
    }

    #[test]
    fn a_value_must_be_there_whenever_it_is_used() {
        for source in [
            "{{prodcut}}",
            "{{#if prodcut}}x{{/if}}",
            "{{name}}",
            "{{variables.plan}}",
            "{{#if variables.plan}}{{variables.paln}}{{/if}}",
            "{{#if name}}x{{else}}{{name}}{{/if}}",
            "{{#if variables}}x{{/if}}",
            "{{#each variables}}{{this}}{{/each}}",
            "{{#each code}}x{{/each}}",
            "{{#each footer}}x{{/each}}",
            "{{#if variables.plan}}{{#each variables.plan}}x{{/each}}{{/if}}",
            "{{#each variables.plan}}x{{/each}}",
            "{{this}}",
            "{{../code}}",
            "{{@root.code}}",
            "{{variables.a.b}}",
            "{{count}}",
        ] {
            let found = problems(source, &Known::TEXT);
            assert!(
                found.len() == 1 && found[0].line == 7,
                "{source}: {found:?}"
            );
        }
    }

    #[test]
    fn what_reaches_further_is_refused_with_file_and_line() {
        const ANY: Known = Known {
            always: &["a", "b", "c", "d", "code", "footer"],
            optional: &[],
            variables: false,
        };
        for source in [
            "\n{{{code}}}",
            "\n{{&code}}",
            "\n{{~{code}~}}",
            "\n{{> other}}",
            "\n{{#> other}}{{/other}}",
            "\n{{*inline \"a\"}}",
            "\n{{#*inline \"a\"}}x{{/inline}}",
            "\n{{lookup a b}}",
            "\n{{log \"x\"}}",
            "\n{{#with a}}{{b}}{{/with}}",
            "\n{{{{raw}}}}{{code}}{{{{/raw}}}}",
            "\n{{#if (eq a b)}}x{{/if}}",
            "\n{{#if a includeZero=true}}x{{/if}}",
            "\n{{(lookup a b)}}",
            "\n{{#if a}}{{{b}}}{{/if}}",
            "\n{{#if a}}b{{else}}{{&b}}{{/if}}",
            "\n{{#if a}}b{{else if (not c)}}d{{/if}}",
            "\n{{#each footer}}{{> b}}{{/each}}",
            "\n{{#each a}}{{this}}{{/each}}",
            "\n{{#if a b}}x{{/if}}",
            "\n{{#if a}}",
            "\n{{code",
        ] {
            let found = problems(source, &ANY);
            let [error] = found.as_slice() else {
                panic!("{source}: {found:?}");
            };
            assert_eq!(
                (error.file.as_str(), error.line),
                ("a.txt", 8),
                "{source}: {error}"
            );
            assert!(!error.problem.is_empty(), "{source}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_told() {
        let found = problems("{{{code}}}\n{{x}}\n\n{{> y}}{{z}}", &Known::TEXT);
        let lines: Vec<_> = found.iter().map(|one| one.line).collect();
        assert_eq!(lines, [7, 8, 10, 10]);
    }
}
