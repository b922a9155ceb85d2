//! Who is reached by which link-layer address, and behind which port that is (`RTM_GETNEIGH`: neighbours, and the forwarding tables of
//! bridges and of vxlan).

use std::net::IpAddr;

use netlink_sys::protocols::NETLINK_ROUTE;

use super::{
    attributes::{address, attribute, u16_at, u32_at},
    netlink::{Netlink, NetlinkError},
};

/// `struct ndmsg`.
const NDMSG_BYTES: usize = 12;
/// `linux/neighbour.h`.
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
const NDA_MASTER: u16 = 9;
const NUD_PERMANENT: u16 = 0x80;
const AF_BRIDGE: u8 = 7;

/// What the namespace knows of others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Neighbours {
    neighbours: Vec<(u32, IpAddr, Vec<u8>)>,
    forwarding: Vec<Forwarding>,
}

/// An entry of a forwarding table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarding {
    /// The port of a bridge, or a vxlan.
    pub ifindex: u32,
    /// The bridge.
    pub bridge: Option<u32>,
    /// All zeros, of vxlan: every other.
    pub hardware_address: Vec<u8>,
    /// vxlan: the tunnel's other end.
    pub remote: Option<IpAddr>,
    /// The bridge's own: it is delivered here.
    pub is_own: bool,
}

impl Neighbours {
    /// Reads them, in the network namespace of this thread.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn read() -> Result<Self, NetlinkError> {
        let mut netlink = Netlink::open(NETLINK_ROUTE)?;
        let mut of = |family: u8| {
            let mut request = vec![0; NDMSG_BYTES];
            request.splice(0..1, [family]);
            netlink.dump(libc::RTM_GETNEIGH, &request)
        };
        let mut neighbours = Vec::new();
        for family in [libc::AF_INET as u8, libc::AF_INET6 as u8] {
            neighbours.extend(of(family)?.iter().filter_map(|message| neighbour(message)));
        }
        // A kernel without bridges has no such tables.
        let forwarding = of(AF_BRIDGE).unwrap_or_default();
        let forwarding = forwarding.iter().filter_map(|message| forwarded(message)).collect();
        Ok(Self { neighbours, forwarding })
    }

    /// The link-layer address of a neighbour.
    #[must_use]
    pub fn hardware_address(&self, ifindex: u32, of: IpAddr) -> Option<&[u8]> {
        let is_it = |(by, known, _): &&(u32, IpAddr, Vec<u8>)| *by == ifindex && *known == of;
        self.neighbours.iter().find(is_it).map(|(.., address)| address.as_slice())
    }

    /// Where a bridge forwards frames for an address.
    #[must_use]
    pub fn port(&self, bridge: u32, hardware_address: &[u8]) -> Option<&Forwarding> {
        let is_it =
            |entry: &&Forwarding| entry.bridge == Some(bridge) && entry.hardware_address == hardware_address;
        self.forwarding.iter().find(is_it)
    }

    /// The other end of a vxlan for an address: by its entry, else by the one for all.
    #[must_use]
    pub fn remote(&self, vxlan: u32, hardware_address: Option<&[u8]>) -> Option<IpAddr> {
        let of = |wanted: &dyn Fn(&[u8]) -> bool| {
            let is_it = |entry: &&Forwarding| entry.ifindex == vxlan && wanted(&entry.hardware_address);
            self.forwarding.iter().filter(is_it).find_map(|entry| entry.remote)
        };
        of(&|known| Some(known) == hardware_address)
            .or_else(|| of(&|known| known.iter().all(|byte| *byte == 0)))
    }
}

pub(super) fn neighbour(message: &[u8]) -> Option<(u32, IpAddr, Vec<u8>)> {
    let values = message.get(NDMSG_BYTES..)?;
    let of = address(attribute(values, NDA_DST)?)?;
    Some((u32_at(message, 4)?, of, attribute(values, NDA_LLADDR)?.to_vec()))
}

pub(super) fn forwarded(message: &[u8]) -> Option<Forwarding> {
    let values = message.get(NDMSG_BYTES..)?;
    Some(Forwarding {
        ifindex: u32_at(message, 4)?,
        bridge: attribute(values, NDA_MASTER).and_then(|value| u32_at(value, 0)),
        hardware_address: attribute(values, NDA_LLADDR)?.to_vec(),
        remote: attribute(values, NDA_DST).and_then(address),
        is_own: u16_at(message, 8)? & NUD_PERMANENT != 0,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(bridge: Option<u32>, ifindex: u32, last: u8, remote: Option<IpAddr>) -> Forwarding {
        let hardware_address = vec![0, 0, 0, 0, 0, last];
        Forwarding { ifindex, bridge, hardware_address, remote, is_own: false }
    }

    #[test]
    fn a_vxlan_sends_to_the_one_for_an_address_and_what_it_does_not_know_to_the_one_for_all() {
        let [one, all] = [IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2])];
        let forwarding =
            vec![entry(None, 3, 0, Some(all)), entry(None, 3, 7, Some(one)), entry(Some(9), 3, 7, None)];
        let known = Neighbours { neighbours: Vec::new(), forwarding };
        assert_eq!(known.remote(3, Some(&[0, 0, 0, 0, 0, 7])), Some(one));
        assert_eq!(known.remote(3, Some(&[0, 0, 0, 0, 0, 8])), Some(all));
        assert_eq!(known.remote(3, None), Some(all));
        assert_eq!(known.remote(4, None), None);
        assert_eq!(known.port(9, &[0, 0, 0, 0, 0, 7]).map(|entry| entry.ifindex), Some(3));
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_read(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = (neighbour(&bytes), forwarded(&bytes));
        }
    }
}
