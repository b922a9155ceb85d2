//! Where the server is, as people write it.

use std::{fmt, str::FromStr};

/// The server's port where none is given.
pub const DEFAULT_PORT: u16 = 5310;

/// A host, not yet looked up, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    /// Name or address, without brackets; `fe80::1%eth0` with a scope.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// Why an address was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No host.
    #[error("no host in {0:?}; write ADDR, ADDR:PORT or [IPV6]:PORT")]
    NoHost(String),
    /// Not a port.
    #[error("{0:?} is not a port (1 to 65535)")]
    NotAPort(String),
}

impl FromStr for ServerAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let no_host = || AddressError::NoHost(text.to_owned());
        let (host, port) = if let Some(bracketed) = text.strip_prefix('[') {
            let (host, rest) = bracketed.split_once(']').ok_or_else(no_host)?;
            match (rest, rest.strip_prefix(':')) {
                ("", _) => (host, None),
                (_, Some(port)) => (host, Some(port)),
                _ => return Err(AddressError::NotAPort(rest.to_owned())),
            }
        } else {
            match text.split_once(':') {
                // Two colons or more are an IPv6 address without a port.
                Some((host, port)) if !port.contains(':') => (host, Some(port)),
                _ => (text, None),
            }
        };
        if host.is_empty() {
            return Err(no_host());
        }
        let port = match port {
            None => DEFAULT_PORT,
            Some(port) => match port.parse() {
                Ok(0) | Err(_) => return Err(AddressError::NotAPort(port.to_owned())),
                Ok(port) => port,
            },
        };
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hosts_come_with_and_without_port_and_brackets() {
        for (text, host, port) in [
            ("192.0.2.1", "192.0.2.1", 5310),
            ("192.0.2.1:80", "192.0.2.1", 80),
            ("::1", "::1", 5310),
            ("[::1]", "::1", 5310),
            ("[::1]:5311", "::1", 5311),
            ("fe80::1%eth0", "fe80::1%eth0", 5310),
            ("[fe80::1%eth0]:9", "fe80::1%eth0", 9),
            ("peer.example:65535", "peer.example", 65535),
        ] {
            assert_eq!(text.parse(), Ok(ServerAddress { host: host.to_owned(), port }), "{text}");
        }
    }

    #[test]
    fn what_has_no_host_or_no_port_after_its_colon_is_refused() {
        for text in
            ["", ":80", "[]:80", "[::1", "host:", "host:0", "host:65536", "host:http", "[::1]80", "[::1]:"]
        {
            assert!(text.parse::<ServerAddress>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_understood_is_written_so_that_it_is_understood_alike(text in "[0-9a-f:.%\\[\\]]{0,20}") {
            if let Ok(address) = text.parse::<ServerAddress>() {
                prop_assume!(!address.host.contains(['[', ']']));
                prop_assert_eq!(address.to_string().parse(), Ok(address));
            }
        }
    }
}
