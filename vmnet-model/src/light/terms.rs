//! The terms of the light ledger's equation, lane by lane: what was queued, without what was dropped.

use vmnet_common::{Caller, Class, Counters, Forecast, LEN_BUCKETS, Lane, SEGS_BUCKETS, Split, Stage};

use crate::tally::{bounded, cell, lane};

/// Classes of packets that are one wire segment.
const SINGLES: [Class; 6] =
    [Class::Made, Class::Full, Class::Small, Class::Control, Class::LooseFull, Class::LooseSmall];

/// What a VLAN tag adds to a packet.
pub(crate) const VLAN_TAG_BYTES: u64 = 4;

/// A number of skbs with their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) packets: u64,
    /// `skb->len`.
    pub(crate) bytes: u64,
    pub(crate) payload_bytes: u64,
}

/// Super-packets, and what segmenting all of them would add.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Supers {
    pub(crate) packets: u64,
    /// Wire segments that they are worth.
    pub(crate) segs: u64,
    /// Σ (segments − 1) · header.
    pub(crate) header_bytes: u64,
    pub(crate) payload_bytes: u64,
}

/// One lane at the queue, in one window. What the qdisc or the driver dropped counts in none of it.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    /// Singles by class.
    singles: [Amount; SINGLES.len()],
    pub(crate) supers: Supers,
    /// `skb->len` of the super-packets.
    pub(super) supers_bytes: u64,
    /// Segments that were made here and then dropped.
    pub(crate) made_and_dropped: Amount,
    /// All payload dropped.
    pub(crate) dropped_payload_bytes: u64,
    /// Segmentation for this device, where functions are hooked.
    pub(crate) split: Split,
    /// Of the super-packets queued, those that need a feature which the device lacked.
    pub(crate) forecast: Supers,
    /// Super-packets of the forecast of which it is not known whether they were dropped.
    pub(crate) forecast_uncertain: Supers,
    /// Packets to which the CPU adds a VLAN tag on their way, and their segments. Of what was dropped there are none.
    pub(crate) tagged: (u64, u64),
}

impl Supers {
    /// Packets that segmenting all of them adds.
    pub(crate) fn added_packets(&self) -> u64 {
        self.segs.saturating_sub(self.packets)
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            packets: self.packets.saturating_add(other.packets),
            segs: self.segs.saturating_add(other.segs),
            header_bytes: self.header_bytes.saturating_add(other.header_bytes),
            payload_bytes: self.payload_bytes.saturating_add(other.payload_bytes),
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            packets: self.packets.saturating_sub(other.packets),
            segs: self.segs.saturating_sub(other.segs),
            header_bytes: self.header_bytes.saturating_sub(other.header_bytes),
            payload_bytes: self.payload_bytes.saturating_sub(other.payload_bytes),
        }
    }

    fn foreseen(forecast: &Forecast) -> Self {
        Self {
            packets: bounded(forecast.packets),
            segs: bounded(forecast.segs),
            header_bytes: bounded(forecast.unsent_header_bytes),
            payload_bytes: bounded(forecast.payload_bytes),
        }
    }
}

impl Terms {
    pub(crate) fn of(counted: &Counters, of: Lane) -> Self {
        let queue = lane(counted, Stage::Queue, of);
        let dropped_at = [Stage::Dropped, Stage::DriverDropped].map(|stage| lane(counted, stage, of));
        let dropped = |class| {
            dropped_at.iter().map(|counts| cell(counts, class)).fold(Amount::default(), |sum, cell| Amount {
                packets: sum.packets + cell.packets,
                bytes: sum.bytes + cell.bytes,
                payload_bytes: sum.payload_bytes + cell.payload_bytes,
            })
        };
        let mut made_and_dropped = Amount::default();
        let singles = SINGLES.map(|class| {
            let (queued, dropped) = (cell(queue, class), dropped(class));
            // More dropped than queued: segments of super-packets, which are of the same class.
            made_and_dropped.packets += dropped.packets.saturating_sub(queued.packets);
            made_and_dropped.bytes += dropped.bytes.saturating_sub(queued.bytes);
            made_and_dropped.payload_bytes += dropped.payload_bytes.saturating_sub(queued.payload_bytes);
            Amount {
                packets: queued.packets.saturating_sub(dropped.packets),
                bytes: queued.bytes.saturating_sub(dropped.bytes),
                payload_bytes: queued.payload_bytes.saturating_sub(dropped.payload_bytes),
            }
        });
        let queued_supers = cell(queue, Class::Super);
        let dropped_supers = dropped_at.iter().fold(Supers::default(), |sum, counts| {
            let whole = cell(counts, Class::Super);
            sum.plus(Supers {
                packets: whole.packets,
                segs: whole.segs,
                header_bytes: bounded(counts.unsent_header_bytes),
                payload_bytes: whole.payload_bytes,
            })
        });
        let all = Supers {
            packets: queued_supers.packets,
            segs: queued_supers.segs,
            header_bytes: bounded(queue.unsent_header_bytes),
            payload_bytes: queued_supers.payload_bytes,
        };
        let foreseen = Supers::foreseen(&counted.forecast[of as usize]);
        let (forecast, forecast_uncertain) = if foreseen.packets == 0 {
            (foreseen, Supers::default())
        } else if foreseen.packets == all.packets {
            (foreseen.minus(dropped_supers), Supers::default())
        } else {
            (foreseen, dropped_supers)
        };
        Self {
            singles,
            supers: all.minus(dropped_supers),
            supers_bytes: queued_supers.bytes.saturating_sub(dropped(Class::Super).bytes),
            made_and_dropped,
            dropped_payload_bytes: SINGLES.map(|class| dropped(class).payload_bytes).iter().sum::<u64>()
                + dropped(Class::Super).payload_bytes,
            split: bounded_split(&counted.segmentation.splits[Caller::Device as usize][of as usize]),
            forecast,
            forecast_uncertain,
            tagged: dropped_at.iter().fold(
                (bounded(queue.tagged_packets), bounded(queue.tagged_segs)),
                |(packets, segs), dropped| {
                    (packets.saturating_sub(dropped.tagged_packets), segs.saturating_sub(dropped.tagged_segs))
                },
            ),
        }
    }

