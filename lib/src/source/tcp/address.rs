//! TCP addresses as users write them.

use std::fmt;
use std::str::FromStr;

/// `HOST:PORT`: a name or an address and a port, an IPv6 address in brackets.
///
/// What a name stands for is looked up where the address is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(String);

/// A text that is no [`Address`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no HOST:PORT; write it like localhost:9999 or [::1]:9999")]
pub struct ParseAddressError(String);

impl Address {
    /// The address as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Address {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_address = text.rsplit_once(':').is_some_and(|(host, port)| {
            let is_bracketed = host.starts_with('[') && host.ends_with(']') && host.len() > 2;
            let is_host = is_bracketed || !host.is_empty() && !host.contains([':', '[', ']', '/']);
            is_host && port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
        });
        if is_address { Ok(Self(text.to_owned())) } else { Err(ParseAddressError(text.to_owned())) }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        for text in
            ["127.0.0.1:9999", "localhost:0", "[::1]:9999", "[fe80::1%2]:1", "log-1.a:65535"]
        {
            assert_eq!(text.parse::<Address>().map(|address| address.to_string()), Ok(text.into()));
        }
        for text in [
            "",
            "9999",
            ":9999",
            "localhost",
            "localhost:",
            "localhost:x",
            "localhost:+1",
            "a:65536",
            "::1:9999",
            "[]:1",
            "[::1]",
            "http://a:80",
        ] {
            assert_eq!(text.parse::<Address>(), Err(ParseAddressError(text.to_owned())));
        }
    }
}
