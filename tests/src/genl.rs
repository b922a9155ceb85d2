//! Generic netlink for what guests have no program for.

use std::os::fd::AsRawFd as _;

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};

/// `include/uapi/linux/genetlink.h`: the family that knows the others, and what it is asked.
const CONTROLLER: u16 = 0x10;
const GET_FAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;

const REQUEST_AND_ACK: u16 = 1 | 4;
/// `NLA_F_NESTED`.
pub const NESTED: u16 = 0x8000;

/// Sends a command to a family, and waits for the kernel's word.
pub fn tell(family: &str, command: u8, attributes: &[u8]) -> Result<()> {
    let name = [family.as_bytes(), b"\0"].concat();
    let found =
        asked(CONTROLLER, GET_FAMILY, &attribute(FAMILY_NAME, &name)).with_context(|| family.to_owned())?;
    let number = value_of(&found, FAMILY_ID).context("the kernel names no family")?;
    let number = number.first_chunk::<2>().context("a short answer")?;
    asked(u16::from_ne_bytes(*number), command, attributes).map(drop)
}

/// One attribute, padded.
pub fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
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
