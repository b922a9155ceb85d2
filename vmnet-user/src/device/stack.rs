//! Which devices stand above and below an interface, in its network namespace.

use std::collections::{BTreeSet, VecDeque};

use super::links::Link;
use crate::model::machine::Relation;

/// Kinds whose `IFLA_LINK` is the other end and not what is below.
const PAIRED_KINDS: [&str; 3] = ["veth", "netkit", "vxcan"];
/// Kinds that send what they encapsulate by whatever route it has, unless they are bound to a device.
const TUNNEL_KINDS: [&str; 13] = [
    "vxlan",
    "geneve",
    "wireguard",
    "gre",
    "gretap",
    "erspan",
    "ip6gre",
    "ip6gretap",
    "ip6erspan",
    "ipip",
    "sit",
    "ip6tnl",
    "bareudp",
];
/// More steps than this are not walked; the kernel allows 8 (`MAX_NEST_DEV`).
const MOST_STEPS: u32 = 16;

/// A device that stands somewhere around the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour<'a> {
    /// Where.
    pub relation: Relation,
    /// Steps away, from 1.
    pub distance: u32,
    /// Which.
    pub link: &'a Link,
}

/// What stands above the interface, then below it, then its peer, each nearest first; then tunnels that may be routed through it.
///
/// Known are vlan, macvlan and what else has an `IFLA_LINK`; ports of bonds, bridges, teams, VRFs (`IFLA_MASTER`); and tunnels bound to a
/// device, or routed by one alone. Of other tunnels (wireguard, a vxlan for everybody) the way can be another with each packet.
#[must_use]
pub fn around(links: &[Link], ifindex: u32) -> Vec<Neighbour<'_>> {
    let mut found = walk(links, ifindex, Relation::Above, above);
    found.extend(walk(links, ifindex, Relation::Below, |links, link| {
        links.iter().filter(|lower| is_above(link, lower)).collect()
    }));
    if let Some(own) = links.iter().find(|link| link.ifindex == ifindex && is_paired(link)) {
        let peer =
            links.iter().find(|link| own.below_netnsid.is_none() && Some(link.ifindex) == own.below_ifindex);
        found.extend(peer.map(|link| Neighbour { relation: Relation::Peer, distance: 1, link }));
    }
    let is_routed = |link: &&Link| link.up && link.ifindex != ifindex && has_any_way_out(link);
    let routed = links.iter().filter(is_routed);
    found.extend(routed.map(|link| Neighbour { relation: Relation::Routed, distance: 1, link }));
    found
}

fn has_any_way_out(link: &Link) -> bool {
    link.bound_to_ifindex.or(link.routed_to_ifindex).is_none() && is_tunnel(link)
}

/// Whether it puts packets into packets of its own.
#[must_use]
pub fn is_tunnel(link: &Link) -> bool {
    link.kind.as_deref().is_some_and(|kind| TUNNEL_KINDS.contains(&kind))
}

fn walk<'a>(
    links: &'a [Link],
    ifindex: u32,
    relation: Relation,
    next_to: impl Fn(&'a [Link], &'a Link) -> Vec<&'a Link>,
) -> Vec<Neighbour<'a>> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::from([ifindex]);
    let mut waiting: VecDeque<(u32, &Link)> =
        links.iter().filter(|link| link.ifindex == ifindex).map(|link| (0, link)).collect();
    while let Some((distance, from)) = waiting.pop_front() {
        if distance == MOST_STEPS {
            break;
        }
        for link in next_to(links, from) {
            if seen.insert(link.ifindex) {
                found.push(Neighbour { relation, distance: distance + 1, link });
                waiting.push_back((distance + 1, link));
            }
        }
    }
    found
}

fn above<'a>(links: &'a [Link], lower: &'a Link) -> Vec<&'a Link> {
    links.iter().filter(|link| is_above(link, lower)).collect()
}

fn is_above(upper: &Link, lower: &Link) -> bool {
    let below = Some(lower.ifindex);
    lower.master_ifindex == Some(upper.ifindex)
        || upper.bound_to_ifindex.or(upper.routed_to_ifindex) == below
        || (upper.below_ifindex == below && upper.below_netnsid.is_none() && !is_paired(upper))
}

