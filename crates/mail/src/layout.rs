//! What an HTML layout of one's own may hold: nothing that is fetched, runs or leads elsewhere,
//! and values only where escaping makes text of them.

use crate::TemplateError;

/// Elements that fetch, run, or ask for input.
const ELEMENTS: [&str; 25] = [
    "applet", "audio", "base", "button", "embed", "form", "frame", "frameset", "iframe", "image",
    "img", "input", "link", "math", "object", "picture", "script", "select", "source", "svg",
    "template", "textarea", "track", "video", "xml",
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
    scan.text();
    let line_of = |at: usize| source[..at].matches('\n').count() + 1;
    scan.findings
        .into_iter()
        .map(|(at, problem)| TemplateError::new(file, line_of(at), problem))
        .collect()
}

/// Reads markup as a browser would, as far as it matters. What stands in comments is read too:
/// there are programs that show it (`<!--[if mso]>`).
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

    /// Passes over everything up to and with `end`, and gives what stands before it.
    fn pass(&mut self, end: &str) -> &'a str {
        let rest = self.rest();
        let length = rest.to_ascii_lowercase().find(end);
        self.at += length.map_or(rest.len(), |length| length + end.len());
        &rest[..length.unwrap_or(rest.len())]
    }

    fn text(&mut self) {
        loop {
            self.take(|c| !matches!(c, '<' | '{'));
            let rest = self.rest();
            let mut after = rest.chars().skip(1);
            match (rest.chars().next(), after.next()) {
                (None, _) => return,
                (Some('{'), Some('{')) => self.value(),
                (Some('<'), Some('!')) if rest.starts_with("<!--") => self.at += 4,
                (Some('<'), Some('!' | '?')) => {
                    self.pass(">");
                }
                (Some('<'), Some(c)) if c.is_ascii_alphabetic() || c == '/' => self.tag(),
                (Some('<'), Some('{')) => {
                    self.find(self.at, "a value must not name an element");
                    self.at += 1;
                }
                (Some(_), _) => self.at += 1,
            }
        }
    }

    /// A value or a comment of handlebars.
    fn value(&mut self) {
        let end = if self.rest().starts_with("{{!--") {
            "--}}"
        } else {
            "}}"
        };
        self.pass(end);
    }

    fn tag(&mut self) {
        let start = self.at;
        self.at += 1;
        self.take(|c| c == '/');
        let name = self.take(|c| !c.is_ascii_whitespace() && !matches!(c, '>' | '/' | '{'));
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
                None => return,
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
        if name == "style" {
            let start = self.at;
            let css = self.pass("</style");
            self.style(start, css);
            self.pass(">");
        }
    }

    fn attribute(&mut self) {
        let start = self.at;
        let mut name = self.take(|c| !c.is_ascii_whitespace() && !matches!(c, '=' | '>' | '/'));
        if name.is_empty() {
            // A stray sign is taken for a part of a name.
            name = &self.rest()[..1];
            self.at += 1;
        }
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
        self.judge(&name, start, value, value_at, quote.is_some());
    }

    fn judge(&mut self, name: &str, at: usize, value: &str, value_at: usize, is_quoted: bool) {
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
            self.style(value_at, &value);
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
        for (at, _) in css.match_indices("{{") {
            self.find(start + at, "a value must not stand in styles");
        }
    }
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
            "<!--[if mso]><table role=presentation><![endif]-->{{code}} 1 < 2 & {x}",
            "{{!-- <img src=x> --}}{{! <script> }}",
            "<style>@media (x) { .a { color: #fff } }</style><p style=\"color:#fff\">",
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
        ] {
            let source = format!("<p>\u{e4}</p>\n{source}\n");
            let found = check("a.html", &source);
            assert!(!found.is_empty(), "{source}");
            assert!(found.iter().all(|one| one.line == 2), "{source}: {found:?}");
        }
    }
}
