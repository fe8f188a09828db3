//! As much of Mustache as the pages need: `{{name}}`, escaped, and `{{#name}}…{{/name}}`, which is
//! shown where there is a value that is not empty.

use std::borrow::Cow;

/// The page with its values. A name that has none is empty.
pub(super) fn fill(page: &str, values: &[(&str, Cow<'_, str>)]) -> String {
    let mut filled = String::with_capacity(page.len());
    add(&mut filled, page, values);
    filled
}

fn add(filled: &mut String, page: &str, values: &[(&str, Cow<'_, str>)]) {
    let value = |name: &str| {
        let found = values.iter().find(|(known, _)| *known == name);
        found.map_or("", |(_, value)| value)
    };
    let mut rest = page;
    while let Some((before, (tag, after))) = next_tag(rest) {
        filled.push_str(before);
        let section = tag.strip_prefix('#').and_then(|name| {
            let (inner, after) = after.split_once(&format!("{{{{/{name}}}}}"))?;
            Some((name, inner, after))
        });
        rest = if let Some((name, inner, after)) = section {
            if !value(name).is_empty() {
                add(filled, inner, values);
            }
            after
        } else {
            escape(filled, value(tag));
            after
        };
    }
    filled.push_str(rest);
}

/// What stands before the first tag, its name, and what comes after it.
fn next_tag(text: &str) -> Option<(&str, (&str, &str))> {
    let (before, rest) = text.split_once("{{")?;
    Some((before, rest.split_once("}}")?))
}

fn escape(filled: &mut String, value: &str) {
    for char in value.chars() {
        match char {
            '&' => filled.push_str("&amp;"),
            '<' => filled.push_str("&lt;"),
            '>' => filled.push_str("&gt;"),
            '"' => filled.push_str("&quot;"),
            '\'' => filled.push_str("&#39;"),
            other => filled.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped_and_sections_shown_where_there_is_one() {
        for (page, filled) in [
            ("", ""),
            ("a {{x}} b {{x}}", "a &lt;i&gt; b &lt;i&gt;"),
            ("{{q}}", "&quot;&#39;&amp;"),
            ("{{nothing}}.", "."),
            ("{{#x}}yes {{x}}{{/x}}.", "yes &lt;i&gt;."),
            ("{{#nothing}}{{x}}{{/nothing}}.", "."),
            ("{{#x}}{{#nothing}}a{{/nothing}}{{#q}}b{{/q}}{{/x}}", "b"),
            ("{{ open", "{{ open"),
        ] {
            let values = [("x", "<i>".into()), ("q", "\"'&".into())];
            assert_eq!(fill(page, &values), filled, "{page}");
        }
    }

    #[test]
    fn a_value_is_never_a_template() {
        let values = [("x", "{{y}}".into()), ("y", "secret".into())];
        assert_eq!(fill("{{x}}{{#x}}{{x}}{{/x}}", &values), "{{y}}{{y}}");
    }
}
