//! Adding a packet to this CPU's counters.

use core::mem::offset_of;

use vmnet_common::{
    Cell, Counters, Forecast, InDriver, LANES, LEN_BUCKETS, Lane, LaneCounts, PerCpu, SEGS_BUCKETS, STAGES,
    Stage, bucket, bucket_upper,
};

use crate::{
    packet::Packet,
    per_cpu::{add, counters_of},
    verifier::{forget, opaque},
};

const STAGE_BYTES: usize = LANES * size_of::<LaneCounts>();

/// What a packet adds to a stage.
pub(crate) struct Entry {
    /// Offset of its [`Cell`] among the lanes of a stage.
    cell: u64,
    /// Offset of its [`LaneCounts`] there.
    row: u64,
    len: u64,
    payload: u64,
    segs: u64,
    unsent_header_bytes: u64,
    /// Of [`Packet::COUNTED`].
    flags: u32,
}

impl Entry {
    #[inline(always)]
    pub(crate) fn of(packet: &Packet) -> Self {
        let row = u64::from(packet.lane) * size_of::<LaneCounts>() as u64;
        Self {
            cell: row + u64::from(packet.class) * size_of::<Cell>() as u64,
            row,
            len: u64::from(packet.len),
            payload: u64::from(packet.payload),
            segs: u64::from(packet.segs),
            unsent_header_bytes: packet.unsent_header_bytes(),
            flags: packet.flags & Packet::COUNTED,
        }
    }

    #[inline(always)]
    pub(crate) fn kept(kept: &InDriver) -> Self {
        Self {
            cell: u64::from(kept.cell),
            row: u64::from(kept.row),
            len: u64::from(kept.len),
            payload: u64::from(kept.payload),
            segs: u64::from(kept.segs),
            unsent_header_bytes: kept.unsent_header_bytes,
            flags: u32::from(kept.flags),
        }
    }

    /// Writes all but the addresses of the skb and its device.
    #[inline(always)]
    pub(crate) fn keep(&self, kept: &mut InDriver, len_bucket: u16) {
        kept.len = self.len as u32;
        kept.payload = self.payload as u32;
        kept.segs = self.segs as u32;
        kept.cell = self.cell as u16;
        kept.row = self.row as u16;
        kept.flags = self.flags as u16;
        kept.len_bucket = len_bucket;
        kept.unsent_header_bytes = self.unsent_header_bytes;
    }
}

/// Counts a packet at a stage.
#[inline(always)]
pub(crate) fn account(counters: *mut Counters, stage: Stage, entry: &Entry) {
    let cell_offset = opaque(entry.cell);
    if cell_offset > (STAGE_BYTES - size_of::<Cell>()) as u64 {
        return;
    }
    const { assert!(STAGES == 4 && STAGE_BYTES <= u16::MAX as usize) };
    let lanes =
        counters.cast::<u8>().wrapping_add(offset_of!(Counters, stages) + stage as usize * STAGE_BYTES);
    let cell = lanes.wrapping_add(cell_offset as usize).cast::<Cell>();
    // SAFETY: the offset was checked to lie within the stage's lanes, with room for a cell behind it.
    unsafe {
        (*cell).packets += 1;
        (*cell).bytes += entry.len;
        (*cell).payload_bytes += entry.payload;
        (*cell).segs += entry.segs;
    }
    if u64::from(entry.flags) | entry.unsent_header_bytes != 0 {
        account_to_lane(counters, lanes, entry);
    }
}

/// What is counted by lane alone, and seldom there at all.
#[inline(always)]
fn account_to_lane(counters: *mut Counters, lanes: *mut u8, entry: &Entry) {
    let row_offset = opaque(entry.row);
    if row_offset > (STAGE_BYTES - size_of::<LaneCounts>()) as u64 {
        return;
    }
    let row = lanes.wrapping_add(row_offset as usize).cast::<LaneCounts>();
    // SAFETY: as in `account`, with room for a row.
    unsafe {
        (*row).unsent_header_bytes += entry.unsent_header_bytes;
        if entry.flags == 0 {
            return;
        }
        if entry.flags & Packet::TUNNEL != 0 {
            (*row).tunnel_payload_bytes += entry.payload;
        }
        if entry.flags & Packet::FORWARDED != 0 {
            (*row).forwarded_payload_bytes += entry.payload;
        }
        if entry.flags & Packet::TAGGED != 0 {
            (*row).tagged_packets += 1;
            (*row).tagged_segs += entry.segs;
        }
    }
    if entry.flags & Packet::UNREADABLE != 0 {
        add!(counters, health.unreadable, 1);
    }
}

