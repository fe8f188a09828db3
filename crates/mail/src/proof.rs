//! The proof that every message can be written and says what it must.

use std::collections::{BTreeMap, BTreeSet};

use otpost_domain::TemplateName;

use crate::TemplateError;
use crate::built_in::{HTML_LAYOUT, TEXT_LAYOUT};
use crate::catalogue::{Catalogue, Values, context};
use crate::lifetime::{Lifetime, UNITS};
use crate::lint;
use crate::plural;
use crate::texts::Texts;

const CODE: &str = "48291377";
const LIFETIME: Lifetime = Lifetime::Minutes(59);

impl Catalogue {
    /// Renders every template in every language with and without what is optional, and tells what
    /// is wrong. A text that is known to be broken is passed over with its message, and below a
    /// folder of one's own so is a message that takes nothing from it.
    pub(crate) fn prove(&self) -> Vec<TemplateError> {
        let has_own_layout = self.text_layout != TEXT_LAYOUT.0 || self.html_layout != HTML_LAYOUT.0;
        let has_own = self.pairs().any(|(texts, _)| texts.own_count > 0);
        let is_proven = |texts: &Texts| has_own && !has_own_layout && texts.own_count == 0;
        let mut problems = Vec::new();
        for (texts, template) in self.pairs().filter(|(texts, _)| !is_proven(texts)) {
            let is_whole = texts.lines(template).all(|line| self.has(line))
                && texts.missing_in(template).next().is_none();
            if is_whole {
                problems.extend(self.prove_content(texts, template));
                problems.extend(self.prove_units(texts, template));
            }
        }
        problems
    }

    fn prove_content(&self, texts: &Texts, template: &TemplateName) -> Vec<TemplateError> {
        let lines = texts.lines(template);
        let used = lines.flat_map(|line| lint::variables(&line.text));
        let names: BTreeSet<&str> = used.chain(["name"]).collect();
        // None of them, each one alone, and all.
        let mut runs = vec![BTreeMap::new()];
        runs.extend(names.iter().map(|name| set([*name])));
        if names.len() > 1 {
            runs.push(set(names));
        }
        let footer = ["Footer".to_owned()];
        let mut problems = Vec::new();
        for variables in runs {
            let has_footer = usize::from(!variables.is_empty());
            let footer = &footer[..has_footer];
            let values = Values {
                code: CODE,
                product: "Product",
                lifetime: LIFETIME,
                footer,
                variables: &variables,
            };
            let proven = self.prove_one(texts, template, values);
            problems.extend(proven.unwrap_or_else(|error| vec![error]));
        }
        problems
    }

    /// A message says its code and its lifetime in both parts.
    fn prove_one(
        &self,
        texts: &Texts,
        template: &TemplateName,
        values: Values<'_>,
    ) -> Result<Vec<TemplateError>, TemplateError> {
        let content = self.content(texts, template, values)?;
        let lifetime = self.lifetime(texts, template, LIFETIME)?;
        let mut problems = Vec::new();
        if !content.subject.contains(CODE) {
            let line = texts.get(template, "subject")?;
            problems.push(line.problem("the subject must say the code: begin with {{code}}"));
        }
        let is_said = self.validity(texts, template, values)?.contains(&lifetime);
        if !is_said {
            let line = texts.get(template, "validity")?;
            problems.push(line.problem("the text must say the lifetime: write {{lifetime}}"));
        }
        let escaped = handlebars::html_escape(&lifetime);
        for (part, layout, lifetime) in [
            (&content.text, &self.text_layout, &lifetime),
            (&content.html, &self.html_layout, &escaped),
        ] {
            let problem = |what: &str| TemplateError::new(layout, 1, what);
            if !part.contains(CODE) {
                problems.push(problem("a message must say its code: write {{code}}"));
            }
            if is_said && !part.contains(lifetime) {
                problems.push(problem(
                    "a message must say its lifetime: write {{validity}}",
                ));
            }
        }
        Ok(problems)
    }

    /// A form may leave its count out only where it has but one: "two minutes" in a word, but not
    /// "one minute" where 21 takes the same form.
    fn prove_units(&self, texts: &Texts, template: &TemplateName) -> Vec<TemplateError> {
        let mut problems = Vec::new();
        for (form, counts) in plural::forms(&texts.language) {
            for unit in UNITS {
                let key = format!("{unit}_{form}");
                for count in counts.iter().take(2).map(u64::to_string) {
                    let values = BTreeMap::from([("count", count.as_str())]);
                    let filled = context(&values);
                    let filled =
                        filled.and_then(|values| self.fill(texts, template, &key, &values));
                    match filled {
                        Ok(text) if counts.len() == 1 || text.contains(&count) => {}
                        Ok(_) => problems.extend(texts.get(template, &key).map(|line| {
                            line.problem(
                                "more than one count takes this form, so it must say {{count}}",
                            )
                        })),
                        Err(error) => problems.push(error),
                    }
                }
            }
        }
        problems
    }
}

fn set<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, String> {
    let names = names.into_iter();
    names
        .map(|name| (name.to_owned(), "Ada".to_owned()))
        .collect()
}
