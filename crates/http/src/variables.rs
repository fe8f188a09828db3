//! What a caller gives the template.

use std::collections::BTreeMap;

use crate::fields::{Field, Fields, Noted};
use crate::json::Json;

pub(crate) const VARIABLES: Field = Field::new("variables");

/// Variables in all.
const COUNT_MAX: usize = 16;
/// The longest name in characters.
const NAME_CHARS_MAX: usize = 64;
/// The longest value in characters.
const VALUE_CHARS_MAX: usize = 256;

/// An object of short strings, if there is one. Control characters are refused: a line end in a
/// value could begin a header (RFC 5322, 2.2).
pub(crate) fn variables(fields: &mut Fields) -> Result<BTreeMap<String, String>, Noted> {
    let members = match fields.take(VARIABLES.name) {
        None | Some(Json::Null) => return Ok(BTreeMap::new()),
        Some(Json::Object(members)) => members,
        Some(Json::Bool | Json::Number(_) | Json::Text(_) | Json::Array) => {
            return Err(fields.refuse(VARIABLES.name, "must be an object of strings"));
        }
    };
    check(members).map_err(|broken| fields.refuse(VARIABLES.name, &broken))
}

fn check(members: Vec<(String, Json)>) -> Result<BTreeMap<String, String>, String> {
    if members.len() > COUNT_MAX {
        return Err(format!("must have at most {COUNT_MAX} members"));
    }
    let mut variables = BTreeMap::new();
    for (name, value) in members {
        if !is_name(&name) {
            return Err(format!(
                "must have names of 1 to {NAME_CHARS_MAX} letters, digits and underscores"
            ));
        }
        match value {
            Json::Text(text) if is_value(&text) => variables.insert(name, text),
            Json::Text(_)
            | Json::Null
            | Json::Bool
            | Json::Number(_)
            | Json::Array
            | Json::Object(_) => {
                return Err(format!(
                    "must have strings of at most {VALUE_CHARS_MAX} characters as values, without \
                     control characters"
                ));
            }
        };
    }
    Ok(variables)
}

fn is_name(name: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=NAME_CHARS_MAX).contains(&name.len()) && name.bytes().all(is_inner)
}

fn is_value(text: &str) -> bool {
    text.chars().count() <= VALUE_CHARS_MAX && !text.chars().any(char::is_control)
}
