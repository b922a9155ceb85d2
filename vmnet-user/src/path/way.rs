//! The way that packets take, as routes, forwarding tables and the stacks of devices tell it beforehand. What cannot be known (a port that a
//! bridge has yet to learn, which of several routes a flow takes) is a fork: all of it is watched, and what carries nothing falls away.

use std::{collections::BTreeSet, net::IpAddr};

use super::world::{Place, World};
use crate::device::{
    links::Link,
    routes::{Route, WayOut},
};

/// More places are not walked: by then it goes round in a circle.
const MOST_PLACES: usize = 48;

/// A device that packets pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stop {
    /// Its namespace.
    pub(super) inode: u64,
    /// Its index there.
    pub(super) ifindex: u32,
    /// Its name.
    pub(super) name: String,
    /// Which way they pass it.
    pub(super) side: Side,
    /// The stop before, by its place in the list.
    pub(super) after: Option<usize>,
    /// Whose packets pass: the innermost destination that can be seen here, where one is known.
    pub(super) destination: Option<IpAddr>,
    /// The port of a bridge, or of a bond.
    pub(super) port_of: Option<String>,
    /// Whether IPsec encrypted them on the way here.
    pub(super) is_encrypted: bool,
    /// Whether they must pass here, as far as can be known.
    pub(super) is_certain: bool,
}

/// How packets pass a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// They are sent by it.
    Transmit,
    /// They come in by it.
    Receive,
}

/// The whole of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Way {
    /// Each behind the one that it comes after.
    pub(super) stops: Vec<Stop>,
    /// What is not known of it.
    pub(super) notes: Vec<String>,
    /// Why it ends before its destination, where it does.
    pub(super) breaks_off: Option<String>,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum WayError {
    #[error("no route to {destination} from namespace {namespace}: {cause}")]
    NoRoute { destination: IpAddr, namespace: String, cause: String },
    #[error(
        "{destination} is this machine's own address in namespace {namespace}: packets for it leave by no device; from where is it sent? Name that namespace with --netns"
    )]
    Own { destination: IpAddr, namespace: String },
    #[error(
        "{destination} is a broadcast or multicast address in namespace {namespace}: name an address of one machine"
    )]
    Many { destination: IpAddr, namespace: String },
    #[error("the namespace of this process cannot be read")]
    NotHere,
}

/// Packets on their way.
#[derive(Clone, Debug)]
struct Going {
    inode: u64,
    ifindex: u32,
    side: Side,
    after: Option<usize>,
    /// By which the next route is found; None where an interface was asked for and no destination.
    to: Option<IpAddr>,
    from: Option<IpAddr>,
    /// The link-layer address that they carry.
    hardware_address: Option<Vec<u8>>,
    /// The innermost destination that can be seen.
    seen_as: Option<IpAddr>,
    /// IPsec encrypted them.
    is_encrypted: bool,
    /// No fork lies before.
    is_certain: bool,
}

impl Going {
    /// Where a way begins.
    fn first(inode: u64, ifindex: u32, side: Side, to: Option<IpAddr>) -> Self {
        Self {
            inode,
            ifindex,
            side,
            after: None,
            to,
            from: None,
            hardware_address: None,
            seen_as: to,
            is_encrypted: false,
            is_certain: true,
        }
    }
}

/// To a destination, from the namespace of this process.
pub(super) fn to(world: &mut World, destination: IpAddr, stays: bool) -> Result<Way, WayError> {
    let own = world.own();
    let place = world.place(own).ok_or(WayError::NotHere)?;
    let route = place.routes.to(destination).map_err(|cause| WayError::NoRoute {
        destination,
        namespace: place.name.clone(),
        cause: cause.to_string(),
    })?;
    if route.is_local {
        return Err(WayError::Own { destination, namespace: place.name.clone() });
    }
    if route.is_to_many {
        return Err(WayError::Many { destination, namespace: place.name.clone() });
    }
    let mut walk = Walk { only: stays.then_some(own), ..Walk::default() };
    let going = Going { from: route.source, ..Going::first(own, 0, Side::Transmit, Some(destination)) };
    walk.leave_by(place, &route, &going, destination);
    walk.waiting.reverse();
    walk.walk_on(world);
    Ok(walk.way)
}

