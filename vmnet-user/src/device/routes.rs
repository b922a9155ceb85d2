//! Where a packet for an address leaves by (`RTM_GETROUTE`, as `ip route get`).

use std::net::IpAddr;

use netlink_sys::protocols::NETLINK_ROUTE;

use super::{
    attributes::{address, attribute, attributes, bytes_of, push_attribute, u16_at, u32_at},
    netlink::{Netlink, NetlinkError},
};

/// `struct rtmsg`.
const RTMSG_BYTES: usize = 12;
/// `struct rtnexthop`.
const RTNEXTHOP_BYTES: usize = 8;
/// `linux/rtnetlink.h`: answer with the route itself, all of its ways (4.10 and later).
const RTM_F_FIB_MATCH: u32 = 0x2000;
const RTA_VIA: u16 = 18;

/// What becomes of packets for an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Delivered here.
    pub is_local: bool,
    /// To several machines at once: broadcast, multicast.
    pub is_to_many: bool,
    /// The ways out, the one that the kernel chose first. Empty where nothing leaves.
    pub ways: Vec<WayOut>,
    /// The source address that goes with it, where the kernel says.
    pub source: Option<IpAddr>,
}

impl Route {
    /// The interface, where one alone leads to one machine elsewhere.
    #[must_use]
    pub fn only_way_out(&self) -> Option<u32> {
        match self.ways.as_slice() {
            [way] if !self.is_local && !self.is_to_many => Some(way.ifindex),
            _ => None,
        }
    }
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WayOut {
    /// The interface.
    pub ifindex: u32,
    /// The router; None where the address is a neighbour.
    pub gateway: Option<IpAddr>,
}

/// Asks the kernel.
#[derive(Debug)]
pub struct RouteReader {
    netlink: Netlink,
}

impl RouteReader {
    /// Opens the socket, in the network namespace of this thread.
    ///
    /// # Errors
    /// When the kernel refuses the socket.
    pub fn open() -> Result<Self, NetlinkError> {
        Ok(Self { netlink: Netlink::open(NETLINK_ROUTE)? })
    }

    /// For packets that are sent here.
    ///
    /// # Errors
    /// What the kernel answered: there is no route.
    pub fn to(&mut self, destination: IpAddr) -> Result<Route, NetlinkError> {
        self.ask(destination, None)
    }

    /// For packets from `source` that come in by an interface.
    ///
    /// # Errors
    /// What the kernel answered: there is no route, or it does not forward.
    pub fn forwarded(
        &mut self,
        destination: IpAddr,
        source: IpAddr,
        ifindex: u32,
    ) -> Result<Route, NetlinkError> {
        self.ask(destination, Some((source, ifindex)))
    }

    fn ask(&mut self, destination: IpAddr, came: Option<(IpAddr, u32)>) -> Result<Route, NetlinkError> {
        let chosen = self.netlink.get(libc::RTM_GETROUTE, &request(destination, came, 0))?;
        let mut route = parse(&chosen).ok_or(NetlinkError::Malformed { missing: "route" })?;
        // Older kernels answer the same once more.
        if let Ok(whole) = self.netlink.get(libc::RTM_GETROUTE, &request(destination, came, RTM_F_FIB_MATCH))
            && let Some(whole) = parse(&whole)
        {
            for way in whole.ways {
                if !route.ways.iter().any(|known| known.ifindex == way.ifindex) {
                    route.ways.push(way);
                }
            }
        }
        Ok(route)
    }
}

fn request(destination: IpAddr, came: Option<(IpAddr, u32)>, flags: u32) -> Vec<u8> {
    let (family, bits) = match destination {
        IpAddr::V4(_) => (libc::AF_INET, 32),
        IpAddr::V6(_) => (libc::AF_INET6, 128),
    };
    let mut message = vec![0; RTMSG_BYTES];
    let source_bits = if came.is_some() { bits } else { 0 };
    message.splice(0..3, [family as u8, bits, source_bits]);
    message.splice(8..12, flags.to_ne_bytes());
    push_attribute(&mut message, libc::RTA_DST, &bytes_of(destination));
    if let Some((source, ifindex)) = came {
        push_attribute(&mut message, libc::RTA_SRC, &bytes_of(source));
        push_attribute(&mut message, libc::RTA_IIF, &ifindex.to_ne_bytes());
    }
    message
}

pub(super) fn parse(message: &[u8]) -> Option<Route> {
    let kind = *message.get(7)?;
    let values = message.get(RTMSG_BYTES..)?;
    let way = |ifindex: u32, values: &[u8]| WayOut { ifindex, gateway: gateway(values) };
    let mut ways = Vec::new();
    if let Some(ifindex) = attribute(values, libc::RTA_OIF).and_then(|value| u32_at(value, 0)) {
        ways.push(way(ifindex, values));
    }
    let mut several = attribute(values, libc::RTA_MULTIPATH).unwrap_or_default();
    while let Some(length) = u16_at(several, 0).map(usize::from).filter(|length| *length >= RTNEXTHOP_BYTES) {
        let (Some(ifindex), Some(own)) = (u32_at(several, 4), several.get(RTNEXTHOP_BYTES..length)) else {
            break;
        };
        if !ways.iter().any(|known| known.ifindex == ifindex) {
            ways.push(way(ifindex, own));
        }
        several = several.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    let is_local = kind == libc::RTN_LOCAL;
    let is_to_many = matches!(kind, libc::RTN_BROADCAST | libc::RTN_MULTICAST);
    if !is_local && kind != libc::RTN_UNICAST {
        ways.clear();
    }
    Some(Route { is_local, is_to_many, ways, source: attribute(values, libc::RTA_PREFSRC).and_then(address) })
}

fn gateway(values: &[u8]) -> Option<IpAddr> {
    attributes(values).find_map(|(kind, value)| match kind {
        libc::RTA_GATEWAY => address(value),
        // A family and an address of it.
        RTA_VIA => address(value.get(2..)?),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_here_is_delivered_here_by_loopback() {
        let mut routes = RouteReader::open().unwrap();
        let route = routes.to(IpAddr::from([127, 0, 0, 1])).unwrap();
        assert!(route.is_local);
        assert_eq!(route.ways.first().map(|way| way.ifindex), Some(1));
    }

    #[test]
    fn several_ways_are_all_told_and_a_torn_list_ends() {
        let mut message = request(IpAddr::from([10, 0, 0, 1]), None, 0);
        message[7] = libc::RTN_UNICAST;
        let mut several = Vec::new();
        for ifindex in [4_u32, 5] {
            let mut own = vec![16, 0, 0, 0];
            own.extend(ifindex.to_ne_bytes());
            push_attribute(&mut own, libc::RTA_GATEWAY, &[10, 0, ifindex as u8, 1]);
            several.extend(own);
        }
        several.extend([200, 0, 0, 0, 9, 0, 0, 0]);
        push_attribute(&mut message, libc::RTA_MULTIPATH, &several);
        let route = parse(&message).unwrap();
        let gateways: Vec<_> = route.ways.iter().map(|way| (way.ifindex, way.gateway.unwrap())).collect();
        assert_eq!(gateways, [(4, IpAddr::from([10, 0, 4, 1])), (5, IpAddr::from([10, 0, 5, 1]))]);
    }
}
