//! What an HTML layout of one's own may hold: nothing that is fetched, runs or leads elsewhere,
//! and values only where escaping makes text of them.

use crate::TemplateError;

/// Elements that fetch, run, or ask for input, and old ones whose content is no markup.
const ELEMENTS: [&str; 29] = [
    "applet",
    "audio",
    "base",
    "button",
    "embed",
    "form",
    "frame",
    "frameset",
    "iframe",
    "image",
    "img",
    "input",
    "link",
    "math",
    "noembed",
    "noframes",
    "object",
    "picture",
    "plaintext",
    "script",
    "select",
    "source",
    "svg",
    "template",
    "textarea",
    "track",
    "video",
    "xml",
    "xmp",
];
/// Attributes that fetch.
const FETCHING: [&str; 13] = [
    "action",
    "archive",
    "background",
    "classid",
    "codebase",
    "data",
    "dynsrc",
    "formaction",
    "lowsrc",
    "ping",
    "poster",
    "src",
    "srcset",
];
/// Attributes that may hold values.
const TEXTS: [&str; 5] = ["lang", "dir", "title", "alt", "aria-label"];
/// What fetches, or could hide what does, in style sheets.
const STYLES: [&str; 6] = ["url(", "@import", "image-set(", "src(", "expression(", "\\"];

/// All that `source`, the HTML layout `file`, holds and should not.
pub(crate) fn check(file: &str, source: &str) -> Vec<TemplateError> {
    let mut scan = Scan {
        source,
        at: 0,
        findings: Vec::new(),
    };
    for (at, _) in source.match_indices("\\{{") {
        scan.find(at, "a backslash before {{ is refused");
    }
    scan.text();
    let line_of = |at: usize| source[..at].matches('\n').count() + 1;
    scan.findings
        .into_iter()
        .map(|(at, problem)| TemplateError::new(file, line_of(at), problem))
        .collect()
}

/// Reads markup as a browser would, as far as it matters. What programs could read in two ways is
/// refused: so a `<` is the start of a tag, of a plain comment or of the doctype, and of nothing
/// else.
struct Scan<'a> {
    source: &'a str,
    /// The next byte, always at the start of a character.
    at: usize,
    findings: Vec<(usize, String)>,
}

impl<'a> Scan<'a> {
    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn find(&mut self, at: usize, problem: impl Into<String>) {
        self.findings.push((at, problem.into()));
    }

    /// Takes characters as long as `is_taken`.
    fn take(&mut self, is_taken: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|c| !is_taken(c)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// Passes over everything up to and with `end`, and gives what stands before it. Without an
    /// `end` that is all the rest, and refused.
    fn pass(&mut self, end: &str) -> &'a str {
        let rest = self.rest();
        let Some(length) = rest.find(end) else {
            self.find(self.at, format!("there is no {end} at the end of this"));
            self.at = self.source.len();
            return rest;
        };
        self.at += length + end.len();
        &rest[..length]
    }

    fn text(&mut self) {
        loop {
            self.take(|c| !matches!(c, '<' | '{'));
            let rest = self.rest();
            let after = rest.get(1..).unwrap_or_default();
            if rest.is_empty() {
                return;
            } else if rest.starts_with("{{") {
                self.value();
            } else if rest.starts_with("<!") {
                self.declaration();
            } else if rest.starts_with("<{{") {
                self.find(self.at, "a value must not name an element");
                self.at += 1;
            } else if rest.starts_with('<') {
                let name = after.strip_prefix('/').unwrap_or(after);
                if name.starts_with(|c: char| c.is_ascii_alphabetic()) {
                    self.tag();
                } else {
                    self.find(self.at, "this < begins no tag: write &lt;");
                    self.at += 1;
                }
            } else {
                self.at += 1;
            }
        }
    }

