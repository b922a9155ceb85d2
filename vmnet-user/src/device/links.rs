//! Interfaces: which there are, what one is, and its counters (rtnetlink).

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
};

use netlink_sys::protocols::NETLINK_ROUTE;

use super::{
    attributes::{array_at, attribute, attributes, push_attribute, text, u16_at, u32_at, u64_at},
    netlink::{Netlink, NetlinkError},
    routes::RouteReader,
    tunnels::{self, Details},
};
use crate::model::link_counters::LinkCounters;
use crate::model::machine::Limits;

/// `struct ifinfomsg`.
const IFINFOMSG_BYTES: usize = 16;
/// `struct ifaddrmsg`.
const IFADDRMSG_BYTES: usize = 8;

/// Which interface is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkId {
    /// Its name.
    pub name: String,
    /// Its index in this network namespace.
    pub ifindex: u32,
    /// Other names it answers to.
    pub alternative_names: Vec<String>,
}

/// An interface, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its name.
    pub name: String,
    /// Its index in this network namespace.
    pub ifindex: u32,
    /// Other names it answers to.
    pub alternative_names: Vec<String>,
    /// `IFLA_INFO_KIND` (veth, vlan, bond, …); None for what a hardware or virtio driver made, and for lo.
    pub kind: Option<String>,
    /// Whether it is the loopback device.
    pub loopback: bool,
    /// Whether it is up (`IFF_UP`).
    pub up: bool,
    /// Bytes.
    pub mtu: u32,
    /// Most segments in a super-packet for it; None where the kernel does not tell.
    pub gso_max_segs: Option<u32>,
    /// Most bytes in a super-packet for it (IPv6, and IPv4 where `gso_ipv4_max_size` is not kept apart).
    pub gso_max_size: Option<u32>,
    /// The same for IPv4 (kernel 6.3).
    pub gso_ipv4_max_size: Option<u32>,
    /// What the driver allows at most (kernel 5.19).
    pub tso_max_segs: Option<u32>,
    /// What the driver allows at most, in bytes (kernel 5.19).
    pub tso_max_size: Option<u32>,
    /// Transmit queues allocated, not all of which need be in use: see [`super::rings::tx_queues`].
    pub num_tx_queues: Option<u32>,
    /// RFC 2863.
    pub operstate: OperState,
    /// Whether the driver says that there is a carrier (`IFLA_CARRIER`), which `operstate` may tell up to a second later.
    pub carrier: Option<bool>,
    /// The root qdisc's kind.
    pub qdisc: Option<String>,
    /// Index of the interface below (vlan, macvlan) or of the peer (veth).
    pub below_ifindex: Option<u32>,
    /// The network namespace that `below_ifindex` is a number of, by its own number here (`IFLA_LINK_NETNSID`); None where it is this one.
    pub below_netnsid: Option<u32>,
    /// Index of the bond, bridge or team that it is a port of (`IFLA_MASTER`).
    pub master_ifindex: Option<u32>,
    /// Index of the interface that a tunnel is bound to: vxlan (`IFLA_VXLAN_LINK`), ipip, sit, gre and the like.
    pub bound_to_ifindex: Option<u32>,
    /// What its kind says of it.
    pub details: Details,
    /// Index of the interface by which a tunnel that is bound to none sends what it encapsulates, as routes are now; only [`LinkReader::all`]
    /// asks for it. None where its link names no other end (wireguard, one for everybody), and where several ways lead there.
    pub routed_to_ifindex: Option<u32>,
    /// vlan: its 802.1Q id.
    pub vlan_id: Option<u16>,
    /// `IFLA_ADDRESS`: six bytes on Ethernet.
    pub hardware_address: Vec<u8>,
    /// Packets received since boot.
    pub rx_packets: u64,
    /// Bytes of those, headers included.
    pub rx_bytes: u64,
    /// Its counters.
    pub counters: LinkCounters,
    /// Its addresses, in the kernel's order.
    pub addresses: Vec<IpAddr>,
}

impl Link {
    /// Its limits of super-packets.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            gso_max_size: self.gso_max_size,
            gso_ipv4_max_size: self.gso_ipv4_max_size,
            gso_max_segs: self.gso_max_segs,
            tso_max_size: self.tso_max_size,
            tso_max_segs: self.tso_max_segs,
        }
    }
}

