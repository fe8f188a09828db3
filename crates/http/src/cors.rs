//! Cross-origin requests, for the origins that an operator names and for no other.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ALLOW,
    HeaderMap, HeaderValue, ORIGIN, VARY,
};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpResponse};

/// Request headers that a browser may send.
const ALLOWED: HeaderValue =
    HeaderValue::from_static("Authorization, Content-Type, Idempotency-Key");
/// Response headers that a script may read, besides those that it always may.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "Idempotent-Replayed, Otpost-Delivery, Otpost-Test, RateLimit, RateLimit-Policy, Retry-After, \
     X-Request-Id",
);
/// How long a browser may keep what a preflight said, in seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// Only paths below are answered across origins: never the inbox of a development run.
const API: &str = "/api/";

/// The origins that may call.
pub(crate) struct Origins(Vec<String>);

impl Origins {
    pub(crate) fn new(origins: Vec<String>) -> Self {
        Self(origins)
    }

    /// The origin of a request, where it is listed: byte for byte, as browsers send it.
    fn listed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(ORIGIN)?;
        let is_listed = self.0.iter().any(|one| one.as_bytes() == origin.as_bytes());
        is_listed.then(|| origin.clone())
    }
}

/// Answers the preflights of listed origins and lets their scripts read answers.
pub(crate) async fn middleware(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let origins = request.app_data::<Data<Origins>>().cloned();
    let origins = origins.filter(|origins| !origins.0.is_empty());
    let Some(origins) = origins.filter(|_| request.path().starts_with(API)) else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    let origin = origins.listed(request.headers());
    let is_preflight = request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(ACCESS_CONTROL_REQUEST_METHOD);

    let response = next.call(request).await?.map_into_boxed_body();
    let mut response = match (&origin, response.headers().get(ALLOW).cloned()) {
        // What OPTIONS was refused for is what a preflight asks for: the methods of this path.
        (Some(_), Some(methods))
            if is_preflight && response.status() == StatusCode::METHOD_NOT_ALLOWED =>
        {
            response.into_response(preflight(methods))
        }
        _ => response,
    };
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
    Ok(response)
}

fn preflight(methods: HeaderValue) -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, methods))
        .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED))
        .insert_header((ACCESS_CONTROL_MAX_AGE, MAX_AGE))
        .finish()
}
