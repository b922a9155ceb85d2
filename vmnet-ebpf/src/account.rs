//! Adding a packet to this CPU's counters.

use core::mem::offset_of;

use vmnet_common::{
    Cell, Class, Counters, LANES, LEN_BUCKETS, Lane, LaneCounts, SEGS_BUCKETS, STAGES, Stage, bucket,
};

use crate::{COUNTERS, memory::opaque, packet::Packet};

/// This CPU's counters.
#[inline(always)]
pub(crate) fn counters() -> Option<*mut Counters> {
    COUNTERS.get_ptr_mut(0)
}

/// Adds to one field of [`Counters`].
macro_rules! add {
    ($counters:expr, $($field:ident).+, $amount:expr) => {{
        let amount: u64 = $amount;
        // SAFETY: the pointer came from the per-CPU map, whose value is a `Counters`; only this CPU writes it.
        unsafe { (*$counters).$($field).+ = (*$counters).$($field).+.wrapping_add(amount) }
    }};
}
pub(crate) use add;

const STAGE_BYTES: u64 = (LANES * size_of::<LaneCounts>()) as u64;

/// Counts a packet at a stage.
#[inline(always)]
pub(crate) fn account(counters: *mut Counters, stage: Stage, packet: &Packet) {
    let row_offset = u64::from(packet.lane) * size_of::<LaneCounts>() as u64;
    let cell_offset = opaque(row_offset + u64::from(packet.class) * size_of::<Cell>() as u64);
    let row_offset = opaque(row_offset);
    if cell_offset >= STAGE_BYTES || row_offset >= STAGE_BYTES {
        return;
    }
    let first = offset_of!(Counters, stages) + stage as usize * (size_of::<[LaneCounts; LANES]>());
    const { assert!(STAGES == 4) };
    let base = counters.cast::<u8>();
    let cell = base.wrapping_add(first).wrapping_add(cell_offset as usize).cast::<Cell>();
    // SAFETY: both offsets were checked to lie within the stage's rows, and a row or cell fits behind its offset.
    unsafe {
        (*cell).packets += 1;
        (*cell).bytes += u64::from(packet.len);
        (*cell).payload_bytes += u64::from(packet.payload);
        (*cell).segs += u64::from(packet.segs);
    }
    let row = base.wrapping_add(first).wrapping_add(row_offset as usize).cast::<LaneCounts>();
    if packet.flags != 0 {
        // SAFETY: as above.
        unsafe {
            if packet.is(Packet::TUNNEL) {
                (*row).tunnel_payload_bytes += u64::from(packet.payload);
            }
            if packet.is(Packet::FORWARDED) {
                (*row).forwarded_payload_bytes += u64::from(packet.payload);
            }
        }
        if packet.is(Packet::TAGGED) {
            // SAFETY: as above.
            unsafe {
                (*row).tagged_packets += 1;
                (*row).tagged_segs += u64::from(packet.segs);
            }
        }
        if packet.is(Packet::UNREADABLE) {
            add!(counters, health.unreadable, 1);
        }
    }
    if packet.class == Class::Super as u32 {
        let unsent = u64::from(packet.segs.saturating_sub(1)) * u64::from(packet.header);
        // SAFETY: as above.
        unsafe { (*row).unsent_header_bytes += unsent };
    }
}

/// Counts TCP payload at the queue that was sent before, that comes from above, or both.
#[inline(always)]
pub(crate) fn account_origin(counters: *mut Counters, packet: &Packet, sent_before: bool, from_above: bool) {
    let payload = u64::from(packet.payload);
    // SAFETY: as for `add!`; the lane is a constant in each branch.
    unsafe {
        let queue = &raw mut (*counters).stages[Stage::Queue as usize];
        let row = if packet.lane == Lane::Tcp4 as u32 {
            &raw mut (*queue)[Lane::Tcp4 as usize]
        } else {
            &raw mut (*queue)[Lane::Tcp6 as usize]
        };
        if sent_before {
            (*row).retransmitted_payload_bytes += payload;
        }
        if from_above {
            (*row).upper_payload_bytes += payload;
            if sent_before {
                (*row).upper_retransmitted_payload_bytes += payload;
            }
        }
    }
}

/// Whether a packet belongs into the size histograms.
#[inline(always)]
pub(crate) fn is_tcp_data(packet: &Packet) -> bool {
    packet.payload != 0 && (packet.lane == Lane::Tcp4 as u32 || packet.lane == Lane::Tcp6 as u32)
}

/// Adds a length to a histogram, given as the offset of its array in [`Counters`].
#[inline(always)]
pub(crate) fn record_len(counters: *mut Counters, histogram: usize, value: u32) {
    record::<LEN_BUCKETS>(counters, histogram, value);
}

/// Adds a number of segments to a histogram.
#[inline(always)]
pub(crate) fn record_segs(counters: *mut Counters, histogram: usize, value: u32) {
    record::<SEGS_BUCKETS>(counters, histogram, value);
}

#[inline(always)]
fn record<const BUCKETS: usize>(counters: *mut Counters, histogram: usize, value: u32) {
    let mut index = opaque(bucket(u64::from(value)) as u64);
    if index >= BUCKETS as u64 {
        index = BUCKETS as u64 - 1;
    }
    let slot = counters.cast::<u8>().wrapping_add(histogram).cast::<u64>().wrapping_add(index as usize);
    // SAFETY: the index was just bounded by the array's length.
    unsafe { *slot += 1 };
}
