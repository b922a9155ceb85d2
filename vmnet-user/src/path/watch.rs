//! Counting at all devices of a way at once: the programs, and each device's own counters at the same instants.

use std::{net::IpAddr, time::Instant};

use vmnet_common::{AtDevice, SLOTS, Watch, WatchedDevice};

use super::{
    way::{Side, Stop},
    world::World,
};
use crate::{
    device::links::LinkTraffic,
    probes::path::{PathProbes, PathSnapshot},
};

/// The stops that are watched, by slot: those that packets must pass before those that they may.
pub(super) fn slots(stops: &[Stop]) -> Vec<usize> {
    let sending = |certain: bool| {
        let wanted =
            move |(_, stop): &(usize, &Stop)| stop.side == Side::Transmit && stop.is_certain == certain;
        stops.iter().enumerate().filter(wanted).map(|(index, _)| index)
    };
    let mut slots: Vec<usize> = sending(true).chain(sending(false)).take(SLOTS).collect();
    slots.sort_unstable();
    slots
}

/// What the programs are told.
pub(super) fn watch(stops: &[Stop], slots: &[usize]) -> Watch {
    let mut watch = Watch { devices: [WatchedDevice::default(); SLOTS], count: 0, unused: 0 };
    for (device, stop) in watch.devices.iter_mut().zip(slots.iter().filter_map(|slot| stops.get(*slot))) {
        let (version, destination) = as_in_a_packet(stop.destination);
        *device = WatchedDevice {
            netns_inum: u32::try_from(stop.inode).unwrap_or_default(),
            ifindex: stop.ifindex,
            version,
            unused: 0,
            destination,
        };
        watch.count += 1;
    }
    watch
}

fn as_in_a_packet(address: Option<IpAddr>) -> (u32, [u32; 4]) {
    match address {
        None => (0, [0; 4]),
        Some(IpAddr::V4(address)) => (4, [u32::from_ne_bytes(address.octets()), 0, 0, 0]),
        Some(IpAddr::V6(address)) => {
            let mut words = [0; 4];
            for (word, bytes) in words.iter_mut().zip(address.octets().chunks_exact(4)) {
                *word = bytes.try_into().map_or(0, u32::from_ne_bytes);
            }
            (6, words)
        }
    }
}

/// Everything at one moment: each device's counters before and after the programs' are read.
pub(super) struct Reading {
    before: Vec<Option<LinkTraffic>>,
    pub(super) counted: PathSnapshot,
    after: Vec<Option<LinkTraffic>>,
    qdisc_drops: Vec<u64>,
}

impl Reading {
    pub(super) fn take(
        world: &mut World,
        stops: &[Stop],
        probes: Option<&PathProbes>,
    ) -> anyhow::Result<Self> {
        let qdisc_drops = stops.iter().map(|stop| qdisc_drops(world, stop)).collect();
        let before = traffic(world, stops);
        let counted = probes.map_or_else(|| Ok(PathSnapshot::empty()), PathProbes::snapshot)?;
        let after = traffic(world, stops);
        Ok(Self { before, counted, after, qdisc_drops })
    }

    /// Whether nothing moved since another one.
    pub(super) fn is_same(&self, earlier: &Self) -> bool {
        self.after == earlier.after && self.counted.devices == earlier.counted.devices
    }
}

fn traffic(world: &mut World, stops: &[Stop]) -> Vec<Option<LinkTraffic>> {
    let mut of = |stop: &Stop| world.place(stop.inode)?.reader.traffic(stop.ifindex, &stop.name).ok();
    stops.iter().map(&mut of).collect()
}

/// Where a qdisc counts them; those of `noqueue` are the device's.
fn qdisc_drops(world: &mut World, stop: &Stop) -> u64 {
    let mut of = || {
        let tree = world.place(stop.inode)?.qdiscs.as_mut()?.read(stop.ifindex).ok()?;
        Some(tree.counters?.drops)
    };
    if stop.side == Side::Transmit { of().unwrap_or(0) } else { 0 }
}