fn is_paired(link: &Link) -> bool {
    link.kind.as_deref().is_some_and(|kind| PAIRED_KINDS.contains(&kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{links::OperState, tunnels::Details};
    use crate::model::link_counters::LinkCounters;

    fn link(ifindex: u32, kind: Option<&str>) -> Link {
        Link {
            name: format!("dev{ifindex}"),
            ifindex,
            alternative_names: Vec::new(),
            kind: kind.map(str::to_owned),
            loopback: false,
            up: true,
            mtu: 1500,
            gso_max_segs: None,
            gso_max_size: None,
            gso_ipv4_max_size: None,
            tso_max_segs: None,
            tso_max_size: None,
            num_tx_queues: None,
            operstate: OperState::Up,
            carrier: Some(true),
            qdisc: None,
            below_ifindex: None,
            below_netnsid: None,
            master_ifindex: None,
            bound_to_ifindex: None,
            details: Details::default(),
            routed_to_ifindex: None,
            vlan_id: None,
            hardware_address: Vec::new(),
            rx_packets: 0,
            rx_bytes: 0,
            counters: LinkCounters::default(),
            addresses: Vec::new(),
        }
    }

    fn on(ifindex: u32, kind: &str, below: u32) -> Link {
        Link { below_ifindex: Some(below), ..link(ifindex, Some(kind)) }
    }

    fn places(links: &[Link], ifindex: u32) -> Vec<(Relation, u32, u32)> {
        around(links, ifindex)
            .iter()
            .map(|found| (found.relation, found.distance, found.link.ifindex))
            .collect()
    }

    #[test]
    fn a_bond_with_a_vlan_in_a_bridge_is_walked_to_the_top_and_to_the_bottom() {
        let bond = link(3, Some("bond"));
        let port = Link { master_ifindex: Some(3), ..link(2, None) };
        let other_port = Link { master_ifindex: Some(3), ..link(6, None) };
        let vlan = Link { master_ifindex: Some(5), ..on(4, "vlan", 3) };
        let bridge = link(5, Some("bridge"));
        let links = [link(1, None), port, bond, vlan, bridge, other_port];
        use Relation::{Above, Below};
        assert_eq!(places(&links, 2), [(Above, 1, 3), (Above, 2, 4), (Above, 3, 5)]);
        assert_eq!(places(&links, 5), [(Below, 1, 4), (Below, 2, 3), (Below, 3, 2), (Below, 3, 6)]);
        assert_eq!(places(&links, 3), [(Above, 1, 4), (Above, 2, 5), (Below, 1, 2), (Below, 1, 6)]);
        assert_eq!(places(&links, 1), []);
    }

    #[test]
    fn a_vxlan_bound_to_the_interface_or_routed_by_it_alone_is_above_it() {
        let bound = Link { bound_to_ifindex: Some(2), ..link(3, Some("vxlan")) };
        let routed = Link { routed_to_ifindex: Some(2), ..link(3, Some("vxlan")) };
        for vxlan in [bound, routed] {
            let links = [link(2, None), vxlan];
            assert_eq!(places(&links, 2), [(Relation::Above, 1, 3)]);
            assert_eq!(places(&links, 3), [(Relation::Below, 1, 2)]);
        }
    }

    #[test]
    fn a_tunnel_whose_way_is_not_known_may_go_out_by_any() {
        let links = [
            link(2, None),
            link(3, Some("vxlan")),
            link(4, Some("wireguard")),
            Link { bound_to_ifindex: Some(9), ..link(5, Some("gre")) },
            Link { up: false, ..link(6, Some("ipip")) },
        ];
        assert_eq!(places(&links, 2), [(Relation::Routed, 1, 3), (Relation::Routed, 1, 4)]);
        assert_eq!(places(&links, 3), [(Relation::Routed, 1, 4)]);
    }

    #[test]
    fn the_other_end_of_a_veth_is_its_peer_and_only_where_it_is_in_this_namespace() {
        let links = [on(2, "veth", 3), on(3, "veth", 2)];
        assert_eq!(places(&links, 2), [(Relation::Peer, 1, 3)]);
        let elsewhere = [Link { below_netnsid: Some(0), ..on(2, "veth", 3) }, link(3, None)];
        assert_eq!(places(&elsewhere, 2), []);
        assert_eq!(places(&elsewhere, 3), []);
    }

    #[test]
    fn a_vlan_whose_device_is_in_another_namespace_is_on_none_of_this_one() {
        let links = [link(2, None), Link { below_netnsid: Some(0), ..on(5, "macvlan", 2) }];
        assert_eq!(places(&links, 2), []);
    }

    #[test]
    fn a_ring_that_no_kernel_would_make_ends() {
        assert_eq!(places(&[on(2, "vlan", 3), on(3, "vlan", 2)], 2).len(), 2);
    }
}
