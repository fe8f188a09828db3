//! A call with a body: credential, content type, size, JSON and fields, judged in this order.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use actix_web::web::{self, Bytes, Data};
use actix_web::{FromRequest, HttpRequest};
use otpost_domain::Permission;
use otpost_service::{Caller, Idempotency, Otp, Rules, UnknownMembers};

use crate::auth::Access;
use crate::error::{ApiError, BadRequest};
use crate::fields::{Field, Fields, Noted};
use crate::idempotency;
use crate::json;
use crate::time_left::TimeLeft;

/// The largest body in bytes: 16 KiB.
const BODY_BYTES_MAX: usize = 16 * 1024;
const TOO_LARGE: BadRequest = BadRequest::PayloadTooLarge {
    bytes_max: BODY_BYTES_MAX,
};
/// How long a client may take over its body.
const BODY_TIMEOUT: Duration = Duration::from_secs(8);

/// What an endpoint reads from a body.
pub(crate) trait Body: Sized {
    /// What a key must permit.
    const NEEDS: Permission;
    /// The members that it knows, in documented order.
    const FIELDS: &'static [Field];

    /// Reads them all, in documented order, whatever is wrong with one of them.
    fn read(fields: &mut Fields, rules: &Rules<'_>) -> Result<Self, Noted>;
}

/// A call that the use case can judge.
pub(crate) struct Call<T> {
    pub(crate) otp: Data<Otp>,
    pub(crate) caller: Caller,
    pub(crate) body: T,
    /// Whether it is to be carried out once; means nothing to an endpoint that says nothing of it.
    pub(crate) idempotency: Option<Idempotency>,
    pub(crate) time_left: TimeLeft,
}

impl<T: Body + 'static> FromRequest for Call<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let payload = web::Payload::from_request(&request, payload);
        Box::pin(async move {
            let Access {
                otp,
                caller,
                time_left,
            } = Access::of(&request, T::NEEDS).await?;
            check_content_type(request.headers())?;
            check_length(request.headers())?;
            let payload = payload.await.map_err(|_| interrupted())?;
            let bytes = receive(payload).await?;
            let idempotency = idempotency::asked(request.headers(), &bytes)?;
            let body = parse(&bytes, &otp.rules(&caller))?;
            Ok(Self {
                otp,
                caller,
                body,
                idempotency,
                time_left,
            })
        })
    }
}

/// `application/json` in UTF-8, and nothing around it.
fn check_content_type(headers: &HeaderMap) -> Result<(), BadRequest> {
    let mut values = headers.get_all(CONTENT_TYPE);
    let value = values.next().and_then(|value| value.to_str().ok());
    let is_plain = headers
        .get_all(CONTENT_ENCODING)
        .all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    match (value, values.next()) {
        (Some(value), None) if is_plain && is_json(value) => Ok(()),
        _ => Err(BadRequest::UnsupportedMediaType),
    }
}

fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let is_json = parts
        .next()
        .is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    is_json
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, charset)) if name.trim_end().eq_ignore_ascii_case("charset") => charset
                .trim_start()
                .trim_matches('"')
                .eq_ignore_ascii_case("utf-8"),
            _ => true,
        })
}

/// Refuses a body that is announced as too large before a byte of it is read.
fn check_length(headers: &HeaderMap) -> Result<(), BadRequest> {
    let announced = headers.get(CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    match announced {
        Some(length) if length > BODY_BYTES_MAX as u64 => Err(TOO_LARGE),
        _ => Ok(()),
    }
}

async fn receive(payload: web::Payload) -> Result<Bytes, BadRequest> {
    let whole = payload.to_bytes_limited(BODY_BYTES_MAX);
    match tokio::time::timeout(BODY_TIMEOUT, whole).await {
        Ok(Ok(Ok(body))) => Ok(body),
        Ok(Ok(Err(_))) => Err(interrupted()),
        Ok(Err(_)) => Err(TOO_LARGE),
        Err(_) => Err(BadRequest::Timeout),
    }
}

fn interrupted() -> BadRequest {
    BadRequest::Malformed("The body of the request ended too early.".to_owned())
}

fn parse<T: Body>(body: &[u8], rules: &Rules<'_>) -> Result<T, BadRequest> {
    let members = json::parse_object(body).map_err(BadRequest::Malformed)?;
    let mut fields = Fields::new(members, T::FIELDS)?;
    let read = T::read(&mut fields, rules);
    match rules.policy.unknown_members {
        UnknownMembers::Refuse => fields.refuse_unknown(),
        UnknownMembers::Ignore => {}
    }
    fields.finish(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_in_utf_8_is_the_only_content_type() {
        for value in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
            "application/json ; Charset = utf-8",
            "application/json; odata=verbose",
        ] {
            assert!(is_json(value), "{value}");
        }
        for value in [
            "",
            "json",
            "text/plain",
            "text/json",
            "application/json-seq",
            "application/problem+json",
            "application/x-www-form-urlencoded",
            "application/json; charset=iso-8859-1",
            "application/json, application/json",
        ] {
            assert!(!is_json(value), "{value}");
        }
    }
}