/// What an interface counted, in both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkTraffic {
    /// Transmit side.
    pub tx: LinkCounters,
    /// Packets received.
    pub rx_packets: u64,
    /// Bytes of those.
    pub rx_bytes: u64,
}

/// `IF_OPER_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperState {
    /// The driver does not say (lo, tun).
    Unknown,
    /// Something needed is missing.
    NotPresent,
    /// No carrier, or set down.
    Down,
    /// Down because of the interface below.
    LowerLayerDown,
    /// Under test.
    Testing,
    /// Waiting (802.1X).
    Dormant,
    /// Passing packets.
    Up,
}

impl OperState {
    fn from_number(number: u8) -> Self {
        match number {
            1 => Self::NotPresent,
            2 => Self::Down,
            3 => Self::LowerLayerDown,
            4 => Self::Testing,
            5 => Self::Dormant,
            6 => Self::Up,
            _ => Self::Unknown,
        }
    }
}

/// Why an interface could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// There is none by that name.
    #[error(
        "no interface {wanted} in this network namespace{}; there are: {}",
        Suggestion(near),
        Listed(there)
    )]
    NotFound {
        /// The name asked for.
        wanted: String,
        /// Names that look like it.
        near: Vec<String>,
        /// All names.
        there: Vec<String>,
    },
    /// It was there, and is not any more: removed, or moved to another network namespace.
    #[error("interface {name} (index {ifindex}) is gone: removed, or moved to another network namespace")]
    Gone {
        /// The name it had.
        name: String,
        /// The index it had.
        ifindex: u32,
    },
    /// It is there by another name.
    #[error("interface {name} (index {ifindex}) is now called {now}")]
    Renamed {
        /// The name it had.
        name: String,
        /// Its index.
        ifindex: u32,
        /// The name it has.
        now: String,
    },
    /// The kernel could not be asked.
    #[error("reading interfaces: {0}")]
    Netlink(NetlinkError),
}

impl From<NetlinkError> for LinkError {
    fn from(error: NetlinkError) -> Self {
        Self::Netlink(error)
    }
}

struct Suggestion<'a>(&'a [String]);

impl fmt::Display for Suggestion<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " (did you mean {}?)", self.0.join(" or ")) }
    }
}

struct Listed<'a>(&'a [String]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("none") } else { f.write_str(&self.0.join(", ")) }
    }
}

/// Asks the kernel about interfaces. Keep it open for repeated reads.
#[derive(Debug)]
pub struct LinkReader {
    netlink: Netlink,
}

impl LinkReader {
    /// Opens the socket, in the network namespace of this thread.
    ///
    /// # Errors
    /// When the kernel refuses the socket.
    pub fn open() -> Result<Self, LinkError> {
        Ok(Self { netlink: Netlink::open(NETLINK_ROUTE)? })
    }