    /// What the tags weigh that the CPU adds, if these super-packets are segmented: each segment gets one, and the segmentation hook
    /// counts those beyond the first of each.
    pub(crate) fn tag_bytes(&self, segmented: &Supers) -> u64 {
        let all_segmented = segmented.packets != 0 && segmented.packets == self.supers.packets;
        let counted_by_hook = self.split.calls != 0;
        VLAN_TAG_BYTES * if all_segmented && !counted_by_hook { self.tagged.1 } else { self.tagged.0 }
    }

    /// The part of the headers that segmentation added which is tags: those that its hook counted.
    pub(crate) fn tag_bytes_in_headers(&self, segmented: &Supers) -> u64 {
        let tags = self.tagged.1.saturating_sub(self.tagged.0).min(segmented.added_packets());
        if self.split.calls != 0 { tags.saturating_mul(VLAN_TAG_BYTES) } else { 0 }
    }

    /// Singles of one class.
    pub(crate) fn single(&self, class: Class) -> Amount {
        let place = SINGLES.iter().position(|single| *single == class);
        place.map_or_else(Amount::default, |place| self.singles[place])
    }

    /// skbs that the driver gets if it gets each super-packet whole.
    pub(crate) fn packets(&self) -> u64 {
        self.singles.iter().map(|single| single.packets).sum::<u64>() + self.supers.packets
    }

    /// Their bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.singles.iter().map(|single| single.bytes).sum::<u64>() + self.supers_bytes
    }

    /// Wire segments: super-packets by what they are worth.
    pub(crate) fn segs(&self) -> u64 {
        self.singles.iter().map(|single| single.packets).sum::<u64>() + self.supers.segs
    }
}

fn bounded_split(split: &Split) -> Split {
    Split {
        calls: bounded(split.calls),
        segs: bounded(split.segs),
        bytes_in: bounded(split.bytes_in),
        bytes_out: bounded(split.bytes_out),
        payload_bytes: bounded(split.payload_bytes),
        loose_payload_bytes: bounded(split.loose_payload_bytes),
        loose_segs: bounded(split.loose_segs),
        ns: bounded(split.ns),
    }
}

/// How a lane's super-packets at the queue are distributed.
#[derive(Clone, Debug)]
pub(crate) struct Distribution {
    /// Super-packets by the bucket of their segments.
    pub(crate) segs: [u64; SEGS_BUCKETS],
    /// The smallest and the largest `gso_size` there was, as far as buckets tell.
    pub(crate) gso_size: (u64, u64),
}

impl Distribution {
    /// Of one lane. Those of UDP are in no histogram.
    pub(crate) fn of(counted: &Counters, lane: Lane, mtu: u64) -> Self {
        let six = &counted.queued_segs_tcp6;
        let mut segs = [0; SEGS_BUCKETS];
        match lane {
            Lane::Tcp4 => {
                for (place, count) in segs.iter_mut().enumerate() {
                    *count = counted.queued_segs[place].saturating_sub(six[place]);
                }
            }
            Lane::Tcp6 => segs = *six,
            Lane::Udp4 | Lane::Udp6 | Lane::Other => {}
        }
        // Packets of one segment are no super-packets.
        segs.iter_mut().take(2).for_each(|count| *count = 0);
        segs.iter_mut().for_each(|count| *count = bounded(*count));
        Self { segs, gso_size: gso_sizes(&counted.queued_gso_size, mtu) }
    }
}

/// Where sizes were not counted: any that fits the MTU.
fn gso_sizes(histogram: &[u64; LEN_BUCKETS], mtu: u64) -> (u64, u64) {
    let first = histogram.iter().position(|count| *count != 0);
    let last = histogram.iter().rposition(|count| *count != 0);
    match (first, last) {
        (Some(first), Some(last)) => (
            vmnet_common::bucket_lower(first).max(1),
            vmnet_common::bucket_upper(last).saturating_sub(1).min(mtu.max(1)),
        ),
        _ => (1, mtu.max(1)),
    }
}