/// Counts a super-packet at the queue whose device lacks a feature that it needs.
#[inline(always)]
pub(crate) fn account_forecast(counters: *mut Counters, packet: &Packet) {
    const ALL: usize = LANES * size_of::<Forecast>();
    let offset = opaque(u64::from(packet.lane) * size_of::<Forecast>() as u64);
    if offset > (ALL - size_of::<Forecast>()) as u64 {
        return;
    }
    let forecast = counters.cast::<u8>().wrapping_add(offset_of!(Counters, forecast));
    let forecast = forecast.wrapping_add(offset as usize).cast::<Forecast>();
    // SAFETY: as in `account`.
    unsafe {
        (*forecast).packets += 1;
        (*forecast).segs += u64::from(packet.segs);
        (*forecast).payload_bytes += u64::from(packet.payload);
        (*forecast).unsent_header_bytes += packet.unsent_header_bytes();
    }
}

/// Counts TCP payload at the queue that comes from a device above.
#[inline(always)]
pub(crate) fn account_from_above(counters: *mut Counters, packet: &Packet) {
    let payload = u64::from(packet.payload);
    // SAFETY: as for `add!`; the lane is a constant in each branch.
    unsafe {
        let queue = &raw mut (*counters).stages[Stage::Queue as usize];
        if packet.lane == Lane::Tcp4 as u32 {
            (*queue)[Lane::Tcp4 as usize].upper_payload_bytes += payload;
        } else {
            (*queue)[Lane::Tcp6 as usize].upper_payload_bytes += payload;
        }
    }
}

/// Whether a packet belongs into the size histograms.
#[inline(always)]
pub(crate) fn is_tcp_data(packet: &Packet) -> bool {
    packet.payload != 0 && packet.is_tcp()
}

/// The bucket of a length; the last also takes what is longer.
#[inline(always)]
pub(crate) fn len_bucket(len: u32) -> u16 {
    const MOST: u32 = bucket_upper(LEN_BUCKETS - 1) as u32 - 1;
    bucket(u64::from(len.min(MOST))) as u16
}

/// The bucket of a number of segments, likewise.
#[inline(always)]
fn segs_bucket(segs: u32) -> u16 {
    const MOST: u32 = bucket_upper(SEGS_BUCKETS - 1) as u32 - 1;
    bucket(u64::from(segs.min(MOST))) as u16
}

/// Adds a number of segments to the histogram of all, and to that of IPv6.
#[inline(always)]
pub(crate) fn record_segs(per_cpu: *mut PerCpu, packet: &Packet) {
    let bucket = segs_bucket(packet.segs);
    record::<SEGS_BUCKETS>(per_cpu, offset_of!(Counters, queued_segs), bucket);
    if packet.lane == Lane::Tcp6 as u32 {
        record::<SEGS_BUCKETS>(per_cpu, offset_of!(Counters, queued_segs_tcp6), bucket);
    }
}

/// Adds one to a bucket of lengths. `histogram` is the offset of its array in [`Counters`].
#[inline(always)]
pub(crate) fn record_len(per_cpu: *mut PerCpu, histogram: usize, bucket: u16) {
    record::<LEN_BUCKETS>(per_cpu, histogram, bucket);
}

/// Adds one to a bucket, if it is one. A bound that is compared and not clamped to is what verifiers up to 6.1 follow.
#[inline(always)]
fn record<const BUCKETS: usize>(per_cpu: *mut PerCpu, histogram: usize, bucket: u16) {
    // How it was found has sixteen ways.
    // SAFETY: the pointer came from the per-CPU map, whose value is a `PerCpu`.
    let index = u64::from(forget(u32::from(bucket), unsafe { &raw mut (*per_cpu).forgotten[0][0] }));
    if index >= BUCKETS as u64 {
        return;
    }
    let slot =
        counters_of(per_cpu).cast::<u8>().wrapping_add(histogram).cast::<u64>().wrapping_add(index as usize);
    // SAFETY: the index was just bounded by the array's length.
    unsafe { *slot += 1 };
}