    /// The interfaces of the namespace, in order of index.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn list(&mut self) -> Result<Vec<LinkId>, LinkError> {
        let messages = self.netlink.dump(libc::RTM_GETLINK, &[0; IFINFOMSG_BYTES])?;
        let mut links: Vec<_> = messages.iter().filter_map(|message| parse_id(message)).collect();
        links.sort_by_key(|link| link.ifindex);
        Ok(links)
    }

    /// The interfaces of the namespace in order of index, with everything but their addresses.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn all(&mut self) -> Result<Vec<Link>, LinkError> {
        let mut request = vec![0; IFINFOMSG_BYTES];
        push_attribute(&mut request, libc::IFLA_EXT_MASK, &0u32.to_ne_bytes());
        let messages = self.netlink.dump(libc::RTM_GETLINK, &request)?;
        let mut links = messages.iter().map(|message| parse_link(message)).collect::<Result<Vec<_>, _>>()?;
        let mut routes = None;
        for link in links.iter_mut().filter(|link| link.bound_to_ifindex.is_none()) {
            let Some(remote) = link.details.remote else { continue };
            // Without a route nothing leaves.
            let routes = routes.get_or_insert_with(RouteReader::open).as_mut().ok();
            link.routed_to_ifindex = routes.and_then(|routes| routes.to(remote).ok()?.only_way_out());
        }
        links.sort_by_key(|link| link.ifindex);
        Ok(links)
    }

    /// One interface by its name, or another name it answers to; also as `ip link` prints it, `eth0@if12`.
    ///
    /// # Errors
    /// [`LinkError::NotFound`] says which there are, and which are named almost so.
    pub fn link(&mut self, name: &str) -> Result<Link, LinkError> {
        let links = self.list()?;
        let answers_to = |link: &LinkId, name: &str| link.alternative_names.iter().any(|other| other == name);
        let called = |name: &str| {
            let by_name = links.iter().find(|link| link.name == name);
            by_name.or_else(|| links.iter().find(|link| answers_to(link, name)))
        };
        let as_printed = || called(name.split_once('@')?.0);
        let Some(LinkId { ifindex, name, .. }) = called(name).or_else(as_printed) else {
            return Err(not_found(name, &links));
        };
        let mut link = parse_link(&self.get(*ifindex, name)?)?;
        link.addresses = self.addresses(*ifindex)?;
        Ok(link)
    }

    /// The addresses of an interface, both families. Empty also when there is no such interface.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn addresses(&mut self, ifindex: u32) -> Result<Vec<IpAddr>, LinkError> {
        let messages = self.netlink.dump(libc::RTM_GETADDR, &[0; IFADDRMSG_BYTES])?;
        Ok(messages
            .iter()
            .filter_map(|message| parse_address(message))
            .filter_map(|(of, address)| (of == ifindex).then_some(address))
            .collect())
    }

    /// The counters now: one request, one reply, no list (some 10 µs). One reply holds both name and counters, so they belong
    /// together; `RTM_GETSTATS` would be shorter, but does not say the name.
    ///
    /// # Errors
    /// [`LinkError::Gone`] and [`LinkError::Renamed`] where the interface is no longer what it was.
    pub fn counters(&mut self, ifindex: u32, name: &str) -> Result<LinkCounters, LinkError> {
        self.counters_and_mtu(ifindex, name).map(|(counters, _)| counters)
    }

    /// The counters of both directions now, as [`Self::counters`].
    ///
    /// # Errors
    /// As for [`Self::counters`].
    pub fn traffic(&mut self, ifindex: u32, name: &str) -> Result<LinkTraffic, LinkError> {
        let message = self.get(ifindex, name)?;
        let id = parse_id(&message).ok_or(NetlinkError::Malformed { missing: "interface name" })?;
        if id.name != name {
            return Err(LinkError::Renamed { name: name.to_owned(), ifindex, now: id.name });
        }
        let values = message.get(IFINFOMSG_BYTES..).unwrap_or_default();
        let missing = || NetlinkError::Malformed { missing: "IFLA_STATS64" };
        let stats = attribute(values, libc::IFLA_STATS64).ok_or_else(missing)?;
        Ok(LinkTraffic {
            tx: parse_counters(values).ok_or_else(missing)?,
            rx_packets: u64_at(stats, 0).ok_or_else(missing)?,
            rx_bytes: u64_at(stats, 16).ok_or_else(missing)?,
        })
    }

    /// The same, and the MTU at that moment, bytes (`IFLA_MTU`).
    ///
    /// # Errors
    /// As for [`Self::counters`].
    pub fn counters_and_mtu(
        &mut self,
        ifindex: u32,
        name: &str,
    ) -> Result<(LinkCounters, Option<u32>), LinkError> {
        let message = self.get(ifindex, name)?;
        let id = parse_id(&message).ok_or(NetlinkError::Malformed { missing: "interface name" })?;
        if id.name != name {
            return Err(LinkError::Renamed { name: name.to_owned(), ifindex, now: id.name });
        }
        let attributes = message.get(IFINFOMSG_BYTES..).unwrap_or_default();
        let counters =
            parse_counters(attributes).ok_or(NetlinkError::Malformed { missing: "IFLA_STATS64" })?;
        Ok((counters, attribute(attributes, libc::IFLA_MTU).and_then(|mtu| u32_at(mtu, 0))))
    }

    fn get(&mut self, ifindex: u32, name: &str) -> Result<Vec<u8>, LinkError> {
        let mut request = vec![0; IFINFOMSG_BYTES];
        request.splice(4..8, ifindex.to_ne_bytes());
        // No virtual functions: a card with hundreds of them would not fit a message.
        push_attribute(&mut request, libc::IFLA_EXT_MASK, &0u32.to_ne_bytes());
        self.netlink.get(libc::RTM_GETLINK, &request).map_err(|error| match error.errno() {
            Some(libc::ENODEV) => LinkError::Gone { name: name.to_owned(), ifindex },
            _ => error.into(),
        })
    }
}