/// One stop's part of a window.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Part {
    pub(super) counted: AtDevice,
    /// None where it could not be read at both ends.
    pub(super) own: Option<Difference>,
}

/// Of counters.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Difference {
    pub(super) packets: u64,
    pub(super) bytes: u64,
    pub(super) dropped: u64,
    /// Packets between the readings on both sides of the programs', at both ends.
    pub(super) moving: u64,
}

/// What happened between two readings, stop by stop.
fn parts(stops: &[Stop], slots: &[usize], from: &Reading, to: &Reading) -> Vec<Part> {
    let part = |index: usize, stop: &Stop| {
        let slot = slots.iter().position(|slot| *slot == index);
        let at = |reading: &Reading| slot.and_then(|slot| reading.counted.devices.get(slot).copied());
        let counted = at(to).zip(at(from)).map(|(to, from)| to.since(&from)).unwrap_or_default();
        Part { counted, own: difference(index, stop, from, to) }
    };
    stops.iter().enumerate().map(|(index, stop)| part(index, stop)).collect()
}

fn difference(index: usize, stop: &Stop, from: &Reading, to: &Reading) -> Option<Difference> {
    let at = |of: &[Option<LinkTraffic>]| of.get(index).copied().flatten();
    let [began, begun, ending, ended] =
        [at(&from.before)?, at(&from.after)?, at(&to.before)?, at(&to.after)?];
    let count = |traffic: &LinkTraffic| match stop.side {
        Side::Transmit => (traffic.tx.tx_packets, traffic.tx.tx_bytes),
        Side::Receive => (traffic.rx_packets, traffic.rx_bytes),
    };
    let since = |to: u64, from: u64| to.wrapping_sub(from);
    let moved = |to: &LinkTraffic, from: &LinkTraffic| since(count(to).0, count(from).0);
    let drops = |reading: &Reading| reading.qdisc_drops.get(index).copied().unwrap_or(0);
    Some(Difference {
        packets: since(count(&ended).0, count(&begun).0),
        bytes: since(count(&ended).1, count(&begun).1),
        dropped: since(ended.tx.tx_dropped, begun.tx.tx_dropped)
            .saturating_add(drops(to).saturating_sub(drops(from))),
        moving: moved(&begun, &began).saturating_add(moved(&ended, &ending)),
    })
}

impl Part {
    fn add(&mut self, other: &Self) {
        self.counted.add(&other.counted);
        // What could not be read in one window is not known of the whole.
        self.own = self.own.zip(other.own).map(|(sum, term)| Difference {
            packets: sum.packets.saturating_add(term.packets),
            bytes: sum.bytes.saturating_add(term.bytes),
            dropped: sum.dropped.saturating_add(term.dropped),
            moving: sum.moving.saturating_add(term.moving),
        });
    }
}

/// The sum over windows.
pub(super) fn over_windows(stops: &[Stop], slots: &[usize], windows: &[(Reading, Reading)]) -> Vec<Part> {
    let each = windows.iter().map(|(from, to)| parts(stops, slots, from, to));
    let sum = |mut sum: Vec<Part>, terms: Vec<Part>| {
        sum.iter_mut().zip(&terms).for_each(|(sum, term)| sum.add(term));
        sum
    };
    each.reduce(sum).unwrap_or_else(|| vec![Part::default(); stops.len()])
}

impl Reading {
    /// Packets of one segment at all queues since an earlier one.
    pub(super) fn singles_since(&self, earlier: &Self) -> u64 {
        let pairs = self.counted.devices.iter().zip(&earlier.counted.devices);
        pairs.fold(0, |sum, (to, from)| sum.saturating_add(to.since(from).all.singles))
    }

    /// When the programs were read.
    pub(super) fn at(&self) -> Instant {
        self.counted.at
    }
}
