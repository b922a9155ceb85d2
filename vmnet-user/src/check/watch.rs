//! What the counters of the interface and of those below it say, at one moment and over a time.

use std::time::Instant;

use super::stack::Level;
use crate::{
    device::{
        links::{LinkError, LinkReader},
        qdisc::QdiscReader,
    },
    model::checked::Pause,
};

/// The counters of one level, summed over its devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) driver_packets: u64,
    /// Drops and errors of device and qdisc.
    pub(super) lost_packets: u64,
}

/// All levels at one moment.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    at: Instant,
    levels: Vec<Counted>,
}

impl Reading {
    /// What was counted since `earlier`, level by level.
    pub(super) fn since<'a>(&'a self, earlier: &'a Self) -> impl Iterator<Item = Counted> + 'a {
        self.levels.iter().zip(&earlier.levels).map(|(now, then)| Counted {
            driver_packets: now.driver_packets.wrapping_sub(then.driver_packets),
            lost_packets: now.lost_packets.wrapping_sub(then.lost_packets),
        })
    }

    pub(super) fn seconds_since(&self, earlier: &Self) -> f64 {
        self.at.duration_since(earlier.at).as_secs_f64()
    }

    /// The time between the two as a pause, level by level.
    pub(super) fn pause_since<'a>(&'a self, earlier: &'a Self) -> impl Iterator<Item = Pause> + 'a {
        let duration_s = self.seconds_since(earlier);
        self.since(earlier).map(move |counted| Pause { driver_packets: counted.driver_packets, duration_s })
    }

    /// Whether nothing was counted between the two, at any level.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.levels == other.levels
    }
}

/// Reads counters. Sockets to the kernel stay open.
#[derive(Debug)]
pub(super) struct Watch {
    links: LinkReader,
    /// None where qdiscs cannot be read: then their drops are not known.
    qdiscs: Option<QdiscReader>,
}

impl Watch {
    pub(super) fn new(links: LinkReader) -> Self {
        Self { links, qdiscs: QdiscReader::open().ok() }
    }

    pub(super) fn read(&mut self, levels: &[Level]) -> Result<Reading, LinkError> {
        let mut counted = Vec::with_capacity(levels.len());
        for level in levels {
            let mut sum = Counted::default();
            for device in &level.devices {
                let link = self.links.counters(device.ifindex, &device.name)?;
                let qdisc = self.qdiscs.as_mut().and_then(|reader| reader.read(device.ifindex).ok());
                let drops = qdisc.and_then(|tree| tree.counters).map_or(0, |counters| counters.drops);
                sum.driver_packets = sum.driver_packets.wrapping_add(link.tx_packets);
                sum.lost_packets = [link.tx_dropped, link.tx_errors, drops]
                    .into_iter()
                    .fold(sum.lost_packets, u64::wrapping_add);
            }
            counted.push(sum);
        }
        Ok(Reading { at: Instant::now(), levels: counted })
    }
}