/// False where the packets that the interface takes go on inside this machine (veth, lo, vlan, bond, bridge, tunnels, tun),
/// so that "hardware" only means "left this device whole". True for what a driver of a bus device made, with no
/// interface below. Read from `/sys` of the namespace.
#[must_use]
pub fn terminal(link: &Link) -> bool {
    terminal_in(Path::new("/sys/class/net"), link)
}

fn terminal_in(class_net: &Path, link: &Link) -> bool {
    let directory = class_net.join(&link.name);
    let has_lower = std::fs::read_dir(&directory).is_ok_and(|entries| {
        entries.flatten().any(|entry| entry.file_name().as_encoded_bytes().starts_with(b"lower_"))
    });
    // Drivers of bus devices name no kind, while netdevsim has a bus device and a kind.
    link.kind.is_none()
        && !link.loopback
        && link.below_ifindex.is_none()
        && !has_lower
        && directory.join("device").exists()
}

fn not_found(wanted: &str, links: &[LinkId]) -> LinkError {
    let there: Vec<String> = links.iter().map(|link| link.name.clone()).collect();
    let mut by_distance: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for name in &there {
        by_distance.entry(edit_distance(wanted, name)).or_default().push(name.clone());
    }
    // Names are short: two slips (a swap, or a wrong digit and a wrong letter) are near, three could be any other name.
    let near = by_distance.into_iter().next().filter(|(distance, _)| *distance <= 2).map(|(_, names)| names);
    LinkError::NotFound { wanted: wanted.to_owned(), near: near.unwrap_or_default(), there }
}

