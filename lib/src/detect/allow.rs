//! Allow-lists: rows that are never alerted.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use crate::line::Value;

/// Values of a field whose rows are never alerted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow {
    /// The field.
    pub field: String,
    /// What it may hold.
    pub values: Vec<Allowed>,
}

/// A value, or a network of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Exactly this text, or a number, or other value, that is written so.
    Value(String),
    /// An address within this network, however it is spelled.
    Network(Network),
}

/// The addresses that begin with the same bits.
///
/// An IPv6 address that only wraps an IPv4 one (`::ffff:192.0.2.7`) is the
/// IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

/// Why an entry of an allow-list was rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AllowError {
    /// The length of the prefix is none.
    #[error("{text:?}: the prefix of a network is 0 to {most} bits, as in 192.0.2.0/24")]
    Prefix {
        /// The entry.
        text: String,
        /// The address's length.
        most: u32,
    },
    /// The address has bits behind the prefix.
    #[error("{text:?}: the network with this address is {network}")]
    HostBits {
        /// The entry.
        text: String,
        /// What was meant, perhaps.
        network: Network,
    },
    /// A network's address is none.
    #[error("{0:?} is no network; write it like 192.0.2.0/24 or 2001:db8::/32")]
    Network(String),
    /// There is more behind an address.
    #[error("{0:?}: behind an address comes nothing but a comma, or # behind a blank in a file")]
    Behind(String),
    /// There is nothing between two commas.
    #[error("a value is missing before or behind a comma")]
    Empty,
    /// A field is named where there are values alone.
    #[error("{0:?}: this is a list of values alone; leave the field out, or give --allow FILE")]
    Named(String),
    /// There is no `=`.
    #[error("{0:?}: write it like ip_address=192.0.2.0/24,2001:db8::/32")]
    Shape(String),
}

impl Allow {
    /// Reads `FIELD=VALUE,…`.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, AllowError> {
        let parts = text.split_once('=').filter(|(field, values)| {
            !field.trim().is_empty() && values.split(',').all(|value| !value.trim().is_empty())
        });
        let (field, values) = parts.ok_or_else(|| AllowError::Shape(text.to_owned()))?;
        let values = values.split(',').map(|value| Allowed::parse(value.trim()));
        Ok(Self { field: field.trim().to_owned(), values: values.collect::<Result<_, _>>()? })
    }

    /// Whether rows with this value are never alerted.
    pub(super) fn holds(&self, value: &Value<'_>) -> bool {
        let Some(text) = value.to_text() else { return false };
        let Ok(text) = std::str::from_utf8(&text) else { return false };
        let address = text.parse().ok().map(canonical);
        self.values.iter().any(|allowed| match allowed {
            Allowed::Value(value) => value == text,
            Allowed::Network(network) => address.is_some_and(|address| network.has(address)),
        })
    }
}

impl Allowed {
    /// Reads an address, a network (`192.0.2.0/24`), or else any other value.
    ///
    /// # Errors
    ///
    /// Fails on what begins like a network but is none.
    pub fn parse(text: &str) -> Result<Self, AllowError> {
        if text.is_empty() {
            return Err(AllowError::Empty);
        }
        let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let first = first.split_once('/').map_or(first, |(address, _)| address);
        if !rest.is_empty() && first.parse::<IpAddr>().is_ok() {
            return Err(AllowError::Behind(text.to_owned()));
        }
        let (address, prefix) =
            text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let Ok(address) = address.parse::<IpAddr>() else {
            let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
            let is_meant = prefix.is_some_and(is_number) && address.split('.').all(is_number);
            return if is_meant && address.split('.').count() > 2 {
                Err(AllowError::Network(text.to_owned()))
            } else {
                Ok(Self::Value(text.to_owned()))
            };
        };
        let most = length(address);
        let prefix = match prefix {
            None => most,
            Some(prefix) => prefix
                .parse()
                .ok()
                .filter(|bits| *bits <= most && prefix.bytes().all(|byte| byte.is_ascii_digit()))
                .ok_or_else(|| AllowError::Prefix { text: text.to_owned(), most })?,
        };
        let network = Network { address: masked(address, prefix), prefix };
        if network.address != address {
            return Err(AllowError::HostBits { text: text.to_owned(), network });
        }
        Ok(Self::Network(network.canonical()))
    }
}

