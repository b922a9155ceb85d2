//! Tracepoint `net:net_dev_queue` once more, for `vmnet path`: what passes the queue of each of up to [`SLOTS`] devices.
//!
//! A program of its own: the ledger's would look for a device in a table and keep a struct for each, which its users have no need of, and
//! here nothing is told of a single packet but that it passed. Where a device segments, those behind it see a packet for each segment, so
//! that what is done for one of them is what counts.

use core::mem::offset_of;

use aya_ebpf::{
    macros::{btf_tracepoint, kprobe, raw_tracepoint},
    programs::{BtfTracePointContext, ProbeContext, RawTracePointContext},
};
use vmnet_common::{
    AtDevice, Caller, Class, Foreseen, Lane, OnTheWay, Passed, PerCpu, REFUSALS, SLOTS, Watch, WatchedDevice,
};

use crate::{
    ON_THE_WAY, WATCH,
    config::{gso_bits, offset},
    hooks::empty::empty,
    memory::{CopyOf, Direct, Memory, Probed, field, read},
    packet::{Packet, innermost, parse},
    per_cpu::per_cpu,
    refused::why,
    verifier::{forget, opaque},
};

#[btf_tracepoint(function = "net_dev_queue")]
fn path_queue(ctx: BtfTracePointContext) -> i32 {
    queued::<Direct>(ctx.arg(0));
    0
}

#[raw_tracepoint(tracepoint = "net_dev_queue")]
fn path_queue_raw(ctx: RawTracePointContext) -> i32 {
    queued::<Probed>(ctx.arg(0));
    0
}

#[kprobe(function = "__dev_queue_xmit")]
fn path_queue_kprobe(ctx: ProbeContext) -> u32 {
    if let Some(skb) = ctx.arg(0) {
        queued::<Probed>(skb);
    }
    0
}

empty! {
    tp_btf empty_path_queue "net_dev_queue";
    raw_tp empty_path_queue_raw "net_dev_queue";
    kprobe empty_path_queue_kprobe "__dev_queue_xmit";
}

#[inline(always)]
fn queued<M: Memory>(skb: *const u8) {
    let device: *const u8 = M::load(skb, offset!(skb_dev));
    let Some(slot) = slot::<M>(device) else { return };
    let Some(per_cpu) = per_cpu() else { return };
    let Some(slot) = forgotten(slot, per_cpu) else { return };
    let Some(counts) = counts_of(slot) else { return };
    let Some(skb) = M::skb(skb, CopyOf::Transmit) else { return };
    let len: u32 = field(skb, offset!(skb_len));
    let ours = is_ours::<M>(skb, slot, len);
    if gso_size::<M>(skb) == 0 {
        // SAFETY: `counts_of` gave a pointer into the per-CPU map.
        unsafe {
            add_single(&raw mut (*counts).all, len);
            if ours {
                add_single(&raw mut (*counts).ours, len);
            }
        }
        return;
    }
    let packet = parse::<M>(skb, device, per_cpu, CopyOf::Transmit);
    // SAFETY: as above.
    unsafe {
        add_super(&raw mut (*counts).all, &packet);
        if ours {
            add_super(&raw mut (*counts).ours, &packet);
            if packet.lane == Lane::Tcp6 as u32 {
                (*counts).tcp6_payload_bytes += u64::from(packet.payload);
            }
        }
    }
    foresee::<M>(counts, skb, device, &packet, ours);
}

/// One field of [`WATCH`]. Volatile, or LLVM would fold in what the object carries.
macro_rules! watch {
    ($($field:tt)+) => {
        // SAFETY: the field is part of a static that lives as long as the program.
        unsafe { core::ptr::read_volatile(&raw const WATCH.$($field)+) }
    };
}

/// Which of the watched devices it is. The verifier knows how many there are and takes the rest out.
#[inline(always)]
pub(crate) fn slot<M: Memory>(device: *const u8) -> Option<u32> {
    if device.is_null() {
        return None;
    }
    let ifindex: u32 = M::load(device, offset!(dev_ifindex));
    let net: *const u8 = M::load(device, offset!(dev_net));
    if net.is_null() {
        return None;
    }
    // By helper a look is dear: most packets of a machine are those of other devices, and an index alone tells most of them.
    let mut inum = 0;
    let mut is_read = false;
    macro_rules! try_slots {
        ($($slot:literal)*) => {$(
            if $slot < watch!(count) && ifindex == watch!(devices[$slot].ifindex) {
                if !is_read {
                    inum = M::load::<u32>(net, offset!(net_inum));
                    is_read = true;
                }
                if inum == watch!(devices[$slot].netns_inum) {
                    return Some($slot);
                }
            }
        )*};
    }
    const { assert!(SLOTS == 16) };
    try_slots!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    None
}

/// The same slot, of which the verifier knows no more than that it is one.
#[inline(always)]
pub(crate) fn forgotten(slot: u32, per_cpu: *mut PerCpu) -> Option<u32> {
    // SAFETY: the pointer came from the per-CPU map, whose value is a `PerCpu`.
    let place = unsafe { &raw mut (*per_cpu).forgotten[0][0] };
    let slot = opaque(u64::from(forget(slot, place)));
    (slot < SLOTS as u64).then_some(slot as u32)
}

