//! `__skb_gso_segment(skb, features, tx_path)`, entry and exit: software segmentation, its segments, its cost and its reason.

use core::num::NonZero;

use aya_ebpf::{
    helpers::generated::bpf_ktime_get_ns,
    macros::{fentry, fexit, kprobe, kretprobe},
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};
use vmnet_common::{
    CALLERS, Caller, Counters, EventKind, LANES, REFUSALS, Refusal, Refused, SegmentedLast, Split,
};

use crate::{
    config::{gso_bits, offset},
    hooks::empty::empty,
    memory::{CopyOf, Direct, Memory, Probed, field},
    packet::{Packet, gso_size, is_ours, parse, segments},
    pairing::{Call, Function, place, pop, push},
    per_cpu::{add, counters, counters_of, per_cpu},
    refused::why,
    tell::tell,
    verifier::opaque,
};

/// `GSO_BY_FRAGS`: segments are as long as the fragments they are made of.
pub(crate) const GSO_BY_FRAGS: u32 = 0xffff;

#[fentry(function = "__skb_gso_segment")]
fn skb_gso_segment(ctx: FEntryContext) -> i32 {
    let skb: *const u8 = ctx.arg(0);
    enter::<Direct>(skb, ctx.arg(1), skb as u64);
    0
}

#[fexit(function = "__skb_gso_segment")]
fn skb_gso_segment_exit(ctx: FExitContext) -> i32 {
    let skb: *const u8 = ctx.arg(0);
    // The return value follows the arguments; the helper that reads it is newer than 5.10.
    leave::<Direct>(skb as u64, ctx.arg(3));
    0
}

#[kprobe(function = "__skb_gso_segment")]
fn skb_gso_segment_kprobe(ctx: ProbeContext) -> u32 {
    if let (Some(skb), Some(features)) = (ctx.arg(0), ctx.arg(1)) {
        enter::<Probed>(skb, features, stack_pointer(ctx.regs).wrapping_add(RETURN_ADDRESS));
    }
    0
}

#[kretprobe(function = "__skb_gso_segment")]
fn skb_gso_segment_kretprobe(ctx: RetProbeContext) -> u32 {
    leave::<Probed>(stack_pointer(ctx.regs), ctx.ret());
    0
}

empty! {
    fentry empty_skb_gso_segment "__skb_gso_segment";
    fexit empty_skb_gso_segment_exit "__skb_gso_segment";
    kprobe empty_skb_gso_segment_kprobe "__skb_gso_segment";
    kretprobe empty_skb_gso_segment_kretprobe "__skb_gso_segment";
}

/// What the call pushed and the return popped.
pub(crate) const RETURN_ADDRESS: u64 = if cfg!(bpf_target_arch = "x86_64") { 8 } else { 0 };

/// The stack pointer, which tells calls on one CPU apart: at exit it is where it was before the call.
#[inline(always)]
pub(crate) fn stack_pointer(regs: *mut aya_ebpf::bindings::pt_regs) -> u64 {
    // SAFETY: the context of a kprobe is a readable `pt_regs`.
    #[cfg(bpf_target_arch = "x86_64")]
    unsafe {
        (*regs).rsp
    }
    // SAFETY: as above.
    #[cfg(bpf_target_arch = "aarch64")]
    unsafe {
        (*regs).sp
    }
    #[cfg(not(any(bpf_target_arch = "x86_64", bpf_target_arch = "aarch64")))]
    {
        _ = regs;
        0
    }
}

#[inline(always)]
fn enter<M: Memory>(skb: *const u8, features: u64, key: u64) {
    let device: *const u8 = M::load(skb, offset!(skb_dev));
    let ours = is_ours::<M>(device);
    let Some((stack, place)) = place() else {
        if ours && let Some(counters) = counters() {
            add!(counters, health.stack_overflows, 1);
        }
        return;
    };
    // SAFETY: `place` gave a pointer into the per-CPU stack.
    let call = unsafe { &mut *place };
    call.key = key;
    call.function = Function::SkbGsoSegment as u32;
    call.ours = u32::from(ours);
    if ours && !describe::<M>(call, skb, device, features) {
        return;
    }
    push(stack);
}

