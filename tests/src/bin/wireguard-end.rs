//! `wireguard-end INTERFACE left|right ENDPOINT:PORT`: gives a WireGuard device its keys and its peer, as `wg set` would. Both ends listen on the
//! port that is named, and everything may come from and go to the peer.

use std::net::SocketAddrV4;
use std::os::fd::AsRawFd as _;

use anyhow::{Context as _, Result, bail};
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};

/// A private key, and what X25519 makes of it.
struct Keys {
    private: [u8; 32],
    public: &'static str,
}

const LEFT: Keys =
    Keys { private: [1; 32], public: "a4e09292b651c278b9772c569f5fa9bb13d906b46ab68c9df9dc2b4409f8a209" };
const RIGHT: Keys =
    Keys { private: [2; 32], public: "ce8d3ad1ccb633ec7b70c17814a5c76ecd029685050d344745ba05870e587d59" };

/// `include/uapi/linux/genetlink.h`: the family that knows the others, and what it is asked.
const CONTROLLER: u16 = 0x10;
const GET_FAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;

const REQUEST_AND_ACK: u16 = 1 | 4;
const NESTED: u16 = 0x8000;

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

    let family =
        asked(CONTROLLER, GET_FAMILY, &attribute(FAMILY_NAME, b"wireguard\0")).context("wireguard")?;
    let family = value_of(&family, FAMILY_ID).context("the kernel names no family")?;
    asked(u16::from_ne_bytes(family[..2].try_into()?), SET_DEVICE, &device.concat())
        .context("setting it up")?;
    Ok(())
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// The attributes of the answer; none where it is a mere acknowledgement.
fn asked(family: u16, command: u8, attributes: &[u8]) -> Result<Vec<u8>> {
    let netlink =
        socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkGeneric)?;
    let length = u32::try_from(20 + attributes.len())?;
    let header = [
        &length.to_ne_bytes()[..],
        &family.to_ne_bytes(),
        &REQUEST_AND_ACK.to_ne_bytes(),
        &[0; 8],
        &[command, 1, 0, 0],
        attributes,
    ];
    send(netlink.as_raw_fd(), &header.concat(), MsgFlags::empty())?;
    let mut answer = vec![0; 8192];
    let bytes = recv(netlink.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    answer.truncate(bytes);
    let kind = answer.get(4..6).context("a short answer")?;
    if u16::from_ne_bytes(kind.try_into()?) != 2 {
        return Ok(answer.get(20..).unwrap_or_default().to_vec());
    }
    let error = i32::from_ne_bytes(answer.get(16..20).context("a short answer")?.try_into()?);
    if error == 0 { Ok(Vec::new()) } else { Err(Errno::from_raw(-error).into()) }
}

fn value_of(mut attributes: &[u8], kind: u16) -> Option<&[u8]> {
    while let Some(header) = attributes.first_chunk::<4>() {
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        if u16::from_ne_bytes([header[2], header[3]]) == kind {
            return attributes.get(4..length);
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
    None
}

fn from_hex(text: &str) -> Result<Vec<u8>> {
    (0..text.len()).step_by(2).map(|at| Ok(u8::from_str_radix(&text[at..at + 2], 16)?)).collect()
}
