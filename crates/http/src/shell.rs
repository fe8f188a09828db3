//! What every answer has around it, and the one line that the log has of every request.

use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{CACHE_CONTROL, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use actix_web::http::{ConnectionType, Method};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage, HttpRequest};
use otpost_service::{Otp, ServiceError};
use tracing::{Instrument, Span, field};

use crate::auth::UsesTestKey;
use crate::error::ApiError;
use crate::stop::Stop;

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(crate) const OTPOST_TEST: HeaderName = HeaderName::from_static("otpost-test");

/// The longest identifier of a request that is kept, in characters.
const REQUEST_ID_CHARS_MAX: usize = 128;

/// Puts the headers of every answer on it, also on those of the framework.
pub(crate) async fn middleware(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let started = Instant::now();
    let id = request_id(&request);
    let span = tracing::info_span!(
        "request",
        request.id = id.to_str().unwrap_or_default(),
        http.method = method_name(request.method()),
        // Never the path itself: it may hold the identifier of a session.
        http.route = request.match_pattern().as_deref().unwrap_or("-"),
        http.status = field::Empty,
        duration_ms = field::Empty,
    );
    let mut response = next.call(request).instrument(span.clone()).await?;

    let is_test = response.request().extensions().contains::<UsesTestKey>();
    let headers = response.headers_mut();
    headers.insert(X_REQUEST_ID, id);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if is_test {
        headers.insert(OTPOST_TEST, HeaderValue::from_static("true"));
    }
    if is_stopping(response.request()) {
        // The client is to ask elsewhere next time, and this connection empties.
        let head = response.response_mut().head_mut();
        head.set_connection_type(ConnectionType::Close);
    }
    span.in_scope(|| log(&response, started));
    Ok(response)
}

fn is_stopping(request: &HttpRequest) -> bool {
    let stop = request.app_data::<Data<Stop>>();
    stop.is_some_and(|stop| stop.announced().is_cancelled())
}

/// The caller's own identifier where it gave one of 1 to 128 printable ASCII characters, else
/// 16 random bytes.
fn request_id(request: &ServiceRequest) -> HeaderValue {
    let mut given = request.headers().get_all(X_REQUEST_ID);
    if let (Some(id), None) = (given.next(), given.next())
        && (1..=REQUEST_ID_CHARS_MAX).contains(&id.len())
        && id.as_bytes().iter().all(|byte| matches!(byte, b' '..=b'~'))
    {
        return id.clone();
    }
    let otp = request.app_data::<Data<Otp>>();
    // Without random bytes no use case works, and its error says why.
    let random = otp.and_then(|otp| otp.random_id().ok()).unwrap_or_default();
    let hex = format!("{:032x}", u128::from_be_bytes(random));
    HeaderValue::from_str(&hex).unwrap_or(HeaderValue::from_static("none"))
}

/// A method's name, unless a client made it up: the log repeats nothing that a client chose.
fn method_name(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT",
    ];
    let known = KNOWN.into_iter().find(|known| *known == method.as_str());
    known.unwrap_or("other")
}

fn log<B>(response: &ServiceResponse<B>, started: Instant) {
    let span = Span::current();
    span.record("http.status", response.status().as_u16());
    let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    span.record("duration_ms", millis);
    let error = response.response().error();
    match error.and_then(|error| error.as_error::<ApiError>()?.cause()) {
        Some(cause @ ServiceError::Unavailable(_)) => tracing::warn!(%cause, "not available"),
        Some(cause @ ServiceError::Broken(_)) => tracing::error!(%cause, "failed"),
        None => tracing::info!("answered"),
    }
}
