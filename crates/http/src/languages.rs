//! The languages that a reader asks for by `Accept-Language` (RFC 9110, 12.5.4).

use actix_web::http::header::{ACCEPT_LANGUAGE, HeaderMap};

/// Languages looked at: nobody reads more, and a header could hold thousands.
const COUNT_MAX: usize = 20;

/// The tags of the header, the best first. What has not its form is passed over, `*` is no
/// preference, and a weight of zero is none either.
pub(crate) fn accepted(headers: &HeaderMap) -> Vec<String> {
    let mut weighted: Vec<(u16, &str)> = headers
        .get_all(ACCEPT_LANGUAGE)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(read_range)
        .take(COUNT_MAX)
        .collect();
    // A stable sort: among equals the first named wins.
    weighted.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    weighted
        .into_iter()
        .map(|(_, tag)| tag.to_owned())
        .collect()
}

/// A tag with its weight in thousandths.
fn read_range(range: &str) -> Option<(u16, &str)> {
    let (tag, weight) = match range.split_once(';') {
        Some((tag, parameter)) => (tag, read_weight(parameter)?),
        None => (range, 1000),
    };
    let tag = tag.trim();
    let is_tag = oxilangtag::LanguageTag::parse(tag).is_ok();
    (weight > 0 && is_tag).then_some((weight, tag))
}

/// RFC 9110, 12.4.2: `q=` and a number from 0 to 1 with at most three decimals.
fn read_weight(parameter: &str) -> Option<u16> {
    let (name, value) = parameter.trim().split_once('=')?;
    let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
    let are_digits = decimals.bytes().all(|byte| byte.is_ascii_digit());
    if !name.eq_ignore_ascii_case("q") || decimals.len() > 3 || !are_digits {
        return None;
    }
    let thousandths = format!("{decimals:0<3}").parse().ok()?;
    match (whole, thousandths) {
        ("0", thousandths) => Some(thousandths),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn order(values: &[&'static str]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(ACCEPT_LANGUAGE, HeaderValue::from_static(value));
        }
        accepted(&headers)
    }

    #[test]
    fn the_heaviest_language_comes_first() {
        for (header, languages) in [
            ("de", vec!["de"]),
            ("de-DE,de;q=0.9,en;q=0.8", vec!["de-DE", "de", "en"]),
            ("en;q=0.5, de;q=0.75,fr ; Q=1.0", vec!["fr", "de", "en"]),
            ("en, de", vec!["en", "de"]),
            ("*", vec![]),
            ("*;q=0.5, de;q=0.1", vec!["de"]),
            ("de;q=0, en;q=0.000", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(order(&[header]), languages, "{header}");
        }
        assert_eq!(order(&["en;q=0.5", "de"]), ["de", "en"]);
    }

    #[test]
    fn what_is_malformed_is_passed_over() {
        for header in [
            "de;q=2",
            "de;q=1.5",
            "de;q=0.1234",
            "de;q=-1",
            "de;q=+.5",
            "de;q",
            "de;level=1",
            "de_DE",
            "d e",
            ";q=1",
            ",,,",
            "<script>",
        ] {
            assert_eq!(order(&[header, "en;q=0.1"]), ["en"], "{header}");
        }
    }
}
