//! What a link's own kind says of where its packets go: a tunnel's other end, a bond's port in use, how a macvlan forwards
//! (`IFLA_INFO_DATA`).

use std::net::IpAddr;

use super::attributes::{address, attribute, text, u32_at};

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
const IFLA_XFRM_IF_ID: u16 = 2;
const IFLA_VXLAN_UDP_CSUM: u16 = 18;
const IFLA_VXLAN_UDP_ZERO_CSUM6_TX: u16 = 19;
const IFLA_GENEVE_UDP_CSUM: u16 = 8;
const IFLA_GENEVE_UDP_ZERO_CSUM6_TX: u16 = 9;
const IFLA_GRE_OFLAGS: u16 = 3;
/// `GRE_CSUM`, as it stands in the header.
const GRE_CSUM: u8 = 0x80;
/// `MACVLAN_MODE_BRIDGE`.
const BRIDGE_MODE: u32 = 4;

/// Of one link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// A tunnel's other end, where the link itself names one.
    pub remote: Option<IpAddr>,
    /// Whether a tunnel's outer packets have a checksum of their own, where that can be chosen.
    pub has_checksum: Option<bool>,
    /// A bond's port in use, where one alone is.
    pub active_port: Option<u32>,
    /// xfrm: the number by which IPsec's policies name it.
    pub xfrm_if_id: Option<u32>,
    /// macvlan: frames for another one on the same device turn round before it.
    pub turns_round: bool,
}

/// From a link's `IFLA_LINKINFO`. None where it says nothing of the kind.
pub(super) fn parse(info: &[u8]) -> Option<Details> {
    let kind = text(attribute(info, IFLA_INFO_KIND)?);
    let data = attribute(info, IFLA_INFO_DATA)?;
    let at = |kinds: &[u16]| {
        let mut found = kinds.iter().filter_map(|kind| address(attribute(data, *kind)?));
        found.find(|address| !address.is_unspecified())
    };
    let number = |kind| attribute(data, kind).and_then(|value| u32_at(value, 0));
    let byte = |kind| attribute(data, kind).and_then(|value| value.first().copied());
    // Over IPv6 it is the flag for none that is told.
    let of_udp = |remote: Option<IpAddr>, four, six| match remote {
        Some(IpAddr::V6(_)) => byte(six).map(|none| none == 0),
        _ => byte(four).map(|some| some != 0),
    };
    let mut details = Details::default();
    match kind.as_str() {
        "vxlan" => {
            details.remote = at(&[IFLA_VXLAN_GROUP, IFLA_VXLAN_GROUP6]);
            details.has_checksum = of_udp(details.remote, IFLA_VXLAN_UDP_CSUM, IFLA_VXLAN_UDP_ZERO_CSUM6_TX);
        }
        "geneve" => {
            details.remote = at(&[IFLA_GENEVE_REMOTE, IFLA_GENEVE_REMOTE6]);
            details.has_checksum =
                of_udp(details.remote, IFLA_GENEVE_UDP_CSUM, IFLA_GENEVE_UDP_ZERO_CSUM6_TX);
        }
        "gre" | "gretap" | "erspan" | "ip6gre" | "ip6gretap" | "ip6erspan" => {
            details.remote = at(&[IFLA_GRE_REMOTE]);
            details.has_checksum = byte(IFLA_GRE_OFLAGS).map(|flags| flags & GRE_CSUM != 0);
        }
        "ipip" | "sit" | "ip6tnl" => details.remote = at(&[IFLA_IPTUN_REMOTE]),
        "bond" => details.active_port = number(IFLA_BOND_ACTIVE_SLAVE).filter(|port| *port != 0),
        "xfrm" => details.xfrm_if_id = number(IFLA_XFRM_IF_ID),
        "macvlan" | "macvtap" => details.turns_round = number(IFLA_MACVLAN_MODE) == Some(BRIDGE_MODE),
        _ => {}
    }
    Some(details)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::device::attributes::push_attribute;

    fn link(kind: &str, data: &[(u16, &[u8])]) -> Vec<u8> {
        let mut inner = Vec::new();
        data.iter().for_each(|(kind, value)| push_attribute(&mut inner, *kind, value));
        let mut info = Vec::new();
        push_attribute(&mut info, IFLA_INFO_KIND, kind.as_bytes());
        push_attribute(&mut info, IFLA_INFO_DATA, &inner);
        info
    }

    #[test]
    fn a_tunnel_names_its_other_end_and_one_for_everybody_names_none() {
        let remote =
            |kind: &str, at: u16, address: &[u8]| parse(&link(kind, &[(at, address)])).unwrap().remote;
        let far = IpAddr::from([10, 0, 0, 2]);
        for (kind, at) in [("vxlan", 2), ("geneve", 2), ("gretap", 7), ("ipip", 3)] {
            assert_eq!(remote(kind, at, &[10, 0, 0, 2]), Some(far), "{kind}");
        }
        let checksum = |kind: &str, data: &[(u16, &[u8])]| parse(&link(kind, data)).unwrap().has_checksum;
        assert_eq!(checksum("vxlan", &[(2, &[10, 0, 0, 2]), (18, &[1]), (19, &[1])]), Some(true));
        assert_eq!(checksum("vxlan", &[(16, &[0xfd; 16]), (18, &[1]), (19, &[1])]), Some(false));
        assert_eq!(checksum("geneve", &[(8, &[0])]), Some(false));
        assert_eq!(checksum("gretap", &[(3, &[0x80, 0])]), Some(true));
        assert_eq!(checksum("ipip", &[(3, &[10, 0, 0, 2])]), None);
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