    /// A comment or the doctype.
    fn declaration(&mut self) {
        let start = self.at;
        let rest = self.rest();
        let is_plain = |text: &str| !text.contains(['<', '>']) && !text.contains("{{");
        if rest.starts_with("<!--") {
            self.at += "<!--".len();
            let text = self.pass("-->");
            if !is_plain(text) || text.starts_with('[') {
                let problem = "a comment of HTML holds no <, > and {{, and no condition";
                self.find(start, problem);
            }
            return;
        }
        let text = self.pass(">");
        let head = text.get(.."<!doctype".len()).unwrap_or_default();
        let is_doctype = head.eq_ignore_ascii_case("<!doctype") && is_plain(&text[1..]);
        if !is_doctype {
            self.find(
                start,
                "<! begins a comment or the doctype, and nothing else",
            );
        }
    }

    /// A value or a comment of handlebars, which has two kinds of them.
    fn value(&mut self) {
        let rest = self.rest();
        let long = rest
            .strip_prefix("{{!")
            // What handlebars takes for blank is less than what Unicode does.
            .map(|rest| rest.trim_start_matches([' ', '\t', '\n', '\r']))
            .and_then(|rest| rest.strip_prefix("--"));
        match long {
            Some(comment) => {
                self.at += rest.len() - comment.len();
                self.pass("--}}");
            }
            None => {
                self.pass("}}");
            }
        }
    }

    fn tag(&mut self) {
        let start = self.at;
        self.at += 1;
        let is_end = self.rest().starts_with('/');
        self.at += usize::from(is_end);
        let name = self.take(|c| !c.is_ascii_whitespace() && !matches!(c, '>' | '/' | '{'));
        self.judge_name(start, name);
        let name = name.to_ascii_lowercase();
        // `v:image` and the like are of Office.
        let local = name.rsplit(':').next().unwrap_or_default();
        if ELEMENTS.contains(&local) {
            self.find(
                start,
                format!("<{name}> is refused: a message fetches and runs nothing"),
            );
        }
        loop {
            self.take(|c| c.is_ascii_whitespace() || c == '/');
            match self.rest().chars().next() {
                None => return self.find(start, "this tag has no end"),
                Some('>') => {
                    self.at += 1;
                    break;
                }
                Some('{') if self.rest().starts_with("{{") => {
                    let problem = "in a tag, a value may stand only inside of an attribute";
                    self.find(self.at, problem);
                    self.value();
                }
                Some(_) => self.attribute(),
            }
        }
        if name == "style" && !is_end {
            let start = self.at;
            let css = self.take(|c| c != '<');
            self.style(start, css);
            self.judge_end(&name);
        } else if name == "title" && !is_end {
            loop {
                self.take(|c| !matches!(c, '<' | '{'));
                match self.rest().chars().next() {
                    Some('{') if self.rest().starts_with("{{") => self.value(),
                    Some('{') => self.at += 1,
                    _ => break,
                }
            }
            self.judge_end(&name);
        }
    }

    /// What no name of an element or an attribute holds.
    fn judge_name(&mut self, at: usize, name: &str) {
        if name.contains(['<', '{', '"', '\'', '=', '&']) {
            self.find(at, format!("{name} is no name"));
        }
    }

    /// After what is no markup, the next tag must be the end of the element `name`.
    fn judge_end(&mut self, name: &str) {
        let end = self.rest().get(2..).unwrap_or_default();
        let is_name = end
            .get(..name.len())
            .is_some_and(|there| there.eq_ignore_ascii_case(name));
        let after = end.get(name.len()..).unwrap_or_default();
        let is_whole = after.starts_with(|c: char| c.is_ascii_whitespace() || "/>".contains(c));
        if !(self.rest().starts_with("</") && is_name && is_whole) {
            let at = self.at.min(self.source.trim_end().len());
            self.find(at, format!("in <{name}>, only </{name}> may begin with <"));
        }
    }