/// To a destination, for packets that come in by an interface of this process's namespace: a guest's tap, a router's port.
pub(super) fn incoming(
    world: &mut World,
    ifindex: u32,
    destination: IpAddr,
    stays: bool,
) -> Result<Way, WayError> {
    let own = world.own();
    world.place(own).ok_or(WayError::NotHere)?;
    let mut walk = Walk { only: stays.then_some(own), ..Walk::default() };
    walk.waiting.push(Going::first(own, ifindex, Side::Receive, Some(destination)));
    walk.walk_on(world);
    Ok(walk.way)
}

/// From an interface of this process's namespace on.
pub(super) fn from(world: &mut World, ifindex: u32, stays: bool) -> Result<Way, WayError> {
    let own = world.own();
    world.place(own).ok_or(WayError::NotHere)?;
    let mut walk = Walk { only: stays.then_some(own), ..Walk::default() };
    walk.waiting.push(Going::first(own, ifindex, Side::Transmit, None));
    walk.walk_on(world);
    Ok(walk.way)
}

#[derive(Default)]
struct Walk {
    way: Way,
    /// The next at the end.
    waiting: Vec<Going>,
    been: BTreeSet<(u64, u32, bool)>,
    /// The one namespace that is not left, where one is not.
    only: Option<u64>,
}

impl Walk {
    fn walk_on(&mut self, world: &mut World) {
        while let Some(going) = self.waiting.pop() {
            if self.way.stops.len() >= MOST_PLACES {
                self.note(format!("the way is followed for {MOST_PLACES} devices"));
                return;
            }
            if !self.been.insert((going.inode, going.ifindex, going.side == Side::Transmit)) {
                continue;
            }
            if self.only.is_some_and(|only| only != going.inode) {
                continue;
            }
            let Some(place) = world.place(going.inode) else {
                self.note("it leads into a network namespace that cannot be entered".to_owned());
                continue;
            };
            let Some(link) = place.link(going.ifindex).cloned() else { continue };
            let port_of = link.master_ifindex.and_then(|master| place.link(master)).and_then(|master| {
                let kind = master.kind.as_deref().unwrap_or_default();
                matches!(kind, "bridge" | "bond" | "team").then(|| format!("{kind} port"))
            });
            self.way.stops.push(Stop {
                inode: going.inode,
                ifindex: going.ifindex,
                name: link.name.clone(),
                side: going.side,
                after: going.after,
                destination: going.seen_as,
                port_of,
                is_encrypted: going.is_encrypted,
                is_certain: going.is_certain,
            });
            let here = Going { after: Some(self.way.stops.len() - 1), ..going };
            let known = self.waiting.len();
            match here.side {
                Side::Transmit => self.transmitted(world, &link, here),
                Side::Receive => self.received(world, &link, here),
            }
            // One way to its end, then the next.
            self.waiting.get_mut(known..).unwrap_or_default().reverse();
        }
    }

    fn break_off(&mut self, why: String) {
        self.way.breaks_off.get_or_insert_with(|| why.clone());
        self.note(why);
    }

    fn note(&mut self, note: String) {
        if !self.way.notes.contains(&note) {
            self.way.notes.push(note);
        }
    }

    fn go(&mut self, going: &Going, inode: u64, ifindex: u32, side: Side) {
        self.waiting.push(Going { inode, ifindex, side, ..going.clone() });
    }

