//! What a link's own kind says of where its packets go: a tunnel's other end, a bond's port in use, how a macvlan forwards
//! (`IFLA_INFO_DATA`).

use std::{collections::BTreeMap, net::IpAddr};

use netlink_sys::protocols::NETLINK_ROUTE;

use super::{
    attributes::{address, attribute, push_attribute, text, u32_at},
    netlink::{Netlink, NetlinkError},
};

/// `struct ifinfomsg`.
const IFINFOMSG_BYTES: usize = 16;
/// `linux/if_link.h` and `linux/if_tunnel.h`.
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_VXLAN_GROUP: u16 = 2;
const IFLA_VXLAN_GROUP6: u16 = 16;
const IFLA_GENEVE_REMOTE: u16 = 2;
const IFLA_GENEVE_REMOTE6: u16 = 7;
const IFLA_GRE_REMOTE: u16 = 7;
const IFLA_IPTUN_REMOTE: u16 = 3;
const IFLA_BOND_ACTIVE_SLAVE: u16 = 2;
const IFLA_MACVLAN_MODE: u16 = 1;
/// `MACVLAN_MODE_BRIDGE`.
const BRIDGE_MODE: u32 = 4;

/// Of one link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// A tunnel's other end, where the link itself names one.
    pub remote: Option<IpAddr>,
    /// A bond's port in use, where one alone is.
    pub active_port: Option<u32>,
    /// macvlan: frames for another one on the same device turn round before it.
    pub turns_round: bool,
}

/// Reads them by index, in the network namespace of this thread. Links that say nothing of the kind are left out.
///
/// # Errors
/// When the kernel cannot be asked.
pub fn read() -> Result<BTreeMap<u32, Details>, NetlinkError> {
    let mut request = vec![0; IFINFOMSG_BYTES];
    push_attribute(&mut request, libc::IFLA_EXT_MASK, &0_u32.to_ne_bytes());
    let messages = Netlink::open(NETLINK_ROUTE)?.dump(libc::RTM_GETLINK, &request)?;
    let details = messages.iter().filter_map(|message| Some((u32_at(message, 4)?, parse(message)?)));
    Ok(details.filter(|(_, details)| *details != Details::default()).collect())
}

fn parse(message: &[u8]) -> Option<Details> {
    let info = attribute(message.get(IFINFOMSG_BYTES..)?, libc::IFLA_LINKINFO)?;
    let kind = text(attribute(info, IFLA_INFO_KIND)?);
    let data = attribute(info, IFLA_INFO_DATA)?;
    let at = |kinds: &[u16]| {
        let mut found = kinds.iter().filter_map(|kind| address(attribute(data, *kind)?));
        found.find(|address| !address.is_unspecified())
    };
    let number = |kind| attribute(data, kind).and_then(|value| u32_at(value, 0));
    let mut details = Details::default();
    match kind.as_str() {
        "vxlan" => details.remote = at(&[IFLA_VXLAN_GROUP, IFLA_VXLAN_GROUP6]),
        "geneve" => details.remote = at(&[IFLA_GENEVE_REMOTE, IFLA_GENEVE_REMOTE6]),
        "gre" | "gretap" | "erspan" | "ip6gre" | "ip6gretap" | "ip6erspan" => {
            details.remote = at(&[IFLA_GRE_REMOTE]);
        }
        "ipip" | "sit" | "ip6tnl" => details.remote = at(&[IFLA_IPTUN_REMOTE]),
        "bond" => details.active_port = number(IFLA_BOND_ACTIVE_SLAVE).filter(|port| *port != 0),
        "macvlan" | "macvtap" => details.turns_round = number(IFLA_MACVLAN_MODE) == Some(BRIDGE_MODE),
        _ => {}
    }
    Some(details)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn link(kind: &str, data: &[(u16, &[u8])]) -> Vec<u8> {
        let mut inner = Vec::new();
        data.iter().for_each(|(kind, value)| push_attribute(&mut inner, *kind, value));
        let mut info = Vec::new();
        push_attribute(&mut info, IFLA_INFO_KIND, kind.as_bytes());
        push_attribute(&mut info, IFLA_INFO_DATA, &inner);
        let mut message = vec![0; IFINFOMSG_BYTES];
        push_attribute(&mut message, libc::IFLA_LINKINFO, &info);
        message
    }

    #[test]
    fn a_tunnel_names_its_other_end_and_one_for_everybody_names_none() {
        let remote =
            |kind: &str, at: u16, address: &[u8]| parse(&link(kind, &[(at, address)])).unwrap().remote;
        let far = IpAddr::from([10, 0, 0, 2]);
        for (kind, at) in [("vxlan", 2), ("geneve", 2), ("gretap", 7), ("ipip", 3)] {
            assert_eq!(remote(kind, at, &[10, 0, 0, 2]), Some(far), "{kind}");
        }
        assert_eq!(remote("gre", 7, &[0; 4]), None);
        assert_eq!(remote("vlan", 2, &[10, 0, 0, 2]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_read(bytes in proptest::collection::vec(any::<u8>(), 0..96)) {
            let _ = parse(&bytes);
        }
    }
}
