//! The page that lists and shows the captured messages.

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY};

/// The page runs its own script and nothing else, and asks no other host.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      connect-src 'self'; frame-src 'self'; img-src data:; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// The page.
pub(super) async fn html() -> HttpResponse {
    asset("text/html; charset=utf-8", include_str!("page/inbox.html"))
}

/// How it looks.
pub(super) async fn css() -> HttpResponse {
    asset("text/css; charset=utf-8", include_str!("page/inbox.css"))
}

/// What it does.
pub(super) async fn js() -> HttpResponse {
    asset(
        "text/javascript; charset=utf-8",
        include_str!("page/inbox.js"),
    )
}

fn asset(content_type: &'static str, body: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(content_type)
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .body(body)
}