/// Levenshtein's, with letter case ignored.
fn edit_distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, from) in left.to_lowercase().chars().enumerate() {
        let mut diagonal = at;
        let mut before = at + 1;
        for (to, cell) in right.iter().zip(row.iter_mut().skip(1)) {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = *cell;
            before = replaced.min(*cell + 1).min(before + 1);
            *cell = before;
        }
        if let Some(first) = row.first_mut() {
            *first = at + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

pub(super) fn parse_id(message: &[u8]) -> Option<LinkId> {
    let values = message.get(IFINFOMSG_BYTES..)?;
    Some(LinkId {
        name: text(attribute(values, libc::IFLA_IFNAME)?),
        ifindex: u32_at(message, 4)?,
        alternative_names: attribute(values, libc::IFLA_PROP_LIST)
            .into_iter()
            .flat_map(attributes)
            .filter(|(kind, _)| *kind == libc::IFLA_ALT_IFNAME)
            .map(|(_, value)| text(value))
            .collect(),
    })
}

pub(super) fn parse_link(message: &[u8]) -> Result<Link, NetlinkError> {
    let LinkId { name, ifindex, alternative_names } =
        parse_id(message).ok_or(NetlinkError::Malformed { missing: "interface name" })?;
    let values = message.get(IFINFOMSG_BYTES..).unwrap_or_default();
    let number = |kind| attribute(values, kind).and_then(|value| u32_at(value, 0));
    let flags = u32_at(message, 8).unwrap_or_default();
    let flag = |flag: libc::c_int| flags & flag.cast_unsigned() != 0;
    let info = attribute(values, libc::IFLA_LINKINFO).unwrap_or_default();
    let kind = attribute(info, libc::IFLA_INFO_KIND).map(text);
    let data = attribute(info, libc::IFLA_INFO_DATA).unwrap_or_default();
    let kind_is = |kinds: &[&str]| kind.as_deref().is_some_and(|kind| kinds.contains(&kind));
    let received = |offset| {
        attribute(values, libc::IFLA_STATS64).and_then(|stats| u64_at(stats, offset)).unwrap_or_default()
    };
    Ok(Link {
        name,
        ifindex,
        alternative_names,
        bound_to_ifindex: bound_to(data, &kind_is).filter(|below| *below != 0),
        details: tunnels::parse(info).unwrap_or_default(),
        routed_to_ifindex: None,
        vlan_id: attribute(data, IFLA_VLAN_ID).filter(|_| kind_is(&["vlan"])).and_then(|id| u16_at(id, 0)),
        kind,
        loopback: flag(libc::IFF_LOOPBACK),
        up: flag(libc::IFF_UP),
        mtu: number(libc::IFLA_MTU).ok_or(NetlinkError::Malformed { missing: "IFLA_MTU" })?,
        gso_max_segs: number(libc::IFLA_GSO_MAX_SEGS),
        gso_max_size: number(libc::IFLA_GSO_MAX_SIZE),
        gso_ipv4_max_size: number(IFLA_GSO_IPV4_MAX_SIZE),
        tso_max_segs: number(libc::IFLA_TSO_MAX_SEGS),
        tso_max_size: number(libc::IFLA_TSO_MAX_SIZE),
        num_tx_queues: number(libc::IFLA_NUM_TX_QUEUES),
        operstate: attribute(values, libc::IFLA_OPERSTATE)
            .and_then(|value| value.first())
            .map_or(OperState::Unknown, |number| OperState::from_number(*number)),
        carrier: attribute(values, libc::IFLA_CARRIER)
            .and_then(|value| value.first())
            .map(|carrier| *carrier != 0),
        qdisc: attribute(values, libc::IFLA_QDISC).map(text),
        // The kernel leaves it out, or names the interface itself, where there is none below. In another namespace the same index is another
        // interface.
        below_ifindex: number(libc::IFLA_LINK)
            .filter(|below| *below != ifindex || number(libc::IFLA_LINK_NETNSID).is_some()),
        below_netnsid: number(libc::IFLA_LINK_NETNSID),
        master_ifindex: number(libc::IFLA_MASTER).filter(|master| *master != 0),
        hardware_address: attribute(values, libc::IFLA_ADDRESS).unwrap_or_default().to_vec(),
        // `struct rtnl_link_stats64`: rx_packets, tx_packets, rx_bytes, …
        rx_packets: received(0),
        rx_bytes: received(16),
        counters: parse_counters(values).ok_or(NetlinkError::Malformed { missing: "IFLA_STATS64" })?,
        addresses: Vec::new(),
    })
}

/// The interface that a tunnel's outer packets are bound to, from its `IFLA_INFO_DATA`. geneve and wireguard have no such binding.
fn bound_to(data: &[u8], kind_is: &dyn Fn(&[&str]) -> bool) -> Option<u32> {
    let kind = if kind_is(&["vxlan"]) {
        IFLA_VXLAN_LINK
    } else if kind_is(&[
        "ipip",
        "sit",
        "ip6tnl",
        "gre",
        "gretap",
        "ip6gre",
        "ip6gretap",
        "erspan",
        "ip6erspan",
    ]) {
        IFLA_TUNNEL_LINK
    } else {
        return None;
    };
    u32_at(attribute(data, kind)?, 0)
}

/// `linux/if_link.h`.
const IFLA_VLAN_ID: u16 = 1;
/// `linux/if_link.h`.
const IFLA_VXLAN_LINK: u16 = 3;
/// `linux/if_tunnel.h`: `IFLA_IPTUN_LINK` and `IFLA_GRE_LINK`.
const IFLA_TUNNEL_LINK: u16 = 1;

/// Since kernel 6.3, `linux/if_link.h`.
const IFLA_GSO_IPV4_MAX_SIZE: u16 = 63;

/// From the attributes of a link message: `struct rtnl_link_stats64`, whose later fields differ between kernels.
fn parse_counters(values: &[u8]) -> Option<LinkCounters> {
    let stats = attribute(values, libc::IFLA_STATS64)?;
    Some(LinkCounters {
        tx_packets: u64_at(stats, 8)?,
        tx_bytes: u64_at(stats, 24)?,
        tx_errors: u64_at(stats, 40)?,
        tx_dropped: u64_at(stats, 56)?,
    })
}

/// From an address message (`struct ifaddrmsg`): interface index and its own address there.
pub(super) fn parse_address(message: &[u8]) -> Option<(u32, IpAddr)> {
    let values = message.get(IFADDRMSG_BYTES..)?;
    // On a point-to-point link IFA_ADDRESS is the peer's, and IFA_LOCAL one's own; IPv6 often has the former alone.
    let address = attribute(values, libc::IFA_LOCAL).or_else(|| attribute(values, libc::IFA_ADDRESS))?;
    let address = match libc::c_int::from(*message.first()?) {
        libc::AF_INET => Ipv4Addr::from(array_at::<4>(address, 0)?).into(),
        libc::AF_INET6 => Ipv6Addr::from(array_at::<16>(address, 0)?).into(),
        _ => return None,
    };
    Some((u32_at(message, 4)?, address))
}

#[cfg(test)]
#[path = "links_tests.rs"]
mod tests;
