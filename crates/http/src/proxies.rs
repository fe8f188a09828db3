//! Where a request comes from, if it came through proxies.

use std::net::{IpAddr, SocketAddr};

use actix_web::http::header::{HeaderMap, X_FORWARDED_FOR};
use otpost_domain::AddressRange;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The client; `None` where a trusted proxy names one that cannot be read. Nobody may then pass
    /// for the proxy.
    pub(crate) client: Option<IpAddr>,
    /// The nearest address that is known: the client, or the proxy that hides it.
    pub(crate) nearest: IpAddr,
}

/// The address nearest to `peer` that is no trusted proxy. Each proxy adds the one that it was
/// asked by on the right of `X-Forwarded-For`; what stands left of the first that is not trusted,
/// anyone can have written.
pub(crate) fn origin(peer: IpAddr, headers: &HeaderMap, trusted: &[AddressRange]) -> Origin {
    let fields: Vec<_> = headers.get_all(X_FORWARDED_FOR).collect();
    let hops = fields.iter().rev().flat_map(|field| {
        let hops = field.as_bytes().rsplit(|byte| *byte == b',');
        hops.map(|hop| address(hop.trim_ascii()))
    });
    let mut nearest = peer;
    for hop in hops {
        if !trusted.iter().any(|range| range.contains(nearest)) {
            break;
        }
        match hop {
            Some(before) => nearest = before,
            None => {
                return Origin {
                    client: None,
                    nearest,
                };
            }
        }
    }
    Origin {
        client: Some(nearest),
        nearest,
    }
}

/// An address; some proxies add the port, or brackets.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let hop = std::str::from_utf8(hop).ok()?;
    let with_port = || hop.parse().ok().map(|address: SocketAddr| address.ip());
    let in_brackets = || hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    hop.parse().ok().or_else(with_port).or_else(in_brackets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn range(text: &str) -> AddressRange {
        text.parse().unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_rightmost_address_that_is_no_proxy_is_the_client() {
        let trusted = [range("10.0.0.0/8"), range("::1")];
        for (peer, fields, expected) in [
            ("10.0.0.1", vec![], "10.0.0.1"),
            ("10.0.0.1", vec!["192.0.2.1"], "192.0.2.1"),
            // Not from a proxy: not believed.
            ("203.0.113.9", vec!["192.0.2.1"], "203.0.113.9"),
            // What the client itself sent stands on the left.
            ("10.0.0.1", vec!["198.51.100.1, 192.0.2.1"], "192.0.2.1"),
            ("10.0.0.1", vec!["10.0.0.9, 192.0.2.1"], "192.0.2.1"),
            ("10.0.0.1", vec!["198.51.100.1", "192.0.2.1"], "192.0.2.1"),
            // A chain of proxies.
            ("::1", vec!["192.0.2.1,10.0.0.3", "10.0.0.2"], "192.0.2.1"),
            ("::1", vec!["10.0.0.3"], "10.0.0.3"),
            ("::ffff:10.0.0.1", vec!["192.0.2.1"], "192.0.2.1"),
            // With a port.
            ("10.0.0.1", vec!["192.0.2.1:5555"], "192.0.2.1"),
            ("10.0.0.1", vec!["[2001:db8::1]:5555"], "2001:db8::1"),
            ("10.0.0.1", vec!["[2001:db8::1]"], "2001:db8::1"),
        ] {
            let found = found(peer, &fields, &trusted);
            assert_eq!(found.client, Some(ip(expected)), "{peer} {fields:?}");
            assert_eq!(found.nearest, ip(expected), "{peer} {fields:?}");
            let nobody = self::found(peer, &fields, &[]);
            assert_eq!(nobody.client, Some(ip(peer)), "{peer} {fields:?}");
        }
    }

    #[test]
    fn nobody_passes_for_the_proxy_that_hides_who_asks() {
        let trusted = [range("10.0.0.0/8")];
        for (field, nearest) in [
            ("", "10.0.0.1"),
            ("192.0.2.1, unknown", "10.0.0.1"),
            ("192.0.2.1, unknown, 10.0.0.2", "10.0.0.2"),
            ("192.0.2.1,", "10.0.0.1"),
            ("203.0.113.9:70000", "10.0.0.1"),
            ("fe80::1%eth0", "10.0.0.1"),
            ("\"203.0.113.9\"", "10.0.0.1"),
        ] {
            let found = found("10.0.0.1", &[field], &trusted);
            let hidden = Origin {
                client: None,
                nearest: ip(nearest),
            };
            assert_eq!(found, hidden, "{field}");
        }
    }

    #[test]
    fn bytes_that_a_client_sends_do_not_hide_what_the_proxy_adds() {
        let mut headers = HeaderMap::new();
        let sent = HeaderValue::from_bytes(b"\xff, 203.0.113.9").unwrap();
        headers.append(X_FORWARDED_FOR, sent);
        let found = origin(ip("10.0.0.1"), &headers, &[range("10.0.0.0/8")]);
        assert_eq!(found.client, Some(ip("203.0.113.9")));
    }

    fn found(peer: &str, fields: &[&str], trusted: &[AddressRange]) -> Origin {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_str(field).unwrap());
        }
        origin(ip(peer), &headers, trusted)
    }
}
