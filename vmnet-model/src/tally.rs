//! Sums over the cells of the counters.

use vmnet_common::{Cell, Class, Counters, Lane, LaneCounts, Stage};

/// More than any window can hold (2⁵⁶ bytes are 72 PB). Counts from a damaged recording are cut to it, so that sums
/// of all cells cannot overflow.
pub(crate) const BEYOND_ANY_WINDOW: u64 = 1 << 56;

/// The lanes of TCP.
pub(crate) const TCP_LANES: [Lane; 2] = [Lane::Tcp4, Lane::Tcp6];

/// Lanes whose super-packets have one length of segment, so that lengths tell how many segments there are.
pub(crate) const TCP_AND_UDP_LANES: [Lane; 4] = [Lane::Tcp4, Lane::Tcp6, Lane::Udp4, Lane::Udp6];

pub(crate) fn bounded(count: u64) -> u64 {
    count.min(BEYOND_ANY_WINDOW)
}

pub(crate) fn lane(counters: &Counters, stage: Stage, lane: Lane) -> &LaneCounts {
    &counters.stages[stage as usize][lane as usize]
}

/// One cell, cut to what is possible.
pub(crate) fn cell(counts: &LaneCounts, class: Class) -> Cell {
    let cell = &counts.cells[class as usize];
    Cell {
        packets: bounded(cell.packets),
        bytes: bounded(cell.bytes),
        payload_bytes: bounded(cell.payload_bytes),
        segs: bounded(cell.segs),
    }
}

/// Σ over the classes of some lanes at one stage.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) payload_bytes: u64,
    pub(crate) segs: u64,
    pub(crate) forwarded_payload_bytes: u64,
    pub(crate) unsent_header_bytes: u64,
    pub(crate) tunnel_payload_bytes: u64,
    pub(crate) upper_payload_bytes: u64,
    pub(crate) tagged_packets: u64,
    pub(crate) tagged_segs: u64,
    /// What a driver that pads short frames (`eth_skb_pad`) may have added to them, at most.
    pub(crate) padding_bytes: u64,
}

/// `ETH_ZLEN`: no frame on a wire is shorter, but for its check sequence.
const SHORTEST_FRAME_BYTES: u64 = 60;
/// The shortest that there is to pad: ARP.
const ARP_BYTES: u64 = 42;

impl Tally {
    pub(crate) fn of(counters: &Counters, stage: Stage, lanes: &[Lane]) -> Self {
        let mut sum = Self::default();
        for &each in lanes {
            let counts = lane(counters, stage, each);
            for cell in &counts.cells {
                sum.packets = sum.packets.saturating_add(bounded(cell.packets));
                sum.bytes = sum.bytes.saturating_add(bounded(cell.bytes));
                sum.payload_bytes = sum.payload_bytes.saturating_add(bounded(cell.payload_bytes));
                sum.segs = sum.segs.saturating_add(bounded(cell.segs));
            }
            sum.forwarded_payload_bytes =
                sum.forwarded_payload_bytes.saturating_add(bounded(counts.forwarded_payload_bytes));
            sum.unsent_header_bytes =
                sum.unsent_header_bytes.saturating_add(bounded(counts.unsent_header_bytes));
            sum.tunnel_payload_bytes =
                sum.tunnel_payload_bytes.saturating_add(bounded(counts.tunnel_payload_bytes));
            sum.upper_payload_bytes =
                sum.upper_payload_bytes.saturating_add(bounded(counts.upper_payload_bytes));
            sum.tagged_packets = sum.tagged_packets.saturating_add(bounded(counts.tagged_packets));
            sum.tagged_segs = sum.tagged_segs.saturating_add(bounded(counts.tagged_segs));
            let control = cell(counts, Class::Control);
            let padding = match each {
                // Of all lengths, one beside the other.
                Lane::Other => control.packets.saturating_mul(SHORTEST_FRAME_BYTES - ARP_BYTES),
                _ => control.packets.saturating_mul(SHORTEST_FRAME_BYTES).saturating_sub(control.bytes),
            };
            sum.padding_bytes = sum.padding_bytes.saturating_add(padding);
        }
        sum
    }
}

/// `value` · `numerator` / `denominator`, rounded up, without overflow; 0 where there is no denominator.
pub(crate) fn scaled_up(value: u64, numerator: u64, denominator: u64) -> u64 {
    if denominator == 0 {
        return 0;
    }
    let product = u128::from(value) * u128::from(numerator);
    u64::try_from(product.div_ceil(u128::from(denominator))).unwrap_or(u64::MAX)
}
