//! Generic netlink families, found by name.

use netlink_sys::protocols::NETLINK_GENERIC;

use super::{
    attributes::{attribute, attributes, push_attribute, text, u16_at, u32_at},
    netlink::{Netlink, NetlinkError},
};

/// `struct genlmsghdr`.
pub(super) const GENLMSGHDR_BYTES: usize = 4;
// `linux/genetlink.h`.
const GENL_ID_CTRL: u16 = 0x10;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;
const CTRL_ATTR_MCAST_GROUPS: u16 = 7;
const CTRL_ATTR_MCAST_GRP_NAME: u16 = 1;
const CTRL_ATTR_MCAST_GRP_ID: u16 = 2;

/// A family, and a socket to speak to it.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) netlink: Netlink,
    /// Its number.
    pub(super) id: u16,
    /// Its multicast groups, by name.
    pub(super) groups: Vec<(String, u32)>,
}

impl Family {
    /// Refused with `ENOENT` where the kernel has none by that name.
    pub(super) fn open(name: &str) -> Result<Self, NetlinkError> {
        let mut netlink = Netlink::open(NETLINK_GENERIC)?;
        let mut request = vec![CTRL_CMD_GETFAMILY, 1, 0, 0];
        push_attribute(&mut request, CTRL_ATTR_FAMILY_NAME, &[name.as_bytes(), &[0]].concat());
        let reply = netlink.get(GENL_ID_CTRL, &request)?;
        let (id, groups) = parse(&reply).ok_or(NetlinkError::Malformed { missing: "CTRL_ATTR_FAMILY_ID" })?;
        Ok(Self { netlink, id, groups })
    }
}

pub(super) fn parse(reply: &[u8]) -> Option<(u16, Vec<(String, u32)>)> {
    let values = reply.get(GENLMSGHDR_BYTES..)?;
    let groups = attribute(values, CTRL_ATTR_MCAST_GROUPS)
        .into_iter()
        .flat_map(attributes)
        .filter_map(|(_, group)| {
            let name = text(attribute(group, CTRL_ATTR_MCAST_GRP_NAME)?);
            Some((name, u32_at(attribute(group, CTRL_ATTR_MCAST_GRP_ID)?, 0)?))
        })
        .collect();
    Some((u16_at(attribute(values, CTRL_ATTR_FAMILY_ID)?, 0)?, groups))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_controller_knows_itself_and_its_group() {
        let family = Family::open("nlctrl").unwrap();
        assert_eq!(family.id, GENL_ID_CTRL);
        assert!(family.groups.iter().any(|(name, _)| name == "notify"), "{:?}", family.groups);
    }

    #[test]
    fn a_family_that_the_kernel_does_not_have_is_not_there() {
        assert_eq!(Family::open("vmnet-none").unwrap_err().errno(), Some(libc::ENOENT));
    }

    proptest! {
        #[test]
        fn any_reply_can_be_parsed(bytes in proptest::collection::vec(any::<u8>(), 0..128)) {
            let _ = parse(&bytes);
        }
    }
}