/// This CPU's counts of a device.
#[inline(always)]
pub(crate) fn counts_of(slot: u32) -> Option<*mut AtDevice> {
    const ALL: usize = size_of::<OnTheWay>();
    let all = ON_THE_WAY.get_ptr_mut(0)?;
    let offset = opaque(u64::from(slot) * size_of::<AtDevice>() as u64);
    if offset > (ALL - size_of::<AtDevice>()) as u64 {
        return None;
    }
    Some(all.cast::<u8>().wrapping_add(offset as usize).cast())
}

/// `gso_size`, of what [`Memory::skb`] gave.
#[inline(always)]
fn gso_size<M: Memory>(skb: *const u8) -> u16 {
    let head: u64 = field(skb, offset!(skb_head));
    let end: u32 = field(skb, offset!(skb_end));
    let at = head.wrapping_add(u64::from(end)).wrapping_add(u64::from(offset!(shinfo_gso_size)));
    let mut gso_size = 0_u16;
    if M::loads_from_head() {
        gso_size = field(at as *const u8, 0);
    } else {
        _ = read(&raw mut gso_size, at as *const u16);
    }
    gso_size
}

/// Whether its innermost IP header names the destination that the device is watched for.
#[inline(always)]
pub(crate) fn is_ours<M: Memory>(skb: *const u8, slot: u32, len: u32) -> bool {
    let at = opaque(u64::from(slot) * size_of::<WatchedDevice>() as u64);
    if at > (size_of::<[WatchedDevice; SLOTS]>() - size_of::<WatchedDevice>()) as u64 {
        return false;
    }
    let base = opaque(&raw const WATCH as u64) as *const u8;
    let watched = base.wrapping_add(offset_of!(Watch, devices)).wrapping_add(at as usize);
    let version: u32 = field(watched, offset_of!(WatchedDevice, version) as u32);
    if version == 0 {
        return true;
    }
    let head: u64 = field(skb, offset!(skb_head));
    let data: u64 = field(skb, offset!(skb_data));
    let (network, _) = innermost(skb, head, len.wrapping_add(data.wrapping_sub(head) as u32));
    let header = head.wrapping_add(u64::from(network));
    let wanted =
        |word: u32| -> u32 { field(watched, offset_of!(WatchedDevice, destination) as u32 + word * 4) };
    if version == 4 {
        let [first, destination] = [word::<M>(header), word::<M>(header.wrapping_add(16))];
        return (first & 0xf0 == 0x40) && destination == wanted(0);
    }
    (word::<M>(header) & 0xf0 == 0x60)
        && word::<M>(header.wrapping_add(36)) == wanted(3)
        && word::<M>(header.wrapping_add(32)) == wanted(2)
        && word::<M>(header.wrapping_add(28)) == wanted(1)
        && word::<M>(header.wrapping_add(24)) == wanted(0)
}

/// Four bytes behind `skb->head`, as they lie there. The first byte is the lowest on a little-endian machine, which all are that this runs on.
#[inline(always)]
fn word<M: Memory>(at: u64) -> u32 {
    let mut word = 0_u32;
    if M::loads_from_head() {
        word = field(at as *const u8, 0);
    } else {
        _ = read(&raw mut word, at as *const u32);
    }
    word
}

/// # Safety
/// `passed` points into the per-CPU map.
#[inline(always)]
unsafe fn add_single(passed: *mut Passed, len: u32) {
    // SAFETY: as promised.
    unsafe {
        (*passed).singles += 1;
        (*passed).single_bytes += u64::from(len);
    }
}

/// # Safety
/// `passed` points into the per-CPU map.
#[inline(always)]
unsafe fn add_super(passed: *mut Passed, packet: &Packet) {
    // SAFETY: as promised.
    unsafe {
        (*passed).super_packets += 1;
        (*passed).segments += u64::from(packet.segs);
        (*passed).payload_bytes += u64::from(packet.payload);
        (*passed).unsent_header_bytes += packet.unsent_header_bytes();
        (*passed).super_bytes += u64::from(packet.len);
    }
}

/// Counts a super-packet by what its device will refuse it for, as far as device and packet decide it: the rule of `__skb_gso_segment`, asked as
/// if no segmentation were allowed. What then comes last in the rule is what nothing here foresees.
#[inline(always)]
fn foresee<M: Memory>(counts: *mut AtDevice, skb: *const u8, device: *const u8, packet: &Packet, ours: bool) {
    const ALL: usize = REFUSALS * size_of::<Foreseen>();
    if packet.class != Class::Super as u32 {
        return;
    }
    let refusal = why::<M>(skb, device, packet, gso_bits().checksum, Caller::Device);
    let offset = opaque(refusal as u64 * size_of::<Foreseen>() as u64);
    if offset > (ALL - size_of::<Foreseen>()) as u64 {
        return;
    }
    let add = |array: usize| {
        let foreseen = counts.cast::<u8>().wrapping_add(array).wrapping_add(offset as usize);
        // SAFETY: the offset was checked to lie within the array, with room for an element behind it.
        unsafe { add_foreseen(foreseen.cast(), packet.segs, packet.payload) };
    };
    add(offset_of!(AtDevice, foreseen));
    if ours {
        add(offset_of!(AtDevice, ours_foreseen));
    }
}

/// # Safety
/// `foreseen` points into the per-CPU map.
#[inline(always)]
pub(crate) unsafe fn add_foreseen(foreseen: *mut Foreseen, segments: u32, payload: u32) {
    // SAFETY: as promised.
    unsafe {
        (*foreseen).packets += 1;
        (*foreseen).segments += u64::from(segments);
        (*foreseen).payload_bytes += u64::from(payload);
    }
}