    fn attribute(&mut self) {
        let start = self.at;
        let mut name = self.take(|c| !c.is_ascii_whitespace() && !matches!(c, '=' | '>' | '/'));
        if name.is_empty() {
            // Nothing but this sign ends a name here; it is none.
            name = "=";
            self.at += 1;
        }
        self.judge_name(start, name);
        let name = name.to_ascii_lowercase();
        self.take(|c| c.is_ascii_whitespace());
        if !self.rest().starts_with('=') {
            self.judge(&name, start, "", start, true);
            return;
        }
        self.at += 1;
        self.take(|c| c.is_ascii_whitespace());
        let quotes = ["\"", "'"];
        let quote = quotes.into_iter().find(|one| self.rest().starts_with(one));
        self.at += quote.map_or(0, str::len);
        let value_at = self.at;
        let value = match quote {
            Some(quote) => self.pass(quote),
            None => self.take(|c| !c.is_ascii_whitespace() && c != '>'),
        };
        let has_quote = quote.is_none() && value.contains(['"', '\'']);
        if has_quote || value.contains(['<', '>']) {
            let problem = "< and >, and quotes without others around them, are refused here";
            self.find(value_at, problem);
        }
        if !holds_values_only(value) {
            let problem = "in an attribute stand values, but no comments and no if or each";
            self.find(value_at, problem);
        }
        self.judge(&name, start, value, value_at, quote.is_some());
    }

    fn judge(&mut self, name: &str, at: usize, value: &str, value_at: usize, is_quoted: bool) {
        let written = value;
        let value = value.trim().to_ascii_lowercase();
        let local = name.rsplit(':').next().unwrap_or_default();
        let leads_nowhere = ["mailto:", "tel:", "#"]
            .iter()
            .any(|start| value.starts_with(start));
        let is_harmless = matches!(&*value, "content-type" | "x-ua-compatible");
        if FETCHING.contains(&local) {
            self.find(at, format!("{name} is refused: a message fetches nothing"));
        } else if local == "href" && !leads_nowhere {
            self.find(at, "a link is refused, but for mailto:, tel: and #");
        } else if name.starts_with("on") {
            self.find(at, format!("{name} is refused: a message runs nothing"));
        } else if name == "http-equiv" && !is_harmless {
            self.find(at, format!("http-equiv={value} is refused"));
        } else if name == "style" {
            self.style(value_at, written);
        } else if value.contains("{{") && !(is_quoted && TEXTS.contains(&name)) {
            let texts = TEXTS.join(", ");
            let problem = format!(
                "a value may stand in text, and in quotes in the attributes {texts}: not in {name}"
            );
            self.find(at, problem);
        }
    }

    /// Judges style sheets that begin at `start`.
    fn style(&mut self, start: usize, css: &str) {
        let css = css.to_ascii_lowercase();
        for refused in STYLES {
            for (at, _) in css.match_indices(refused) {
                let problem = format!("{refused} is refused in styles: a message fetches nothing");
                self.find(start + at, problem);
            }
        }
        for (at, sign) in css.match_indices(['<', '&']) {
            self.find(start + at, format!("{sign} is refused in styles"));
        }
        for (at, _) in css.match_indices("{{") {
            self.find(start + at, "a value must not stand in styles");
        }
    }
}

