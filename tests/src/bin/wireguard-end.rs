//! `wireguard-end INTERFACE left|right ENDPOINT:PORT`: gives a WireGuard device its keys and its peer, as `wg set` would. Both ends listen on the
//! port that is named, and everything may come from and go to the peer.

use std::net::SocketAddrV4;

use anyhow::{Result, bail};
use testbed::genl::{NESTED, attribute, tell};

/// A private key, and what X25519 makes of it.
struct Keys {
    private: [u8; 32],
    public: &'static str,
}

const LEFT: Keys =
    Keys { private: [1; 32], public: "a4e09292b651c278b9772c569f5fa9bb13d906b46ab68c9df9dc2b4409f8a209" };
const RIGHT: Keys =
    Keys { private: [2; 32], public: "ce8d3ad1ccb633ec7b70c17814a5c76ecd029685050d344745ba05870e587d59" };

/// `include/uapi/linux/wireguard.h`.
const SET_DEVICE: u8 = 1;
const DEVICE_NAME: u16 = 2;
const DEVICE_PRIVATE_KEY: u16 = 3;
const DEVICE_LISTEN_PORT: u16 = 6;
const DEVICE_PEERS: u16 = 8;
const PEER_PUBLIC_KEY: u16 = 1;
const PEER_ENDPOINT: u16 = 4;
const PEER_ALLOWED_IPS: u16 = 9;
const ALLOWED_FAMILY: u16 = 1;
const ALLOWED_ADDRESS: u16 = 2;
const ALLOWED_MASK: u16 = 3;

const AF_INET: u16 = 2;

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [interface, side, endpoint] = words.as_slice() else {
        bail!("usage: wireguard-end INTERFACE left|right ENDPOINT:PORT");
    };
    let (own, other) = match side.as_str() {
        "left" => (LEFT, RIGHT),
        "right" => (RIGHT, LEFT),
        _ => bail!("{side}: left or right"),
    };
    let endpoint: SocketAddrV4 = endpoint.parse()?;
    let name = [interface.as_bytes(), b"\0"].concat();
    let sockaddr =
        [&AF_INET.to_ne_bytes()[..], &endpoint.port().to_be_bytes(), &endpoint.ip().octets(), &[0; 8]]
            .concat();
    let anything = [
        attribute(ALLOWED_FAMILY, &AF_INET.to_ne_bytes()),
        attribute(ALLOWED_ADDRESS, &[0; 4]),
        attribute(ALLOWED_MASK, &[0]),
    ];
    let peer = [
        attribute(PEER_PUBLIC_KEY, &from_hex(other.public)?),
        attribute(PEER_ENDPOINT, &sockaddr),
        attribute(PEER_ALLOWED_IPS | NESTED, &attribute(NESTED, &anything.concat())),
    ];
    let device = [
        attribute(DEVICE_NAME, &name),
        attribute(DEVICE_PRIVATE_KEY, &own.private),
        attribute(DEVICE_LISTEN_PORT, &endpoint.port().to_ne_bytes()),
        attribute(DEVICE_PEERS | NESTED, &attribute(NESTED, &peer.concat())),
    ];

    tell("wireguard", SET_DEVICE, &device.concat())
}

fn from_hex(text: &str) -> Result<Vec<u8>> {
    (0..text.len()).step_by(2).map(|at| Ok(u8::from_str_radix(&text[at..at + 2], 16)?)).collect()
}
