//! The parameters that the inbox takes.

use std::time::Duration;

use actix_web::web::Query;
use otpost_service::{InboxReader, MessageFilter};

use crate::error::BadRequest;
use crate::fields::{A_STRING, Field, Fields, Noted};
use crate::json::Json;

const TO: Field = Field::new("to");
const SESSION_ID: Field = Field::new("session_id");
const WAIT: Field = Field::new("wait");
const SEEN: Field = Field::new("seen");
const TEMPLATE: Field = Field::new("template");
const LOCALE: Field = Field::new("locale");

/// Which messages, and how long to wait for the first.
pub(super) fn of_messages(query: &str) -> Result<(MessageFilter, Duration), BadRequest> {
    let mut fields = parse(query, &[TO, SESSION_ID, WAIT])?;
    // In a query a plus sign stands for a blank, which no address has: it was meant as itself.
    let to = fields.text(TO.name);
    let to = to.map(|to| to.map(|to| to.replace(' ', "+")));
    let session_id = fields.text(SESSION_ID.name);
    let wait = wait(&mut fields);
    fields.refuse_unknown();
    let read = to.and_then(|to| {
        let filter = MessageFilter {
            to,
            session_id: session_id?,
        };
        Ok((filter, wait?))
    });
    fields.finish(read)
}

/// The revision that a page has seen, and how long to wait for the next.
pub(super) fn of_revision(query: &str) -> Result<(Option<u64>, Duration), BadRequest> {
    let mut fields = parse(query, &[SEEN, WAIT])?;
    let seen = fields.text(SEEN.name).and_then(|seen| {
        let seen = seen.map(|seen| seen.parse()).transpose();
        seen.map_err(|_| fields.refuse(SEEN.name, "must be a revision"))
    });
    let wait = wait(&mut fields);
    fields.refuse_unknown();
    let read = seen.and_then(|seen| Ok((seen, wait?)));
    fields.finish(read)
}

/// Which template, and in which language.
pub(super) fn of_preview(query: &str) -> Result<(String, String), BadRequest> {
    let mut fields = parse(query, &[TEMPLATE, LOCALE])?;
    let template = fields.required_text(TEMPLATE.name, A_STRING);
    let locale = fields.required_text(LOCALE.name, A_STRING);
    fields.refuse_unknown();
    let read = template.and_then(|template| Ok((template, locale?)));
    fields.finish(read)
}

fn parse(query: &str, known: &[Field]) -> Result<Fields, BadRequest> {
    let pairs = Query::<Vec<(String, String)>>::from_query(query)
        .map_err(|_| BadRequest::Malformed("The query cannot be read.".to_owned()))?;
    let members = pairs.into_inner().into_iter();
    let members = members.map(|(name, value)| (name, Json::Text(value)));
    Fields::new(members.collect(), known)
}

fn wait(fields: &mut Fields) -> Result<Duration, Noted> {
    let most = InboxReader::WAIT_MAX;
    let Some(text) = fields.text(WAIT.name)? else {
        return Ok(Duration::ZERO);
    };
    let wait = text.parse().map(Duration::from_secs);
    wait.ok().filter(|wait| *wait <= most).ok_or_else(|| {
        let range = format!("must be an integer between 0 and {}", most.as_secs());
        fields.refuse(WAIT.name, &range)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(query: &str) -> String {
        match of_messages(query) {
            Err(BadRequest::Validation(wrong)) => wrong.message().to_owned(),
            Err(BadRequest::Malformed(message)) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_filter_is_read() {
        let (filter, wait) = of_messages("to=a%40b.example&session_id=x&wait=30").unwrap();
        assert_eq!(filter.to.as_deref(), Some("a@b.example"));
        assert_eq!(filter.session_id.as_deref(), Some("x"));
        assert_eq!(wait, Duration::from_secs(30));

        let (filter, wait) = of_messages("").unwrap();
        assert!(filter.to.is_none() && filter.session_id.is_none());
        assert_eq!(wait, Duration::ZERO);
    }

    #[test]
    fn a_plus_sign_of_an_address_needs_no_escape() {
        for query in ["to=a+b@c.example", "to=a%2Bb@c.example"] {
            let (filter, _) = of_messages(query).unwrap();
            assert_eq!(filter.to.as_deref(), Some("a+b@c.example"), "{query}");
        }
    }

    #[test]
    fn everything_else_is_refused_by_name() {
        for (query, message) in [
            (
                "wait=31",
                "The wait field must be an integer between 0 and 30.",
            ),
            (
                "wait=-1",
                "The wait field must be an integer between 0 and 30.",
            ),
            (
                "wait=",
                "The wait field must be an integer between 0 and 30.",
            ),
            (
                "wait=1.5",
                "The wait field must be an integer between 0 and 30.",
            ),
            ("email=x", "The email field is unknown."),
            (
                "to=a&to=b",
                "The member \"to\" is given more than once, under its name or an alias.",
            ),
        ] {
            assert_eq!(refusal(query), message, "{query}");
        }
    }
}
