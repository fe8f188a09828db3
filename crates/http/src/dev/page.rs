//! The pages of a development run, and the files that they load.

use actix_web::http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY};
use actix_web::{HttpRequest, HttpResponse};

use crate::error::{ApiError, BadRequest};

/// A page runs scripts of this server and nothing else, and asks no other host.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      connect-src 'self'; frame-src 'self'; img-src data:; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

/// Name, type and content.
const ASSETS: [(&str, &str, &str); 6] = [
    ("dev.css", CSS, include_str!("page/dev.css")),
    ("inbox.js", JS, include_str!("page/inbox.js")),
    ("reader.js", JS, include_str!("page/reader.js")),
    ("templates.js", JS, include_str!("page/templates.js")),
    ("sign-in.css", CSS, include_str!("sign_in/page/sign-in.css")),
    ("sign-in.js", JS, include_str!("sign_in/page/sign-in.js")),
];

/// The page that lists and shows the captured messages.
pub(super) async fn inbox() -> HttpResponse {
    page(include_str!("page/inbox.html"))
}

/// The page that shows every template in every language.
pub(super) async fn templates() -> HttpResponse {
    page(include_str!("page/templates.html"))
}

/// A file that a page loads.
pub(super) async fn asset(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let name = request.match_info().get("name").unwrap_or_default();
    let asset = ASSETS.iter().find(|(known, _, _)| *known == name);
    let (_, content_type, body) = asset.ok_or(BadRequest::NotFound)?;
    Ok(answer(content_type, body))
}

fn page(body: &'static str) -> HttpResponse {
    answer("text/html; charset=utf-8", body)
}

fn answer(content_type: &'static str, body: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(content_type)
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .body(body)
}