    /// What is behind a device that packets are sent by.
    fn transmitted(&mut self, world: &mut World, link: &Link, here: Going) {
        let Some(place) = world.place(here.inode) else { return };
        let details = place.details(link.ifindex);
        match link.kind.as_deref().unwrap_or_default() {
            "veth" | "netkit" | "vxcan" => match (place.of_lower(link), link.below_ifindex) {
                (Some(inode), Some(peer)) => self.go(&here, inode, peer, Side::Receive),
                _ => self.note(format!(
                    "the other end of {} is in a network namespace that cannot be found",
                    link.name
                )),
            },
            "bridge" => self.bridged(world, link.ifindex, None, here),
            "bond" | "team" => {
                let ports = ports_of(place, link.ifindex);
                match details.active_port {
                    Some(port) => self.go(&here, here.inode, port, Side::Transmit),
                    None => ports.iter().for_each(|port| self.go(&here, here.inode, *port, Side::Transmit)),
                }
            }
            "vxlan" | "geneve" | "gre" | "gretap" | "erspan" | "ip6gre" | "ip6gretap" | "ip6erspan"
            | "ipip" | "sit" | "ip6tnl" => {
                let remote = details
                    .remote
                    .or_else(|| place.neighbours().remote(link.ifindex, here.hardware_address.as_deref()));
                self.tunnelled(world, link, remote, &here, false);
            }
            "wireguard" => {
                let remote = here.to.and_then(|to| place.endpoint(link.ifindex, to));
                self.tunnelled(world, link, remote, &here, true);
            }
            "xfrm" => {
                let policy = here.to.and_then(|to| place.policy(details.xfrm_if_id?, to, here.from));
                let remote = policy.and_then(|policy| policy.remote);
                let here = Going { is_encrypted: true, ..here };
                self.tunnelled(world, link, remote, &here, true);
            }
            "vrf" => {}
            "macvlan" | "macvtap" | "ipvlan" | "ipvtap" | "vlan" | "macsec" => {
                let (Some(inode), Some(lower)) = (place.of_lower(link), link.below_ifindex) else {
                    self.note(format!(
                        "the device below {} is in a network namespace that cannot be found",
                        link.name
                    ));
                    return;
                };
                // What goes to another one on the same device turns round before it.
                let here = Going { is_certain: here.is_certain && !details.turns_round, ..here };
                self.go(&here, inode, lower, Side::Transmit);
            }
            _ => {}
        }
    }

    /// What is behind a device that packets come in by.
    fn received(&mut self, world: &mut World, link: &Link, here: Going) {
        let Some(place) = world.place(here.inode) else { return };
        let master = link.master_ifindex.and_then(|master| place.link(master)).cloned();
        match master.as_ref().map(|master| (master, master.kind.as_deref().unwrap_or_default())) {
            Some((bridge, "bridge")) => self.bridged(world, bridge.ifindex, Some(link.ifindex), here),
            Some((bond, "bond" | "team")) => {
                let inode = here.inode;
                self.go(&here, inode, bond.ifindex, Side::Receive);
            }
            _ => self.routed(world, link.ifindex, here),
        }
    }

    /// By a bridge, to the port that it knows for the address, else to all others than `came_by`.
    fn bridged(&mut self, world: &mut World, bridge: u32, came_by: Option<u32>, here: Going) {
        let Some(place) = world.place(here.inode) else { return };
        let known = here.hardware_address.as_ref();
        let known = known.and_then(|address| place.neighbours().port(bridge, address)).cloned();
        // The bridge's own address may be told by its device alone.
        let own = place.link(bridge).map(|link| link.hardware_address.clone());
        let is_own = known.as_ref().is_some_and(|entry| entry.is_own)
            || (here.hardware_address.is_some() && here.hardware_address == own);
        let ports = ports_of(place, bridge);
        match known {
            _ if is_own && came_by.is_some() => self.routed(world, bridge, here),
            Some(entry) if ports.contains(&entry.ifindex) && Some(entry.ifindex) != came_by => {
                let inode = here.inode;
                self.go(&here, inode, entry.ifindex, Side::Transmit);
            }
            _ => {
                let forks: Vec<u32> = ports.into_iter().filter(|port| Some(*port) != came_by).collect();
                // With no address to go by, they may also be for the machine itself. One way alone is no fork.
                let is_for_itself = here.hardware_address.is_none() && came_by.is_some();
                let is_certain = here.is_certain && forks.len() == 1 && !is_for_itself;
                let here = Going { is_certain, ..here };
                for port in forks {
                    self.go(&here, here.inode, port, Side::Transmit);
                }
                if is_for_itself {
                    self.routed(world, bridge, here);
                }
            }
        }
    }

