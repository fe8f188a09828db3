//! The answer of a use case that was counted, with what is said beside it.

use actix_web::HttpResponse;
use actix_web::http::header::HeaderValue;
use otpost_service::Metered;

use crate::error::ApiError;
use crate::idempotency::IDEMPOTENT_REPLAYED;
use crate::metering;

/// The answer, also one that is no success, with what is left of every limit that was charged for
/// it, and whether it was given before.
pub(crate) fn metered<T>(
    answer: Result<HttpResponse, ApiError>,
    metered: &Metered<T>,
) -> HttpResponse {
    let mut response = answer.unwrap_or_else(HttpResponse::from_error);
    let headers = response.headers_mut();
    if metered.is_replayed {
        headers.insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    for (name, value) in metering::of_counted(&metered.counted).into_iter().flatten() {
        // Names of limits are ASCII, so this always is a value.
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    response
}
