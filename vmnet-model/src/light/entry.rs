//! One lane's row of the light ledger.

use vmnet_common::{Class, Counters, Lane, Stage};

use super::payload;
use super::solve::{Extent, Solution};
use super::terms::{Distribution, Terms};
use crate::ledger::Entry;
use crate::tally::{Tally, bounded, cell, lane};

pub(super) fn of(
    counted: &Counters,
    of: Lane,
    terms: &Terms,
    solution: &Solution,
    distribution: &Distribution,
) -> Entry {
    let segmented = &solution.lanes[of as usize];
    // What a device above segmented comes in singles, and is software as well.
    let made_above = terms.single(Class::Made).payload_bytes;
    let dropped = terms.made_and_dropped.payload_bytes;
    let software = |segmented: u64| segmented.saturating_add(made_above).saturating_sub(dropped);
    let known = segmented.supers.payload_bytes.min(terms.supers.payload_bytes);
    let (least, most) = payload::segmented(&terms.supers, distribution, segmented.added);
    let (at_least, at_most) = match segmented.extent {
        Extent::Exact => (known, known),
        Extent::AtLeast => (known, most.max(known)),
        Extent::Between => (least, most),
    };
    let best = known.clamp(at_least, at_most);
    let payload = |class| terms.single(class).payload_bytes;
    let hardware_bytes = terms.supers.payload_bytes - best;
    let software_bytes = software(best);
    let unaggregated_bytes = payload(Class::Full) + payload(Class::LooseFull);
    let small_bytes = payload(Class::Small) + payload(Class::LooseSmall) + payload(Class::Control);
    let dropped_bytes = terms.dropped_payload_bytes;
    let left = hardware_bytes + software_bytes + unaggregated_bytes + small_bytes + dropped_bytes;
    let queue = lane(counted, Stage::Queue, of);
    let queued = Tally::of(counted, Stage::Queue, &[of]);
    let whole = terms.supers.packets.saturating_sub(segmented.supers.packets);
    let segments_made = (segmented.supers.segs + terms.single(Class::Made).packets)
        .saturating_sub(terms.made_and_dropped.packets);
    let singles = terms.packets() - terms.supers.packets - terms.single(Class::Made).packets;
    Entry {
        payload_bytes: left,
        hardware_bytes,
        software_bytes,
        unaggregated_bytes,
        small_bytes,
        dropped_bytes,
        pending_bytes: 0,
        retransmitted_bytes: None,
        super_packets_queued: cell(queue, Class::Super).packets,
        super_packets_to_driver: whole,
        packets_to_driver: whole + segments_made + singles,
        segments_made,
        control_packets: cell(queue, Class::Control).packets,
        median_gso_segs: None,
        tunnel_bytes: bounded(queue.tunnel_payload_bytes),
        forwarded_bytes: queued.forwarded_payload_bytes,
        method: solution.method,
        software_bytes_at_least: software(at_least),
        software_bytes_at_most: software(at_most),
    }
}
