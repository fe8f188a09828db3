//! The captured messages: listed, shown part by part, and removed.

use std::time::Duration;

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, ContentType};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use otpost_service::{Message, MessageFilter};
use serde::Serialize;

use super::{DevInbox, query};
use crate::error::{ApiError, BadRequest};
use crate::instant::Instant;

/// What the HTML part of a message may do: nothing but to look as it was written.
const MESSAGE_POLICY: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'; \
                              img-src data:; base-uri 'none'; form-action 'none'; \
                              frame-ancestors 'self'";

#[derive(Serialize)]
struct Answer<'a> {
    messages: Vec<Item<'a>>,
}

/// A message without its source, which is as long as the rest of it.
#[derive(Serialize)]
pub(super) struct Item<'a> {
    id: &'a str,
    to: &'a str,
    session_id: &'a str,
    template: &'a str,
    subject: &'a str,
    code: &'a str,
    text: &'a str,
    html: &'a str,
    headers: &'a [(String, String)],
    received_at: Instant,
}

impl<'a> From<&'a Message> for Item<'a> {
    fn from(message: &'a Message) -> Self {
        Self {
            id: &message.id,
            to: &message.to,
            session_id: &message.session_id,
            template: &message.template,
            subject: &message.subject,
            code: &message.code,
            text: &message.text,
            html: &message.html,
            headers: &message.headers,
            received_at: Instant(message.received_at),
        }
    }
}

#[derive(Serialize)]
struct Revision {
    revision: u64,
}

/// Every message that is asked for, the newest first.
pub(super) async fn list(
    inbox: Data<DevInbox>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (filter, wait) = query::of_messages(request.query_string())?;
    let messages = inbox.list(&filter, wait).await?;
    let messages = messages.iter().map(Item::from).collect();
    Ok(HttpResponse::Ok().json(Answer { messages }))
}

/// Empties the inbox.
pub(super) async fn clear(inbox: Data<DevInbox>) -> Result<HttpResponse, ApiError> {
    inbox.inbox.clear().await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The revision of the inbox once it is another than the one that a page has seen.
pub(super) async fn revision(
    inbox: Data<DevInbox>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (seen, wait) = query::of_revision(request.query_string())?;
    let revision = inbox.revision_after(seen, wait).await;
    Ok(HttpResponse::Ok().json(Revision { revision }))
}

/// Removes one message.
pub(super) async fn remove(
    inbox: Data<DevInbox>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    if inbox.inbox.remove(id(&request)).await? {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(BadRequest::NotFound.into())
    }
}

/// The HTML part of one message, for a frame that lets it do nothing.
pub(super) async fn html(
    inbox: Data<DevInbox>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    Ok(framed(one(&inbox, &request).await?.html))
}

/// One message as it would go to a relay.
pub(super) async fn source(
    inbox: Data<DevInbox>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    Ok(plain(one(&inbox, &request).await?.source))
}

/// The HTML of a message as an answer that a browser lets do nothing.
pub(super) fn framed(html: String) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(ContentType::html())
        .insert_header((CONTENT_SECURITY_POLICY, MESSAGE_POLICY))
        .body(html)
}

/// The source of a message. All of it is ASCII.
pub(super) fn plain(source: String) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(ContentType::plaintext())
        .insert_header((CONTENT_SECURITY_POLICY, MESSAGE_POLICY))
        .insert_header((CONTENT_DISPOSITION, r#"inline; filename="message.eml""#))
        .body(source)
}

async fn one(inbox: &DevInbox, request: &HttpRequest) -> Result<Message, ApiError> {
    let everything = MessageFilter::default();
    let messages = inbox.list(&everything, Duration::ZERO).await?;
    let found = messages.into_iter().find(|one| one.id == id(request));
    Ok(found.ok_or(BadRequest::NotFound)?)
}

fn id(request: &HttpRequest) -> &str {
    request.match_info().get("id").unwrap_or_default()
}
