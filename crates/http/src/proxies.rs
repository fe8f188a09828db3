//! Where a request comes from, if it came through proxies.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use actix_web::http::header::{HeaderMap, X_FORWARDED_FOR};

/// Addresses of proxies: one such as `10.0.0.7` or `::1`, or all of a network in CIDR notation
/// such as `10.0.0.0/8` or `fd00::/8` (RFC 4632, 3.1). Bits behind the prefix do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyRange {
    /// As IPv6; an IPv4 address is mapped (RFC 4291, 2.5.5.2), so that both spellings meet.
    bits: u128,
    /// 0 to 128.
    prefix: u8,
}

/// A text that is no range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an IP address, or a network such as 10.0.0.0/8")]
pub struct InvalidRange;

impl ProxyRange {
    /// Whether `address` is in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let foreign_bits = self.bits ^ bits(address);
        let behind = u32::from(128 - self.prefix);
        foreign_bits.checked_shr(behind).unwrap_or(0) == 0
    }
}

impl FromStr for ProxyRange {
    type Err = InvalidRange;

    fn from_str(text: &str) -> Result<Self, InvalidRange> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| InvalidRange)?;
        let longest: u8 = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(digits) => digits.parse().map_err(|_| InvalidRange)?,
            None => longest,
        };
        if prefix > longest {
            return Err(InvalidRange);
        }
        Ok(Self {
            bits: bits(address),
            prefix: prefix + (128 - longest),
        })
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The address nearest to `peer` that is no trusted proxy. Each proxy adds the one that it was
/// asked by on the right of `X-Forwarded-For`; what stands left of the first that is not trusted,
/// anyone can have written.
pub(crate) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[ProxyRange]) -> IpAddr {
    let fields: Vec<_> = headers.get_all(X_FORWARDED_FOR).collect();
    let hops = fields
        .iter()
        .rev()
        .flat_map(|field| field.to_str().unwrap_or_default().rsplit(','));
    let mut client = peer;
    for hop in hops {
        let is_trusted = trusted.iter().any(|range| range.contains(client));
        match address(hop.trim()).filter(|_| is_trusted) {
            Some(before) => client = before,
            None => break,
        }
    }
    client
}

/// An address; some proxies add the port.
fn address(hop: &str) -> Option<IpAddr> {
    let with_port = || hop.parse().ok().map(|address: SocketAddr| address.ip());
    hop.parse().ok().or_else(with_port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn range(text: &str) -> ProxyRange {
        text.parse().unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_range_has_the_addresses_of_its_prefix() {
        for (text, inside, outside) in [
            ("10.0.0.7", "10.0.0.7", "10.0.0.6"),
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("10.1.2.3/8", "10.255.0.1", "9.255.255.255"),
            ("192.0.2.0/31", "192.0.2.1", "192.0.2.2"),
            ("0.0.0.0/0", "203.0.113.9", "2001:db8::1"),
            ("::1", "::1", "::2"),
            ("fd00::/8", "fdff::1", "fe00::1"),
            ("10.0.0.0/8", "::ffff:10.1.1.1", "::10.1.1.1"),
            ("::ffff:10.0.0.0/104", "10.1.1.1", "11.1.1.1"),
        ] {
            assert!(range(text).contains(ip(inside)), "{text} {inside}");
            assert!(!range(text).contains(ip(outside)), "{text} {outside}");
        }
        assert!(range("::/0").contains(ip("ff02::1")));
    }

    #[test]
    fn anything_else_is_no_range() {
        for text in [
            "",
            "proxy",
            "10.0.0",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "10.0.0.0/8/8",
            "::/129",
            "[::1]",
            "10.0.0.1:80",
            " 10.0.0.1",
        ] {
            assert_eq!(text.parse::<ProxyRange>(), Err(InvalidRange), "{text}");
        }
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
            // What cannot be read ends the chain.
            ("10.0.0.1", vec!["192.0.2.1, unknown"], "10.0.0.1"),
            ("10.0.0.1", vec!["192.0.2.1, unknown, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", vec![""], "10.0.0.1"),
        ] {
            let mut headers = HeaderMap::new();
            for field in &fields {
                headers.append(X_FORWARDED_FOR, HeaderValue::from_str(field).unwrap());
            }
            let found = client(ip(peer), &headers, &trusted);
            assert_eq!(found, ip(expected), "{peer} {fields:?}");
            assert_eq!(client(ip(peer), &headers, &[]), ip(peer));
        }
    }
}
