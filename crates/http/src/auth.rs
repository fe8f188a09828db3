//! Who is calling: the bearer credential of RFC 6750, 2.1.

use std::net::IpAddr;

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpMessage, HttpRequest};
use otpost_domain::{Network, Permission};
use otpost_service::{AccessError, Caller, Otp, ServiceError};
use tokio::time::Instant;

use crate::error::{ApiError, Denied, Refused};
use crate::peers::Peers;
use crate::time_left::TimeLeft;

/// A caller whose key was accepted, and the use cases it may call.
pub(crate) struct Access {
    pub(crate) otp: Data<Otp>,
    pub(crate) caller: Caller,
    pub(crate) time_left: TimeLeft,
}

/// Marks a request whose key is a test key; the answer will say so.
pub(crate) struct UsesTestKey;

impl Access {
    /// Judges the credential of a request that needs a permission, unless its peer was refused too
    /// often.
    ///
    /// # Errors
    ///
    /// 400, 401, 403, 429, or that nobody can tell.
    pub(crate) async fn of(request: &HttpRequest, needs: Permission) -> Result<Self, ApiError> {
        let otp = use_cases(request)?;
        let peers = peers(request)?;
        let headers = request.headers();
        let origin = request.peer_addr();
        let origin = origin.map(|peer| peers.origin(peer.ip(), headers));
        let from = origin.and_then(|origin| origin.client);
        let credential = bearer(headers);
        let Some(origin) = origin.filter(|_| !peers.is_off()) else {
            return Self::judge(request, otp, credential?, from, needs).await;
        };
        let key = credential.as_ref().copied().ok();
        let charge = peers
            .check(Network::of(origin.nearest), key, otp.now())
            .map_err(Refused::RateLimited)?;
        let give_back = || {
            if let Some(charge) = &charge {
                peers.give_back(charge, otp.now());
            }
        };
        let judged = match credential {
            Ok(key) => Self::judge(request, otp.clone(), key, from, needs).await,
            Err(denied) => Err(denied.into()),
        };
        match &judged {
            Ok(_) | Err(ApiError::Denied(Denied::KeyWithout(_))) => {
                if let Some(key) = key {
                    peers.welcome(key);
                }
                give_back();
            }
            Err(ApiError::Denied(
                Denied::NoCredentials
                | Denied::MalformedCredentials
                | Denied::KeyRefused
                | Denied::ForeignSite,
            )) => {
                if let Some(key) = key {
                    peers.forget(key);
                }
            }
            // Nobody could tell.
            Err(
                ApiError::Service(_)
                | ApiError::BadRequest(_)
                | ApiError::Refused(_)
                | ApiError::Stopping,
            ) => give_back(),
        }
        judged
    }

    async fn judge(
        request: &HttpRequest,
        otp: Data<Otp>,
        key: &str,
        from: Option<IpAddr>,
        needs: Permission,
    ) -> Result<Self, ApiError> {
        let begin = Instant::now();
        let judged = otp.authenticate(key, from, needs).await;
        let caller = judged.map_err(|error| match error {
            AccessError::Unauthorized => Denied::KeyRefused.into(),
            AccessError::Forbidden(lacking) => Denied::KeyWithout(lacking).into(),
            AccessError::Service(cause) => ApiError::Service(cause),
        })?;
        if caller.is_test() {
            request.extensions_mut().insert(UsesTestKey);
        }
        Ok(Self {
            otp,
            caller,
            time_left: TimeLeft::since(begin),
        })
    }
}

/// The use cases that the server was started with.
pub(crate) fn use_cases(request: &HttpRequest) -> Result<Data<Otp>, ServiceError> {
    let otp = request.app_data::<Data<Otp>>().cloned();
    otp.ok_or_else(|| ServiceError::Broken("the server has no use cases".into()))
}

/// What is known of who asks.
fn peers(request: &HttpRequest) -> Result<&Peers, ServiceError> {
    let peers = request.app_data::<Data<Peers>>().map(|peers| &***peers);
    peers.ok_or_else(|| ServiceError::Broken("the server knows no peers".into()))
}

/// The one bearer credential of a request.
fn bearer(headers: &HeaderMap) -> Result<&str, Denied> {
    let mut values = headers.get_all(AUTHORIZATION);
    let value = values.next().ok_or(Denied::NoCredentials)?;
    if values.next().is_some() {
        return Err(Denied::MalformedCredentials);
    }
    read_credential(value)
}

fn read_credential(value: &HeaderValue) -> Result<&str, Denied> {
    let text = value.to_str().map_err(|_| Denied::MalformedCredentials)?;
    let (scheme, credential) = text.split_once(' ').unwrap_or((text, ""));
    if !is_token(scheme) {
        return Err(Denied::MalformedCredentials);
    }
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(Denied::NoCredentials);
    }
    let credential = credential.trim_matches(' ');
    if is_b64token(credential) {
        Ok(credential)
    } else {
        Err(Denied::MalformedCredentials)
    }
}

/// RFC 9110, 5.6.2: what a scheme is made of.
fn is_token(text: &str) -> bool {
    let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_tchar)
}

/// RFC 6750, 2.1.
fn is_b64token(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    !body.is_empty() && body.bytes().all(is_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &[u8]) -> Result<String, Denied> {
        let value = HeaderValue::from_bytes(value).unwrap();
        read_credential(&value).map(str::to_owned)
    }

    #[test]
    fn a_bearer_credential_is_read_in_any_case_of_its_scheme() {
        for value in [
            "Bearer k",
            "bearer k",
            "BEARER k",
            "bEaReR   k",
            "Bearer k ",
        ] {
            assert_eq!(read(value.as_bytes()).unwrap(), "k", "{value}");
        }
        assert_eq!(read(b"Bearer aZ09-._~+/==").unwrap(), "aZ09-._~+/==");
    }

    #[test]
    fn another_scheme_is_no_credential() {
        for value in [
            "Basic dXNlcjpwYXNz",
            "Digest username=\"x\", realm=\"y\"",
            "Negotiate",
        ] {
            let read = read(value.as_bytes());
            assert!(matches!(read, Err(Denied::NoCredentials)), "{value}");
        }
    }

    #[test]
    fn everything_else_is_malformed() {
        for value in [
            &b""[..],
            b"Bearer",
            b"Bearer ",
            b"Bearer a b",
            b"Bearer a, Bearer b",
            b"Bearer a,b",
            b"Bearer =",
            b"Bearer a=b",
            b"Bearer \"a\"",
            b"Bearer\ta",
            b"Bearer:a",
            b"Bearer \xe4",
            b"\xe4",
        ] {
            let read = read(value);
            let shown = value.escape_ascii();
            assert!(matches!(read, Err(Denied::MalformedCredentials)), "{shown}");
        }
    }
}
