//! A host's addresses. Names are looked up by the machine's own `getent`: the C library's way would load the machine's name service
//! modules, which a static program must not: they are of another C library.

use std::{
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6},
    process::Stdio,
};

use nix::net::if_::if_nametoindex;

use super::address::ServerAddress;
use crate::device::programs;

/// In the order in which they are to be tried; never empty.
///
/// # Errors
/// When the host is no address and nobody knows it by name.
pub(super) fn addresses(server: &ServerAddress) -> io::Result<Vec<SocketAddr>> {
    if let Some(address) = literal(&server.host)? {
        return Ok(vec![with_port(address, server.port)]);
    }
    let unknown = || io::Error::new(io::ErrorKind::NotFound, "no address is known for that name");
    // An option, to some of those programs.
    if server.host.starts_with('-') {
        return Err(unknown());
    }
    let mut getent = programs::system("getent");
    let said = match getent.args(["ahosts", &server.host]).stderr(Stdio::null()).output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
        Err(error) => {
            let why = format!("getent, which looks up names, cannot be started ({error}); give an address");
            return Err(io::Error::new(error.kind(), why));
        }
    };
    let found = listed(&said, server.port);
    if found.is_empty() { Err(unknown()) } else { Ok(found) }
}

/// `10.0.0.1`, `fe80::1%eth0`; None for a name.
fn literal(host: &str) -> io::Result<Option<SocketAddr>> {
    let Some((address, scope)) = host.split_once('%') else {
        return Ok(host.parse::<IpAddr>().ok().map(|address| SocketAddr::new(address, 0)));
    };
    let Ok(address) = address.parse::<Ipv6Addr>() else { return Ok(None) };
    let index = match scope.parse() {
        Ok(index) => index,
        Err(_) => if_nametoindex(scope).map_err(|_| {
            io::Error::new(io::ErrorKind::NotFound, format!("no interface {scope} in this network namespace"))
        })?,
    };
    Ok(Some(SocketAddrV6::new(address, 0, 0, index).into()))
}

/// Lines are `address type [name]`, each address once for each type of socket.
fn listed(said: &str, port: u16) -> Vec<SocketAddr> {
    let mut found = Vec::new();
    for line in said.lines() {
        let word = line.split_whitespace().next().unwrap_or_default();
        if let Ok(Some(address)) = literal(word) {
            let address = with_port(address, port);
            if !found.contains(&address) {
                found.push(address);
            }
        }
    }
    found
}

fn with_port(mut address: SocketAddr, port: u16) -> SocketAddr {
    address.set_port(port);
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(host: &str) -> io::Result<Vec<String>> {
        let server = ServerAddress { host: host.to_owned(), port: 5310 };
        addresses(&server).map(|all| all.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn an_address_is_itself_and_its_scope_an_interface_of_this_machine() {
        assert_eq!(found("192.0.2.1").unwrap(), ["192.0.2.1:5310"]);
        assert_eq!(found("2001:db8::1").unwrap(), ["[2001:db8::1]:5310"]);
        assert_eq!(found("fe80::1%lo").unwrap(), ["[fe80::1%1]:5310"]);
        assert_eq!(found("fe80::1%1").unwrap(), ["[fe80::1%1]:5310"]);
        let absent = found("fe80::1%no-such").unwrap_err().to_string();
        assert!(absent.contains("no interface no-such"), "{absent}");
    }

    #[test]
    fn what_getent_prints_is_each_address_once_in_its_order() {
        let said = "2001:db8::7     STREAM peer.example\n2001:db8::7     DGRAM\n192.0.2.7 STREAM\n192.0.2.7 RAW\nodd line\n\n";
        let found: Vec<String> = listed(said, 80).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["[2001:db8::7]:80", "192.0.2.7:80"]);
    }

    #[test]
    fn a_name_that_nobody_knows_says_so_and_is_never_an_option_of_a_program() {
        for name in ["no-such-host.invalid", "--help", "-s", "", "a b"] {
            let error = found(name).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound, "{name}: {error}");
        }
    }
}
