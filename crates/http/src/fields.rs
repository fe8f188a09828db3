//! Taking the known members out of a body, and noting everything that is wrong with them.

use std::ops::RangeInclusive;

use crate::error::BadRequest;
use crate::json::{Json, shown};
use crate::wrong_fields::WrongFields;

/// A member that an endpoint knows.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) aliases: &'static [&'static str],
}

impl Field {
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name, aliases: &[] }
    }

    pub(crate) const fn aliased(name: &'static str, aliases: &'static [&'static str]) -> Self {
        Self { name, aliases }
    }

    fn is_called(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }
}

/// Proof that something wrong was noted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noted;

/// The members of one body. What is taken out and read may be noted as wrong; reading goes on,
/// so that one answer names all.
pub(crate) struct Fields {
    members: Vec<(String, Json)>,
    wrong: WrongFields,
}

impl Fields {
    /// Calls every member by its documented name. A `null` is no member.
    ///
    /// # Errors
    ///
    /// When one is given twice, perhaps by its name and by an alias.
    pub(crate) fn new(members: Vec<(String, Json)>, known: &[Field]) -> Result<Self, BadRequest> {
        let mut named: Vec<(String, Json)> = Vec::with_capacity(members.len());
        for (name, value) in members {
            let name = match known.iter().find(|field| field.is_called(&name)) {
                Some(field) => field.name.to_owned(),
                None => name,
            };
            if named.iter().any(|(taken, _)| *taken == name) {
                return Err(BadRequest::Malformed(format!(
                    "The member \"{}\" is given more than once, under its name or an alias.",
                    shown(&name)
                )));
            }
            named.push((name, value));
        }
        Ok(Self {
            members: named,
            wrong: WrongFields::default(),
        })
    }

    /// The value of a field; a `null` is none.
    pub(crate) fn take(&mut self, name: &str) -> Option<Json> {
        let place = self.members.iter().position(|(member, _)| member == name)?;
        match self.members.remove(place).1 {
            Json::Null => None,
            value => Some(value),
        }
    }

    /// A text that must be there. `otherwise` is what is said of a value of another type.
    pub(crate) fn required_text(&mut self, name: &str, otherwise: &str) -> Result<String, Noted> {
        match self.take(name) {
            Some(Json::Text(text)) if !text.is_empty() => Ok(text),
            None | Some(Json::Text(_) | Json::Null) => Err(self.refuse(name, "is required")),
            Some(Json::Bool | Json::Number(_) | Json::Array | Json::Object(_)) => {
                Err(self.refuse(name, otherwise))
            }
        }
    }

    /// A text that may be there.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, Noted> {
        match self.take(name) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text)),
            Some(Json::Bool | Json::Number(_) | Json::Array | Json::Object(_)) => {
                Err(self.refuse(name, A_STRING))
            }
        }
    }

    /// An integer that may be there, within `range`. `why_not_less` and `why_not_more` name the
    /// setting behind a bound, or nothing.
    pub(crate) fn integer(
        &mut self,
        name: &str,
        range: &RangeInclusive<u32>,
        why_not_less: &str,
        why_not_more: &str,
    ) -> Result<Option<u32>, Noted> {
        let number = match self.take(name) {
            None | Some(Json::Null) => return Ok(None),
            Some(Json::Number(number)) if number.fract() == 0.0 => number,
            Some(Json::Number(_) | Json::Bool | Json::Text(_) | Json::Array | Json::Object(_)) => {
                return Err(self.refuse(name, "must be an integer"));
            }
        };
        let (least, most) = (*range.start(), *range.end());
        if let Some(value) = within(number, range) {
            return Ok(Some(value));
        }
        let why = if number < f64::from(least) {
            why_not_less
        } else {
            why_not_more
        };
        Err(self.refuse(name, &format!("must be between {least} and {most}{why}")))
    }

    /// Notes that field `name` is wrong: "The NAME field WHAT."
    pub(crate) fn refuse(&mut self, name: &str, what: &str) -> Noted {
        self.wrong
            .note(name.to_owned(), format!("The {name} field {what}."));
        Noted
    }

    /// Notes every member that nobody took.
    pub(crate) fn refuse_unknown(&mut self) {
        for (name, _) in std::mem::take(&mut self.members) {
            self.refuse(&shown(&name), "is unknown");
        }
    }

    /// What was read, unless anything is wrong.
    pub(crate) fn finish<T>(self, read: Result<T, Noted>) -> Result<T, BadRequest> {
        match read {
            Ok(value) if self.wrong.is_empty() => Ok(value),
            Ok(_) | Err(Noted) => Err(BadRequest::Validation(self.wrong)),
        }
    }
}