    /// To where the namespace's routes say, for packets that came in by an interface.
    fn routed(&mut self, world: &mut World, came_by: u32, here: Going) {
        let Some(place) = world.place(here.inode) else { return };
        let Some(to) = here.to else { return self.anywhere(place, came_by, here) };
        let forwarded = here.from.map(|from| place.routes.forwarded(to, from, came_by));
        // What the kernel refuses to forward is known by its route all the same.
        let route = match forwarded {
            Some(Ok(route)) => Ok(route),
            _ => place.routes.to(to),
        };
        match route {
            Ok(route) if route.is_local => {}
            Ok(route) => self.leave_by(place, &route, &here, to),
            Err(cause) => {
                self.break_off(format!("no route to {to} from namespace {}: {cause}", place.name));
            }
        }
    }

    /// By every other interface that is up: no destination tells which.
    fn anywhere(&mut self, place: &Place, came_by: u32, here: Going) {
        let here = Going { is_certain: false, ..here };
        let is_way_out = |link: &&Link| {
            link.up && !link.loopback && link.ifindex != came_by && link.master_ifindex.is_none()
        };
        for link in place.links.iter().filter(is_way_out) {
            self.go(&here, here.inode, link.ifindex, Side::Transmit);
        }
    }

    fn leave_by(&mut self, place: &mut Place, route: &Route, going: &Going, to: IpAddr) {
        let policy = place.policy(0, to, going.from).filter(|_| !going.is_encrypted);
        let remote = policy.map(|policy| policy.remote);
        let going = Going { is_encrypted: going.is_encrypted || remote.is_some(), ..going.clone() };
        // In a tunnel of IPsec's they go where its other end is, and nothing inside can be seen.
        if let Some(Some(remote)) = remote {
            match place.routes.to(remote) {
                Ok(outside) => {
                    let going =
                        Going { to: Some(remote), seen_as: Some(remote), from: outside.source, ..going };
                    self.leave_as_routed(place, &outside, &going, remote);
                }
                Err(cause) => {
                    self.break_off(format!("no route to {remote}, the other end of IPsec's tunnel: {cause}"));
                }
            }
            return;
        }
        self.leave_as_routed(place, route, &going, to);
    }

    fn leave_as_routed(&mut self, place: &Place, route: &Route, going: &Going, to: IpAddr) {
        let is_certain = going.is_certain && route.ways.len() == 1;
        for WayOut { ifindex, gateway } in &route.ways {
            let hardware_address = place.hardware_address(*ifindex, gateway.unwrap_or(to));
            let going = Going { hardware_address, is_certain, ..going.clone() };
            self.go(&going, going.inode, *ifindex, Side::Transmit);
        }
    }

    /// Into another packet, which goes its own way.
    fn tunnelled(
        &mut self,
        world: &mut World,
        link: &Link,
        remote: Option<IpAddr>,
        here: &Going,
        is_encrypted: bool,
    ) {
        let inode = world.place(here.inode).and_then(|place| place.of_lower(link));
        let Some(place) = inode.and_then(|inode| world.place(inode)) else {
            self.note(format!("{} sends by a network namespace that cannot be found", link.name));
            return;
        };
        let seen_as = if is_encrypted { remote } else { here.seen_as };
        let outside = Going {
            inode: place.inode,
            to: remote,
            from: None,
            hardware_address: None,
            seen_as,
            ..here.clone()
        };
        let Some(remote) = remote else {
            self.note(format!(
                "where {} sends to is not known: every interface beside it is watched",
                link.name
            ));
            return self.anywhere(place, link.ifindex, outside);
        };
        match place.routes.to(remote) {
            Ok(route) => {
                let outside = Going { from: route.source, ..outside };
                self.leave_by(place, &route, &outside, remote);
            }
            Err(cause) => {
                self.break_off(format!("no route to {remote}, the other end of {}: {cause}", link.name));
            }
        }
    }
}

fn ports_of(place: &Place, master: u32) -> Vec<u32> {
    let is_port = |link: &&Link| link.master_ifindex == Some(master) && link.up;
    place.links.iter().filter(is_port).map(|link| link.ifindex).collect()
}