/// What is known at the entry of a call for our interface, its time last: what the program itself takes is no part of the cost.
#[inline(always)]
fn describe<M: Memory>(call: &mut Call, skb: *const u8, device: *const u8, features: u64) -> bool {
    call.skb = skb as u64;
    let Some(skb) = M::skb(skb, CopyOf::Transmit) else { return false };
    let Some(per_cpu) = per_cpu() else { return false };
    let packet = parse::<M>(skb, device, per_cpu, CopyOf::Transmit);
    call.len = packet.len;
    call.payload = packet.payload;
    call.gso_size = packet.gso_size;
    call.lane = packet.lane;
    let caller = caller::<M>(skb, device);
    call.caller = caller as u32;
    call.refusal = why::<M>(skb, device, &packet, features, caller) as u32;
    call.loose = u32::from(packet.is(Packet::LOOSE));
    let partial = gso_bits().partial;
    call.partial = u32::from(partial == 0 || features & partial != 0);
    add!(counters_of(per_cpu), segmentation.entries, 1);
    call.own_ns = 0;
    call.start_ns = now_ns();
    true
}

#[inline(always)]
pub(crate) fn now_ns() -> u64 {
    // SAFETY: the helper only returns a number.
    unsafe { bpf_ktime_get_ns() }
}

/// From the IP layer the skb starts at its network header. Where the device has no link header (tunnels of layer 3) it does so at
/// the device's own queue too, but there `__dev_queue_xmit` has set the link header to the same place. `tx_path` does not tell:
/// `skb_gso_segment` passes true too.
#[inline(always)]
pub(crate) fn caller<M: Memory>(skb: *const u8, device: *const u8) -> Caller {
    let head: u64 = field(skb, offset!(skb_head));
    let data: u64 = field(skb, offset!(skb_data));
    let start = data.wrapping_sub(head);
    let network_header: u16 = field(skb, offset!(skb_network_header));
    if start != u64::from(network_header) {
        return Caller::Device;
    }
    let mac_header: u16 = field(skb, offset!(skb_mac_header));
    let link_header_len: u16 = M::load(device, offset!(dev_hard_header_len));
    if link_header_len == 0 && start == u64::from(mac_header) { Caller::Device } else { Caller::Stack }
}

#[inline(always)]
fn leave<M: Memory>(key: u64, list: *const u8) {
    let Some(call) = pop(Function::SkbGsoSegment, key) else {
        unmatched(Function::SkbGsoSegment);
        return;
    };
    // SAFETY: `pop` gave a pointer into the per-CPU stack.
    let call = unsafe { &*call };
    if call.ours == 0 {
        return;
    }
    let ns = now_ns().wrapping_sub(call.start_ns).saturating_sub(call.own_ns);
    let Some(per_cpu) = per_cpu() else { return };
    let counters = counters_of(per_cpu);
    add!(counters, segmentation.exits, 1);
    if list.is_null() {
        add!(counters, segmentation.header_only, 1);
        return;
    }
    if is_error(list) {
        add!(counters, segmentation.errors, 1);
        tell(counters, EventKind::SegmentationError, list as u64, u64::from(call.len));
        return;
    }
    // SAFETY: the pointer came from the per-CPU map, whose value is a `PerCpu`.
    unsafe { (*per_cpu).segmented_last = SegmentedLast { skb: call.skb, len: u64::from(call.len) } };
    let first_len: u32 = M::load(list, offset!(skb_len));
    // What nothing refused is segmented for its fragment list alone, and may come out as several super-packets.
    let may_be_supers = call.partial != 0 || call.refusal == Refusal::NotRefused as u32;
    let countable = call.gso_size != GSO_BY_FRAGS && !(may_be_supers && is_super::<M>(list));
    match NonZero::new(call.gso_size) {
        Some(gso_size) if countable => {
            count(counters, call, ns, gso_size, first_len.saturating_sub(gso_size.get()));
        }
        _ => add!(counters, segmentation.uncountable, 1),
    }
}

