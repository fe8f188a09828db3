//! Keeps the pages of other sites out of the inbox.
//!
//! A page anywhere can make a browser on this machine ask `localhost`; by DNS rebinding it can
//! even read the answer. Then the `Host` is the name of that site, and it is refused.

use std::net::IpAddr;

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{HOST, HeaderMap, HeaderName, ORIGIN};
use actix_web::middleware::Next;
use actix_web::web::Data;

use super::DevInbox;
use crate::error::{ApiError, Denied};

/// Refuses foreign hosts, and changes asked for by foreign origins.
pub(super) async fn middleware(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let inbox = request.app_data::<Data<DevInbox>>();
    let listens_on = inbox.map_or("", |inbox| inbox.host.as_str());
    if is_allowed(request.method(), request.headers(), listens_on) {
        Ok(next.call(request).await?.map_into_boxed_body())
    } else {
        Ok(request.error_response(ApiError::from(Denied::ForeignSite)))
    }
}

fn is_allowed(method: &Method, headers: &HeaderMap, listens_on: &str) -> bool {
    let Ok(Some(host)) = only_value(headers, &HOST) else {
        return false;
    };
    let is_own = is_own(host_name(host), listens_on);
    let is_change = *method != Method::GET && *method != Method::HEAD;
    is_own && (!is_change || is_same_origin(headers, host))
}

/// A request without an origin comes from no page.
fn is_same_origin(headers: &HeaderMap, host: &str) -> bool {
    match only_value(headers, &ORIGIN) {
        Ok(None) => true,
        Ok(Some(origin)) => ["http://", "https://"]
            .iter()
            .filter_map(|scheme| origin.strip_prefix(scheme))
            .any(|authority| authority.eq_ignore_ascii_case(host)),
        Err(TwoValues) => false,
    }
}

struct TwoValues;

fn only_value<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, TwoValues> {
    let mut values = headers.get_all(name);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| TwoValues),
        (Some(_), Some(_)) => Err(TwoValues),
    }
}

/// A `Host` without its port and without the brackets of an IPv6 address.
fn host_name(host: &str) -> &str {
    if let Some((address, _)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address;
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

fn is_own(name: &str, listens_on: &str) -> bool {
    let is_loopback = name
        .parse()
        .is_ok_and(|address: IpAddr| address.is_loopback());
    let listens_on = listens_on.trim_start_matches('[').trim_end_matches(']');
    is_loopback || name.eq_ignore_ascii_case("localhost") || name.eq_ignore_ascii_case(listens_on)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name.clone(), HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn only_names_of_this_machine_are_hosts() {
        for (host, allowed) in [
            ("localhost", true),
            ("LOCALHOST:8080", true),
            ("127.0.0.1:8080", true),
            ("127.9.9.9", true),
            ("[::1]:8080", true),
            ("[::1]", true),
            ("box.lan:8080", true),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("evil.example:8080", false),
            ("127.0.0.1.evil.example", false),
            ("10.0.0.1", false),
            ("[::2]", false),
            ("", false),
            (":8080", false),
        ] {
            let headers = headers(&[(HOST, host)]);
            assert_eq!(
                is_allowed(&Method::GET, &headers, "box.lan"),
                allowed,
                "{host}"
            );
        }
        assert!(!is_allowed(&Method::GET, &headers(&[]), "box.lan"));
        let two = headers(&[(HOST, "localhost"), (HOST, "localhost")]);
        assert!(!is_allowed(&Method::GET, &two, "box.lan"));
    }

    #[test]
    fn only_the_page_itself_changes_anything() {
        for (origin, allowed) in [
            ("http://localhost:8080", true),
            ("https://localhost:8080", true),
            ("http://localhost:3000", false),
            ("http://evil.example", false),
            ("null", false),
        ] {
            let headers = headers(&[(HOST, "localhost:8080"), (ORIGIN, origin)]);
            assert_eq!(
                is_allowed(&Method::DELETE, &headers, ""),
                allowed,
                "{origin}"
            );
            assert!(is_allowed(&Method::GET, &headers, ""), "{origin}");
        }
        let no_page = headers(&[(HOST, "localhost:8080")]);
        assert!(is_allowed(&Method::DELETE, &no_page, ""));
    }
}
