//! Ranges of IP addresses, such as those of a company's servers.

use core::fmt;
use core::net::{IpAddr, Ipv6Addr};
use core::str::FromStr;

/// The length of an address in bits, and so the longest prefix.
const BITS: u8 = 128;
/// The prefix of IPv4 within IPv6.
const MAPPED: u8 = 96;

/// One address such as `10.0.0.7` or `::1`, or all of a network in CIDR notation such as
/// `10.0.0.0/8` or `fd00::/8` (RFC 4632, 3.1).
///
/// Bits behind the prefix do not count. An IPv4 address is the same as that address mapped into
/// IPv6 (RFC 4291, 2.5.5.2). `Display` writes each range in one way, which reads as that range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AddressRange {
    /// The first address, as IPv6.
    first: u128,
    /// How many leading bits all its addresses share, 0 to 128.
    prefix: u8,
}

/// A text that is no range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidRange;

impl AddressRange {
    fn new(address: IpAddr, prefix: u8) -> Self {
        let first = bits(address) & mask(prefix);
        Self { first, prefix }
    }

    /// Whether `address` is in it.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        bits(address) & mask(self.prefix) == self.first
    }
}

impl FromStr for AddressRange {
    type Err = InvalidRange;

    fn from_str(text: &str) -> Result<Self, InvalidRange> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| InvalidRange)?;
        let before = if address.is_ipv4() { MAPPED } else { 0 };
        let longest = BITS - before;
        let prefix = prefix.map_or(Ok(longest), parse_prefix)?;
        if prefix > longest {
            return Err(InvalidRange);
        }
        Ok(Self::new(address, before + prefix))
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = Ipv6Addr::from_bits(self.first);
        let mapped = first.to_ipv4_mapped().filter(|_| self.prefix >= MAPPED);
        let (first, prefix) = match mapped {
            Some(first) => (IpAddr::V4(first), self.prefix - MAPPED),
            None => (IpAddr::V6(first), self.prefix),
        };
        if self.prefix == BITS {
            write!(f, "{first}")
        } else {
            write!(f, "{first}/{prefix}")
        }
    }
}

impl fmt::Display for InvalidRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be an IP address, or a network such as 10.0.0.0/8")
    }
}

impl core::error::Error for InvalidRange {}

/// Digits only: `u8` alone would take a plus sign too.
fn parse_prefix(digits: &str) -> Result<u8, InvalidRange> {
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(InvalidRange);
    }
    digits.parse().map_err(|_| InvalidRange)
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// As many leading ones as `prefix` says.
fn mask(prefix: u8) -> u128 {
    u128::MAX.checked_shl(u32::from(BITS - prefix)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use core::net::Ipv4Addr;
    use proptest::prelude::*;

    fn range(text: &str) -> AddressRange {
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
        assert!(range("::/0").contains(ip("192.0.2.1")));
    }

    #[test]
    fn anything_else_is_no_range() {
        for text in [
            "",
            "proxy",
            "10.0.0",
            "10.0.0.0/33",
            "10.0.0.0/256",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0.0/ 8",
            "10.0.0.0/8/8",
            "10.0.0.0/255.0.0.0",
            "::/129",
            "[::1]",
            "fe80::1%eth0",
            "10.0.0.1:80",
            " 10.0.0.1",
        ] {
            assert_eq!(text.parse::<AddressRange>(), Err(InvalidRange), "{text}");
        }
    }

    #[test]
    fn a_range_is_written_in_one_way() {
        for (text, written) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("10.0.0.7", "10.0.0.7"),
            ("10.0.0.7/32", "10.0.0.7"),
            ("203.0.113.9/0", "0.0.0.0/0"),
            ("::ffff:10.0.0.7", "10.0.0.7"),
            ("::ffff:10.1.2.3/104", "10.0.0.0/8"),
            ("::ffff:10.1.2.3/95", "::fffe:0:0/95"),
            ("::1", "::1"),
            ("::1/128", "::1"),
            ("FD00:0:0::1/8", "fd00::/8"),
            ("2001:db8::1/0", "::/0"),
            ("::10.1.1.1", "::a01:101"),
        ] {
            assert_eq!(range(text).to_string(), written, "{text}");
        }
    }

    fn addresses() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            any::<u32>().prop_map(|bits| Ipv4Addr::from_bits(bits).into()),
            any::<u128>().prop_map(|bits| Ipv6Addr::from_bits(bits).into()),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_reads_as_the_same_range(address in addresses(), prefix in 0..=BITS) {
            let range = AddressRange::new(address, prefix);
            prop_assert!(range.contains(address));
            let written = range.to_string();
            prop_assert_eq!(written.parse(), Ok(range), "{}", written);
        }
    }
}