impl Network {
    /// Whether the address, a canonical one, is in it.
    fn has(self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.prefix) == self.address
    }

    /// A network of wrapped IPv4 addresses is one of IPv4 addresses.
    fn canonical(self) -> Self {
        let address = canonical(self.address);
        // Bits before those of the wrapped address.
        match self.prefix.checked_sub(128 - 32) {
            Some(prefix) if address.is_ipv4() && self.address.is_ipv6() => Self { address, prefix },
            _ => self,
        }
    }
}

/// The IPv4 address that an IPv6 one wraps, or else itself.
fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// Bits of an address of this kind.
fn length(address: IpAddr) -> u32 {
    if address.is_ipv4() { Ipv4Addr::BITS } else { 128 }
}

/// The address with all bits behind the prefix 0.
fn masked(address: IpAddr, prefix: u32) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(prefix)).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(prefix)).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => f.write_str(value),
            Self::Network(network) => network.fmt(f),
        }
    }
}

impl fmt::Display for Allow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<String> = self.values.iter().map(Allowed::to_string).collect();
        write!(f, "{}={}", self.field, values.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_in_networks_however_they_are_spelled() {
        for (list, address, holds) in [
            ("ip=192.0.2.0/24", "192.0.2.255", true),
            ("ip=192.0.2.0/24", "192.0.3.0", false),
            ("ip=192.0.2.0/24", "::ffff:192.0.2.7", true),
            ("ip=192.0.2.0/24", "::ffff:c000:0207", true),
            ("ip=::ffff:192.0.2.0/120", "192.0.2.7", true),
            ("ip=::ffff:192.0.2.0/120", "192.0.3.7", false),
            ("ip=2001:db8::/32", "2001:DB8:0:0::1", true),
            ("ip=2001:db8::/32", "2001:db9::1", false),
            ("ip=198.51.100.7,2001:db8::1", "2001:0db8::0001", true),
            ("ip=0.0.0.0/0", "203.0.113.9", true),
            ("ip=0.0.0.0/0", "2001:db8::1", false),
            ("ip=::/0", "2001:db8::1", true),
            ("ip=::/0", "203.0.113.9", false),
            ("ip=192.0.2.7/32", "192.0.2.7", true),
            ("ip=192.0.2.0/24", "192.0.2", false),
            ("user = root, 7 ", "root", true),
            ("user=root,7", "7", true),
            ("user=root", "Root", false),
            ("url=/health/live", "/health/live", true),
            ("date=11/26", "11/26", true),
            ("rate=1.5/2", "1.5/2", true),
            ("name=web 1", "web 1", true),
        ] {
            let allow = Allow::parse(list).unwrap();
            assert_eq!(allow.holds(&Value::Str(address.as_bytes())), holds, "{address} in {list}");
        }
        let allow = Allow::parse("status=404").unwrap();
        assert!(allow.holds(&Value::Int(404)) && !allow.holds(&Value::Null));
    }

    #[test]
    fn slips_are_told() {
        for (list, error) in [
            ("ip=192.0.2.7/24", "\"192.0.2.7/24\": the network with this address is 192.0.2.0/24"),
            ("ip=192.0.2.0/33", "\"192.0.2.0/33\": the prefix of a network is 0 to 32 bits"),
            ("ip=192.0.2.0/+8", "\"192.0.2.0/+8\": the prefix of a network is 0 to 32 bits"),
            ("ip=2001:db8::/x", "\"2001:db8::/x\": the prefix of a network is 0 to 128 bits"),
            ("ip=192.0.2/24", "\"192.0.2/24\" is no network; write it like 192.0.2.0/24"),
            ("ip=192.0.2.300/24", "\"192.0.2.300/24\" is no network"),
            ("ip=192.0.2.7 office", "\"192.0.2.7 office\": behind an address comes nothing"),
            ("ip=2001:db8::/32 # x", "\"2001:db8::/32 # x\": behind an address comes nothing"),
            ("192.0.2.0/24", "\"192.0.2.0/24\": write it like ip_address=192.0.2.0/24"),
            ("ip=", "\"ip=\": write it like"),
            ("ip=a,,b", "\"ip=a,,b\": write it like"),
        ] {
            let told = Allow::parse(list).unwrap_err().to_string();
            assert!(told.starts_with(error), "{told}");
        }
    }
}