/// What is said of a value that is no string.
pub(crate) const A_STRING: &str = "must be a string";

/// The integer that `number` is, where `range` holds it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "only numbers that fit pass the bounds"
)]
fn within(number: f64, range: &RangeInclusive<u32>) -> Option<u32> {
    let bounds = f64::from(*range.start())..=f64::from(*range.end());
    bounds.contains(&number).then_some(number as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    const KNOWN: [Field; 2] = [
        Field::aliased("session_id", &["request_id", "requestId"]),
        Field::new("size"),
    ];

    fn fields(body: &str) -> Fields {
        Fields::new(json::parse_object(body.as_bytes()).unwrap(), &KNOWN).unwrap()
    }

    fn size(number: &str) -> Result<Option<u32>, String> {
        let mut fields = fields(&format!("{{\"size\":{number}}}"));
        let read = fields.integer("size", &(4..=8), " (a.min)", " (a.max)");
        read.map_err(|Noted| fields.wrong.message().to_owned())
    }

    #[test]
    fn an_integer_is_one_however_it_is_written() {
        for (number, value) in [("4", 4), ("8", 8), ("6.0", 6), ("60e-1", 6), ("0.5E1", 5)] {
            assert_eq!(size(number), Ok(Some(value)), "{number}");
        }
        assert_eq!(size("null"), Ok(None));
    }

    #[test]
    fn what_is_no_integer_is_refused() {
        for number in ["4.5", "\"6\"", "\"\"", "true", "[]", "{}", "1e-400"] {
            let expected = match number {
                "1e-400" => "The size field must be between 4 and 8 (a.min).",
                _ => "The size field must be an integer.",
            };
            assert_eq!(size(number), Err(expected.to_owned()), "{number}");
        }
    }

    #[test]
    fn an_integer_out_of_bounds_is_told_the_bounds_and_who_set_them() {
        for (number, setting) in [
            ("3", "a.min"),
            ("0", "a.min"),
            ("-0", "a.min"),
            ("-6", "a.min"),
            ("-9223372036854775808", "a.min"),
            ("9", "a.max"),
            ("4294967302", "a.max"),
            ("18446744073709551615", "a.max"),
            ("1e300", "a.max"),
        ] {
            let message = format!("The size field must be between 4 and 8 ({setting}).");
            assert_eq!(size(number), Err(message), "{number}");
        }
    }

    #[test]
    fn a_member_goes_by_any_one_of_its_names() {
        for body in [
            r#"{"session_id":"x"}"#,
            r#"{"request_id":"x"}"#,
            r#"{"requestId":"x"}"#,
        ] {
            let read = fields(body).required_text("session_id", A_STRING);
            assert_eq!(read.ok().as_deref(), Some("x"), "{body}");
        }
        for body in [
            r#"{"session_id":"x","requestId":"x"}"#,
            r#"{"request_id":null,"requestId":"x"}"#,
        ] {
            let members = json::parse_object(body.as_bytes()).unwrap();
            assert!(Fields::new(members, &KNOWN).is_err(), "{body}");
        }
    }

    #[test]
    fn every_wrong_field_is_named_once_and_the_unknown_last() {
        let mut fields = fields(r#"{"extra":1,"size":"secret","other":2}"#);
        let size = fields.integer("size", &(4..=8), "", "");
        let session_id = fields.required_text("session_id", A_STRING);
        fields.refuse_unknown();

        let read = size.and(session_id);
        let Err(BadRequest::Validation(wrong)) = fields.finish(read) else {
            panic!("nothing was noted");
        };
        assert_eq!(wrong.message(), "The size field must be an integer.");
        assert_eq!(
            serde_json::to_string(&wrong).unwrap(),
            r#"{"size":["The size field must be an integer."],"session_id":["The session_id field is required."],"extra":["The extra field is unknown."],"other":["The other field is unknown."]}"#
        );
    }
}
