//! Generic netlink to the `ethtool` family (kernel 5.6 and later).

use netlink_packet_core::NLA_F_NESTED;
use netlink_sys::protocols::NETLINK_GENERIC;

use super::{
    attributes::{attribute, push_attribute, u16_at},
    netlink::{Netlink, NetlinkError},
};

/// `struct genlmsghdr`.
const GENLMSGHDR_BYTES: usize = 4;
/// `linux/genetlink.h`: the controller, which knows the others' numbers.
const GENL_ID_CTRL: u16 = 0x10;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;
/// `linux/ethtool_netlink.h`: the first attribute of every ethtool message, and what is in it.
const ETHTOOL_A_HEADER: u16 = 1;
const ETHTOOL_A_HEADER_DEV_INDEX: u16 = 1;
const ETHTOOL_A_HEADER_FLAGS: u16 = 3;
/// Bitsets as words of bits rather than as lists of names.
pub(super) const ETHTOOL_FLAG_COMPACT_BITSETS: u32 = 1;

/// No reply to a request that changes something: what came of it is read afterwards, whole.
const ETHTOOL_FLAG_OMIT_REPLY: u32 = 2;

/// Why ethtool gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum EthtoolError {
    /// The kernel has no ethtool netlink (before 5.6, or without `CONFIG_ETHTOOL_NETLINK`).
    #[error("this kernel has no ethtool netlink (needs 5.6 and CONFIG_ETHTOOL_NETLINK)")]
    NoFamily,
    /// The driver does not have this.
    #[error("the driver does not tell its {what}")]
    Unsupported {
        /// What was asked for.
        what: &'static str,
    },
    /// There is no such interface any more.
    #[error("the interface is gone")]
    Gone,
    /// The kernel could not be asked.
    #[error("reading {what} over ethtool netlink: {cause}")]
    Netlink {
        /// What was asked for.
        what: &'static str,
        /// Why not.
        cause: NetlinkError,
    },
}

/// A connection to the family.
#[derive(Debug)]
pub(super) struct Ethtool {
    netlink: Netlink,
    family: u16,
}

impl Ethtool {
    pub(super) fn open() -> Result<Self, EthtoolError> {
        let failed = |cause| EthtoolError::Netlink { what: "the family", cause };
        let mut netlink = Netlink::open(NETLINK_GENERIC).map_err(failed)?;
        let mut request = vec![CTRL_CMD_GETFAMILY, 1, 0, 0];
        push_attribute(&mut request, CTRL_ATTR_FAMILY_NAME, c"ethtool".to_bytes_with_nul());
        let reply = netlink.get(GENL_ID_CTRL, &request).map_err(|cause| match cause.errno() {
            Some(libc::ENOENT) => EthtoolError::NoFamily,
            _ => failed(cause),
        })?;
        let family = reply
            .get(GENLMSGHDR_BYTES..)
            .and_then(|values| u16_at(attribute(values, CTRL_ATTR_FAMILY_ID)?, 0))
            .ok_or_else(|| failed(NetlinkError::Malformed { missing: "CTRL_ATTR_FAMILY_ID" }))?;
        Ok(Self { netlink, family })
    }

    /// Sends a command that changes something of one interface; `attributes` follow the header.
    pub(super) fn change(
        &mut self,
        command: u8,
        ifindex: u32,
        attributes: &[u8],
    ) -> Result<(), NetlinkError> {
        let mut request = request(command, ifindex, ETHTOOL_FLAG_OMIT_REPLY);
        request.extend_from_slice(attributes);
        self.netlink.change(self.family, 0, &request)
    }

    /// Sends the command for one interface, and returns the attributes of the reply.
    pub(super) fn get(
        &mut self,
        command: u8,
        what: &'static str,
        ifindex: u32,
        header_flags: u32,
    ) -> Result<Vec<u8>, EthtoolError> {
        let request = request(command, ifindex, header_flags);
        let mut reply = self.netlink.get(self.family, &request).map_err(|cause| match cause.errno() {
            Some(libc::EOPNOTSUPP) => EthtoolError::Unsupported { what },
            Some(libc::ENODEV) => EthtoolError::Gone,
            _ => EthtoolError::Netlink { what, cause },
        })?;
        Ok(reply.split_off(GENLMSGHDR_BYTES.min(reply.len())))
    }
}

/// `struct genlmsghdr` and the header that every ethtool message begins with.
fn request(command: u8, ifindex: u32, header_flags: u32) -> Vec<u8> {
    let mut header = Vec::new();
    push_attribute(&mut header, ETHTOOL_A_HEADER_DEV_INDEX, &ifindex.to_ne_bytes());
    push_attribute(&mut header, ETHTOOL_A_HEADER_FLAGS, &header_flags.to_ne_bytes());
    let mut request = vec![command, 1, 0, 0];
    push_attribute(&mut request, ETHTOOL_A_HEADER | NLA_F_NESTED, &header);
    request
}
