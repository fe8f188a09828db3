//! How every message looks in every language, with sample values. Nothing of it is kept.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use otpost_service::{Message, Otp, ServiceError};
use serde::Serialize;

use super::messages::{Item, framed, plain};
use super::{DevInbox, query};
use crate::error::{ApiError, BadRequest};

#[derive(Serialize)]
struct Choice {
    templates: Vec<String>,
    locales: Vec<String>,
}

/// The templates and languages that there are.
pub(super) async fn list(inbox: Data<DevInbox>) -> HttpResponse {
    let templates = inbox.preview.templates();
    let locales = inbox.preview.languages();
    HttpResponse::Ok().json(Choice {
        templates: templates.iter().map(ToString::to_string).collect(),
        locales: locales.iter().map(ToString::to_string).collect(),
    })
}

/// One message, as the inbox has them.
pub(super) async fn message(
    inbox: Data<DevInbox>,
    otp: Data<Otp>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let message = rendered(&inbox, &otp, &request)?;
    Ok(HttpResponse::Ok().json(Item::from(&message)))
}

/// The HTML part of one message.
pub(super) async fn html(
    inbox: Data<DevInbox>,
    otp: Data<Otp>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    Ok(framed(rendered(&inbox, &otp, &request)?.html))
}

/// One message as it would go to a relay.
pub(super) async fn source(
    inbox: Data<DevInbox>,
    otp: Data<Otp>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    Ok(plain(rendered(&inbox, &otp, &request)?.source))
}

fn rendered(inbox: &DevInbox, otp: &Otp, request: &HttpRequest) -> Result<Message, ApiError> {
    let (template, locale) = query::of_preview(request.query_string())?;
    let templates = inbox.preview.templates();
    let template = templates.iter().find(|one| one.as_str() == template);
    let languages = inbox.preview.languages();
    let language = languages.iter().find(|one| one.as_str() == locale);
    let (Some(template), Some(language)) = (template, language) else {
        return Err(BadRequest::NotFound.into());
    };
    let message = inbox.preview.message(template, language, otp.now());
    Ok(message.map_err(|cause| ServiceError::Broken(cause.into()))?)
}
