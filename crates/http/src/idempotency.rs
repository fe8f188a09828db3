//! The header `Idempotency-Key`: a request that its caller wants carried out once.

use actix_web::http::header::{HeaderMap, HeaderName};
use otpost_service::Idempotency;

use crate::error::BadRequest;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says `true` on an answer that was given before.
pub(crate) const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The longest key, in characters.
const KEY_CHARS_MAX: usize = 255;

/// What the caller wants carried out once, if anything: a request with this body.
///
/// # Errors
///
/// When the key is none, or stands there twice.
pub(crate) fn asked(headers: &HeaderMap, body: &[u8]) -> Result<Option<Idempotency>, BadRequest> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(malformed("Send the Idempotency-Key header once."));
    }
    let key = value.as_bytes();
    let is_key = (1..=KEY_CHARS_MAX).contains(&key.len())
        && key.iter().all(|byte| matches!(byte, b' '..=b'~'));
    // Printable ASCII always is a string.
    match value.to_str() {
        Ok(key) if is_key => Ok(Some(Idempotency {
            key: key.to_owned(),
            body: body.to_vec(),
        })),
        _ => Err(malformed(
            "The Idempotency-Key header must be 1 to 255 printable ASCII characters.",
        )),
    }
}

fn malformed(message: &str) -> BadRequest {
    BadRequest::Malformed(message.to_owned())
}
