//! Where a WireGuard device sends what it encrypts: its peers' endpoints (`WG_CMD_GET_DEVICE`). It takes CAP_NET_ADMIN.

use std::net::IpAddr;

use super::{
    attributes::{address, attribute, attributes, push_attribute, u16_at},
    genl::{Family, GENLMSGHDR_BYTES},
};

// `linux/wireguard.h`.
const WG_CMD_GET_DEVICE: u8 = 0;
const WGDEVICE_A_IFINDEX: u16 = 1;
const WGDEVICE_A_PEERS: u16 = 8;
const WGPEER_A_ENDPOINT: u16 = 4;
const WGPEER_A_ALLOWEDIPS: u16 = 9;
const WGALLOWEDIP_A_IPADDR: u16 = 2;
const WGALLOWEDIP_A_CIDR_MASK: u16 = 3;

/// A peer, and what is sent to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address outside; None until it is known.
    pub endpoint: Option<IpAddr>,
    /// The networks inside, with the length of their prefixes.
    pub allowed: Vec<(IpAddr, u8)>,
}

/// The peers of an interface of this thread's network namespace. None where they cannot be asked for.
#[must_use]
pub fn peers(ifindex: u32) -> Option<Vec<Peer>> {
    let mut family = Family::open("wireguard").ok()?;
    let mut request = vec![WG_CMD_GET_DEVICE, 1, 0, 0];
    push_attribute(&mut request, WGDEVICE_A_IFINDEX, &ifindex.to_ne_bytes());
    let messages = family.netlink.dump(family.id, &request).ok()?;
    Some(messages.iter().flat_map(|message| parse(message)).collect())
}

/// The endpoint of the peer that packets for an address go to: the one with the longest prefix.
#[must_use]
pub fn endpoint(peers: &[Peer], to: IpAddr) -> Option<IpAddr> {
    let best = |peer: &Peer| {
        let fits = peer.allowed.iter().filter(|(network, bits)| contains(*network, *bits, to));
        fits.map(|(_, bits)| *bits).max()
    };
    peers
        .iter()
        .filter_map(|peer| Some((best(peer)?, peer.endpoint?)))
        .max_by_key(|(bits, _)| *bits)
        .map(|(_, at)| at)
}

/// Whether a network has an address.
pub(super) fn contains(network: IpAddr, bits: u8, address: IpAddr) -> bool {
    let same = |one: u128, other: u128, width: u32| {
        let free = width.saturating_sub(u32::from(bits));
        free >= width || one >> free == other >> free
    };
    match (network, address) {
        (IpAddr::V4(one), IpAddr::V4(other)) => same(u32::from(one).into(), u32::from(other).into(), 32),
        (IpAddr::V6(one), IpAddr::V6(other)) => same(u128::from(one), u128::from(other), 128),
        _ => false,
    }
}

pub(super) fn parse(message: &[u8]) -> Vec<Peer> {
    let Some(values) = message.get(GENLMSGHDR_BYTES..) else { return Vec::new() };
    let peers = attribute(values, WGDEVICE_A_PEERS).into_iter().flat_map(attributes);
    peers
        .map(|(_, peer)| Peer {
            endpoint: attribute(peer, WGPEER_A_ENDPOINT).and_then(of_sockaddr),
            allowed: attribute(peer, WGPEER_A_ALLOWEDIPS)
                .into_iter()
                .flat_map(attributes)
                .filter_map(|(_, allowed)| {
                    let network = address(attribute(allowed, WGALLOWEDIP_A_IPADDR)?)?;
                    Some((network, *attribute(allowed, WGALLOWEDIP_A_CIDR_MASK)?.first()?))
                })
                .collect(),
        })
        .collect()
}

/// `struct sockaddr_in` and `struct sockaddr_in6`.
fn of_sockaddr(bytes: &[u8]) -> Option<IpAddr> {
    match i32::from(u16_at(bytes, 0)?) {
        libc::AF_INET => address(bytes.get(4..8)?),
        libc::AF_INET6 => address(bytes.get(8..24)?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_longest_prefix_decides() {
        let peer = |last: u8, allowed: &[(IpAddr, u8)]| Peer {
            endpoint: Some(IpAddr::from([192, 0, 2, last])),
            allowed: allowed.to_vec(),
        };
        let any = (IpAddr::from([0, 0, 0, 0]), 0);
        let peers = [peer(1, &[any]), peer(2, &[(IpAddr::from([10, 8, 0, 0]), 24)]), peer(3, &[])];
        let of = |to: [u8; 4]| endpoint(&peers, IpAddr::from(to)).unwrap();
        assert_eq!(
            [of([10, 8, 0, 7]), of([10, 8, 1, 7])],
            [[192, 0, 2, 2], [192, 0, 2, 1]].map(IpAddr::from)
        );
        assert_eq!(endpoint(&peers, IpAddr::from([0_u8; 16])), None);
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_read(bytes in proptest::collection::vec(any::<u8>(), 0..96), bits: u8) {
            let _ = (parse(&bytes), of_sockaddr(&bytes));
            contains(IpAddr::from([0; 4]), bits, IpAddr::from([1; 4]));
        }
    }
}
