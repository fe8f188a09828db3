//! Reading a JSON object so that nothing in it is lost: members in their order, none twice.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

/// The longest name that an answer repeats, in characters.
const SHOWN_CHARS_MAX: usize = 64;

/// A JSON value, as far as a request needs it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool,
    Number(f64),
    Text(String),
    Array,
    Object(Vec<(String, Json)>),
}

/// The members of the one object that `body` is, or a sentence on what is wrong where. The
/// sentence holds names and never a value.
pub(crate) fn parse_object(body: &[u8]) -> Result<Vec<(String, Json)>, String> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let (line, column) = position(&body[..error.valid_up_to()]);
        format!("The body is not valid UTF-8 at line {line}, column {column}.")
    })?;
    if text.trim_ascii().is_empty() {
        return Err("The body is empty: send a JSON object.".to_owned());
    }
    match serde_json::from_str(text) {
        Ok(Json::Object(members)) => Ok(members),
        Ok(Json::Null | Json::Bool | Json::Number(_) | Json::Text(_) | Json::Array) => {
            Err("The body must be a JSON object.".to_owned())
        }
        Err(error) => Err(explain(text, &error)),
    }
}

/// A name as an answer may repeat it.
pub(crate) fn shown(name: &str) -> String {
    match name.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

fn position(before: &[u8]) -> (usize, usize) {
    let lines: Vec<_> = before.split(|byte| *byte == b'\n').collect();
    let column = lines.last().map_or(0, |line| line.len()) + 1;
    (lines.len(), column)
}

fn explain(text: &str, error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    if is_comment(text, line, column) {
        return format!(
            "The body is not JSON at line {line}, column {column}: JSON has no // comments, so \
             leave them out."
        );
    }
    if error.is_eof() {
        return format!(
            "The body is not JSON: it ends too early, at line {line}, column {column}."
        );
    }
    let what = error.to_string();
    let what = what
        .rsplit_once(" at line ")
        .map_or(&*what, |(what, _)| what);
    format!("The body is not JSON at line {line}, column {column}: {what}.")
}

/// Whether the parser stopped at a comment. It points at the slash or just before it.
fn is_comment(text: &str, line: usize, column: usize) -> bool {
    let line = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let rest = line
        .as_bytes()
        .get(column.saturating_sub(1)..)
        .unwrap_or_default();
    rest.trim_ascii_start().starts_with(b"//") || rest.trim_ascii_start().starts_with(b"/*")
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Bool)
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        // serde_json calls this for negative numbers only.
        Ok(Json::Number(-approximate(value.unsigned_abs())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(approximate(value)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        while items.next_element::<Json>()?.is_some() {}
        Ok(Json::Array)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut members: Vec<(String, Json)> = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if members.iter().any(|(known, _)| *known == name) {
                let name = shown(&name);
                return Err(de::Error::custom(format!(
                    "the member {name:?} is given twice"
                )));
            }
            members.push((name, map.next_value()?));
        }
        Ok(Json::Object(members))
    }
}

/// The nearest floating-point number: every number that a request may hold is exact.
#[expect(
    clippy::cast_precision_loss,
    reason = "larger ones are out of every range anyway"
)]
fn approximate(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refusal(body: impl AsRef<[u8]>) -> String {
        parse_object(body.as_ref()).unwrap_err()
    }

    #[test]
    fn members_keep_their_order_and_kind() {
        let body = br#"{"z":null,"a":true,"n":-1,"m":1e2,"t":"\u00e9","l":[1,{}],"o":{"b":"c"}}"#;
        let members = parse_object(body).unwrap();
        let text = |text: &str| Json::Text(text.to_owned());
        let expected = [
            ("z", Json::Null),
            ("a", Json::Bool),
            ("n", Json::Number(-1.0)),
            ("m", Json::Number(100.0)),
            ("t", text("é")),
            ("l", Json::Array),
            ("o", Json::Object(vec![("b".to_owned(), text("c"))])),
        ];
        assert_eq!(
            members,
            expected.map(|(name, json)| (name.to_owned(), json))
        );
    }

    #[test]
    fn a_member_given_twice_is_refused_at_any_level() {
        for (body, message) in [
            (
                r#"{"a":1,"a":1}"#,
                r#"The body is not JSON at line 1, column 10: the member "a" is given twice."#,
            ),
            (
                r#"{"a":[{"b":1,"\u0062":2}]}"#,
                r#"The body is not JSON at line 1, column 21: the member "b" is given twice."#,
            ),
        ] {
            assert_eq!(refusal(body), message);
        }
    }

    #[test]
    fn a_refusal_says_what_is_wrong_where() {
        for (body, message) in [
            (&b""[..], "The body is empty: send a JSON object."),
            (b" \r\n", "The body is empty: send a JSON object."),
            (b"[]", "The body must be a JSON object."),
            (b"\"email\"", "The body must be a JSON object."),
            (b"null", "The body must be a JSON object."),
            (
                b"{\"a\":\n \"\xff\"}",
                "The body is not valid UTF-8 at line 2, column 3.",
            ),
            (
                b"{\"a\": \"b\"\n",
                "The body is not JSON: it ends too early, at line 2, column 0.",
            ),
            (
                b"{\"a\":1,}",
                "The body is not JSON at line 1, column 8: trailing comma.",
            ),
            (
                b"{} {}",
                "The body is not JSON at line 1, column 4: trailing characters.",
            ),
            (
                b"{\"a\": \"\\ud800\"}",
                "The body is not JSON at line 1, column 14: unexpected end of hex escape.",
            ),
            (
                b"{\"a\": 1e999}",
                "The body is not JSON at line 1, column 11: number out of range.",
            ),
            (
                b"{\n  \"a\": 1, // optional\n  \"b\": 2\n}",
                "The body is not JSON at line 2, column 11: JSON has no // comments, so leave \
                 them out.",
            ),
            (
                b"{\n  \"a\": 1 // optional\n}",
                "The body is not JSON at line 2, column 10: JSON has no // comments, so leave \
                 them out.",
            ),
            (
                b"// send\n{}",
                "The body is not JSON at line 1, column 1: JSON has no // comments, so leave \
                 them out.",
            ),
        ] {
            assert_eq!(refusal(body), message, "{}", body.escape_ascii());
        }
    }

    #[test]
    fn nesting_without_end_is_refused() {
        let message = refusal(format!("{{\"a\":{}", "[".repeat(10_000)));
        assert!(message.ends_with("recursion limit exceeded."), "{message}");
    }

    proptest! {
        #[test]
        fn whatever_comes_in_is_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = parse_object(&body);
        }

        #[test]
        fn what_is_refused_is_not_repeated(value in "[a-z0-9]{12}") {
            for body in [
                format!("{{\"code\":\"{value}\",}}"),
                format!("{{\"code\":\"{value}"),
                format!("{{\"code\":{value}}}"),
                value.clone(),
            ] {
                if let Err(message) = parse_object(body.as_bytes()) {
                    prop_assert!(!message.contains(&value), "{}", message);
                }
            }
        }
    }
}