/// Adds one successful call that took `ns`. `header` is what each segment carries in front of its payload.
#[inline(always)]
fn count(counters: *mut Counters, call: &Call, ns: u64, gso_size: NonZero<u32>, header: u32) {
    // Where the headers were understood, by the payload: of BIG TCP a header goes away on the way (`ipv6_gso_segment`, up to 6.x), so that length less a
    // segment's header is more than that.
    let payload = if call.payload == 0 { call.len.saturating_sub(header) } else { call.payload };
    let segs = u64::from(segments(payload, gso_size));
    let index =
        opaque((u64::from(call.caller) * LANES as u64 + u64::from(call.lane)) * size_of::<Split>() as u64);
    if index >= (CALLERS * LANES * size_of::<Split>()) as u64 {
        return;
    }
    // SAFETY: the pointer came from the per-CPU map, and the index was just bounded.
    unsafe {
        let split = (&raw mut (*counters).segmentation.splits)
            .cast::<u8>()
            .wrapping_add(index as usize)
            .cast::<Split>();
        (*split).calls += 1;
        (*split).segs += segs;
        (*split).bytes_in += u64::from(call.len);
        (*split).bytes_out += u64::from(payload) + segs * u64::from(header);
        (*split).payload_bytes += u64::from(call.payload);
        if call.loose != 0 {
            (*split).loose_payload_bytes += u64::from(call.payload);
            (*split).loose_segs += segs;
        }
        (*split).ns += ns;
    }
    add!(counters, segmentation.own_ns, call.own_ns);
    count_refusal(counters, call);
}

/// Adds the same call to the reason that its entry found: once it is known to have succeeded, so that the two sums agree.
#[inline(always)]
fn count_refusal(counters: *mut Counters, call: &Call) {
    let index = opaque(
        (u64::from(call.lane) * REFUSALS as u64 + u64::from(call.refusal)) * size_of::<Refused>() as u64,
    );
    if index >= (LANES * REFUSALS * size_of::<Refused>()) as u64 {
        return;
    }
    // SAFETY: the pointer came from the per-CPU map, and the index was just bounded.
    unsafe {
        let refused = (&raw mut (*counters).segmentation.refused)
            .cast::<u8>()
            .wrapping_add(index as usize)
            .cast::<Refused>();
        (*refused).packets += 1;
        (*refused).payload_bytes += u64::from(call.payload);
    }
}

/// Whether a segment is still a super-packet (`GSO_PARTIAL`, or without the fragment list that it had), which the formula does not count.
#[inline(always)]
pub(crate) fn is_super<M: Memory>(segment: *const u8) -> bool {
    gso_size::<M>(segment).is_some_and(|gso_size| gso_size != 0)
}

/// `IS_ERR`: the last page of addresses is error numbers.
#[inline(always)]
pub(crate) fn is_error(pointer: *const u8) -> bool {
    pointer as u64 >= -4095_i64 as u64
}

/// An exit without its entry. Right after attaching that is a call that was under way, so userspace takes the count only
/// from its first sample on.
#[inline(always)]
pub(crate) fn unmatched(function: Function) {
    if let Some(counters) = counters() {
        match function {
            Function::SkbGsoSegment => {
                add!(counters, health.unmatched_exits, 1);
                tell(counters, EventKind::UnmatchedExit, function as u64, 0);
            }
            // Many, where its entry is detached a while before its exit: the count says it.
            Function::SkbSegment => add!(counters, health.unmatched_skb_segment_exits, 1),
        }
    }
}
