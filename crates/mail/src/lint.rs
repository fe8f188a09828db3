//! What a template may hold: values, escaped, and two plain helpers.

use handlebars::Template;
use handlebars::template::{HelperTemplate, Parameter, TemplateElement};

/// The helpers that a template may use. Nothing else of handlebars is needed to say what a mail
/// says, and each of the others reaches further than a text should.
pub(crate) const HELPERS: [&str; 2] = ["if", "each"];

/// What is wrong with a template, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
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
}

/// Compiles `source`, which begins at `first_line` of `file`.
pub(crate) fn compile(
    file: &str,
    first_line: usize,
    source: &str,
) -> Result<Template, TemplateError> {
    let template = Template::compile_with_name(source, file.to_owned()).map_err(|error| {
        let line = error.pos().map_or(1, |(line, _)| line);
        TemplateError::new(file, first_line + line - 1, error.reason().to_string())
    })?;
    check(&template, 1)
        .map_err(|(line, problem)| TemplateError::new(file, first_line + line - 1, problem))?;
    Ok(template)
}

type Finding = (usize, String);

fn check(template: &Template, outer_line: usize) -> Result<(), Finding> {
    for (index, element) in template.elements.iter().enumerate() {
        // An `else if` has no line of its own.
        let line = template.mapping.get(index).map_or(outer_line, |at| at.0);
        match element {
            TemplateElement::RawString(_) | TemplateElement::Comment(_) => {}
            TemplateElement::Expression(value) => check_value(value, line)?,
            TemplateElement::HelperBlock(block) => check_block(block, line)?,
            TemplateElement::HtmlExpression(_) => {
                let problem = "{{{ }}} and {{& }} write a value unescaped and are refused";
                return Err((line, problem.to_owned()));
            }
            // Partials, decorators, and whatever handlebars will add.
            _ => return Err((line, "partials and decorators are refused".to_owned())),
        }
    }
    Ok(())
}

fn check_value(value: &HelperTemplate, line: usize) -> Result<(), Finding> {
    let is_plain = value.params.is_empty() && value.hash.is_empty();
    match (&value.name, is_plain) {
        (Parameter::Path(_) | Parameter::Name(_), true) => Ok(()),
        (name, _) => Err((line, unlisted(name))),
    }
}

fn check_block(block: &HelperTemplate, line: usize) -> Result<(), Finding> {
    let is_listed = block
        .name
        .as_name()
        .is_some_and(|name| HELPERS.contains(&name));
    if !is_listed {
        return Err((line, unlisted(&block.name)));
    }
    let is_path = |parameter: &Parameter| matches!(parameter, Parameter::Path(_));
    if !block.params.iter().all(is_path) || !block.hash.is_empty() {
        let problem = "a helper takes the name of a value and nothing else";
        return Err((line, problem.to_owned()));
    }
    [&block.template, &block.inverse]
        .into_iter()
        .flatten()
        .try_for_each(|part| check(part, line))
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

    #[test]
    fn values_conditions_lists_and_comments_are_allowed() {
        let source = "{{code}}\n{{! why }}\n{{#if name}}{{name}}{{else}}you{{/if}}\n\
                      {{#each footer}}{{this}}{{/each}}";
        compile("a.txt", 1, source).unwrap();
    }

    #[test]
    fn what_reaches_further_is_refused_with_file_and_line() {
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
            "\n{{#each a}}{{> b}}{{/each}}",
            "\n{{#if a}}",
            "\n{{code",
        ] {
            let error = compile("a.txt", 7, source).unwrap_err();
            assert_eq!(
                (error.file.as_str(), error.line),
                ("a.txt", 8),
                "{source}: {error}"
            );
            assert!(!error.problem.is_empty(), "{source}");
        }
    }
}