/// Whether nothing of handlebars stands in an attribute but values: a block could begin in one and
/// end in another.
fn holds_values_only(attribute: &str) -> bool {
    let is_in_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    attribute.split("{{").skip(1).all(|rest| {
        let name = rest.split_once("}}").map_or("", |(name, _)| name);
        let name = name.trim_matches(['~', ' ']);
        !name.is_empty() && name != "else" && name.chars().all(is_in_name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::built_in::HTML_LAYOUT;

    #[test]
    fn the_built_in_layout_and_harmless_markup_pass() {
        for source in [
            HTML_LAYOUT.1,
            "<!doctype html><html xmlns=\"http://www.w3.org/1999/xhtml\" lang='{{language}}'>",
            "<a href=\"mailto:help@acme.example\">{{where}}</a><a href='#x'>y</a>",
            "<!-- a note - of one's own --><table role=presentation>{{code}} 1 &lt; 2 > & {x}</table>",
            "{{!-- <img src=x> {{code}} --}}{{! <script> }}{{! -- }} <img> --}}<p>",
            "<style>@media (x) { .a > b { color: #fff } }</style ><p style=\"color:#fff\">",
            "<title>{{! < }}{{product}}: {{heading}}</TITLE>",
            "<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0//EN\" \"http://www.w3.org/xhtml1.dtd\">",
            "<p title=\"{{ product }}: {{~heading~}}\">",
            "<meta http-equiv=\"Content-Type\" content=\"text/html\"><br/>",
        ] {
            assert_eq!(check("a.html", source), [], "{source}");
        }
    }

    #[test]
    fn what_is_fetched_runs_or_leads_elsewhere_is_refused_with_its_line() {
        for source in [
            "<script>1</script>",
            "<SCRIPT src=x>",
            "<link rel=stylesheet>",
            "<img alt=''>",
            "<img/alt=''>",
            "<v:image>",
            "<!--[if mso]><img><![endif]-->",
            "<table background=\"https://evil.example/x.png\">",
            "<td src='http://evil.example'>",
            "<td SRC = //evil.example>",
            "<a href=\"https://evil.example\">",
            "<a href='&#104;ttps://evil.example'>",
            "<a href=\"{{where}}\">",
            "<a href=' javascript:alert(1)'>",
            "<p onclick=\"x()\">",
            "<p style=\"background:url(https://evil.example)\">",
            "<p style='background:U\\52L(x)'>",
            "<style>@import 'x';</style>",
            "<style>.a { background: URL('https://evil.example') }</style>",
            "<meta http-equiv=refresh content=1>",
            "<p style=\"{{label}}\">",
            "<style>{{label}}</style>",
            "<p title={{label}}>",
            "<p {{label}}>",
            "<{{label}}>",
            "<p data-x=\"{{label}}\">",
            // What stands in one place for this program and in another for a browser.
            "<!-- <p title=\"--> <img src=https://e>\"> -->",
            "<!-- <style> --> <img src=https://e> </style>",
            "<!--[if mso]><p><![endif]-->",
            "<!--> <p title=\"-->\">",
            "<!-- {{code}} -->",
            "<!-- a --!> b -->",
            "<!-- no end",
            "<![if !mso]>",
            "<?xml version=1>",
            "<!doctype {{! > }}>",
            "<xmp><p title=\"</xmp><img src=https://e>\"></xmp>",
            "<xmp>x</xmp>",
            "<noembed>",
            "<noframes>",
            "<plaintext>",
            "</ title=\"><img src=https://e>\">",
            "</ title=x>",
            "<//p>",
            "<p title='a > b'>",
            "<p title='a < b'>",
            "<p title=a<b>",
            "<p<b>",
            "<p title=\"a>",
            "<p title=\"a\"",
            "<p style=\"background:u&#114;l(https://e)\">",
            "<style></stylex>{} p{background:url(https://e)}</style>",
            "<style></stylex>",
            "<style>a { color: &x }</style>",
            "<style>a {}",
            "<title>a<b</title>",
            "<title>a</titlex>",
            "{{!-- note }}<img src=https://e>",
            "{{!--}}<p title=\"x\">--}} {{!--}}",
            "{{! -- note }}<img src=https://e>",
            "\\{{<img src=https://e>}}",
            "\\\\{{code}}",
            "<td back{{!}}ground=https://e>",
            "<td title=\"{{! \" x=' }}\" background=https://e y='\">",
            "< {{~#if code~}} img src=https://e>{{/if}}",
            "1 < 2",
            "<td title=\"{{#if g}}\" alt='{{/if}}\" background=https://e x=y' >",
            "{{#if g}}<td title=\"{{else}}\">{{/if}}",
            "{{!\u{a0}-- x }}<img src=https://e>--}}",
            "<p style=' \u{e4}url(https://e)'>",
        ] {
            let source = format!("<p>\u{e4}</p>\n{source}\n");
            let found = check("a.html", &source);
            assert!(!found.is_empty(), "{source}");
            assert!(found.iter().all(|one| one.line == 2), "{source}: {found:?}");
        }
    }
}
