//! `__skb_gso_segment` for each device of `vmnet path`: what it took, and by the kernel's own mask, why.

use core::{mem::offset_of, num::NonZero};

use aya_ebpf::{
    macros::{fentry, fexit, kprobe, kretprobe},
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};
use vmnet_common::{AtDevice, Caller, Foreseen, REFUSALS};

use crate::{
    config::{gso_bits, offset},
    hooks::empty::empty,
    hooks::{
        path_queue::{add_foreseen, counts_of, forgotten, is_ours, slot},
        skb_gso_segment::{GSO_BY_FRAGS, RETURN_ADDRESS, caller, is_error, is_super, now_ns, stack_pointer},
    },
    memory::{CopyOf, Direct, Memory, Probed},
    packet::{parse, segments},
    pairing::{Call, Function, place, pop, push},
    per_cpu::per_cpu,
    refused::why,
    verifier::opaque,
};

#[fentry(function = "__skb_gso_segment")]
fn path_segment(ctx: FEntryContext) -> i32 {
    let skb: *const u8 = ctx.arg(0);
    enter::<Direct>(skb, ctx.arg(1), skb as u64);
    0
}

#[fexit(function = "__skb_gso_segment")]
fn path_segment_exit(ctx: FExitContext) -> i32 {
    let skb: *const u8 = ctx.arg(0);
    // The return value follows the arguments; the helper that reads it is newer than 5.10.
    leave::<Direct>(skb as u64, ctx.arg(3));
    0
}

#[kprobe(function = "__skb_gso_segment")]
fn path_segment_kprobe(ctx: ProbeContext) -> u32 {
    if let (Some(skb), Some(features)) = (ctx.arg(0), ctx.arg(1)) {
        enter::<Probed>(skb, features, stack_pointer(ctx.regs).wrapping_add(RETURN_ADDRESS));
    }
    0
}

#[kretprobe(function = "__skb_gso_segment")]
fn path_segment_kretprobe(ctx: RetProbeContext) -> u32 {
    leave::<Probed>(stack_pointer(ctx.regs), ctx.ret());
    0
}

empty! {
    fentry empty_path_segment "__skb_gso_segment";
    fexit empty_path_segment_exit "__skb_gso_segment";
    kprobe empty_path_segment_kprobe "__skb_gso_segment";
    kretprobe empty_path_segment_kretprobe "__skb_gso_segment";
}

#[inline(always)]
fn enter<M: Memory>(skb: *const u8, features: u64, key: u64) {
    let device: *const u8 = M::load(skb, offset!(skb_dev));
    let Some((stack, place)) = place() else { return };
    // SAFETY: `place` gave a pointer into the per-CPU stack.
    let call = unsafe { &mut *place };
    call.key = key;
    call.function = Function::SkbGsoSegment as u32;
    // Other devices' calls are pushed too, or pops would go astray.
    call.ours = 0;
    if let Some(slot) = slot::<M>(device) {
        describe::<M>(call, skb, device, features, slot);
    }
    push(stack);
}

/// What is known at the entry, its time last. The slot stands where a run keeps the lane.
#[inline(always)]
fn describe<M: Memory>(call: &mut Call, skb: *const u8, device: *const u8, features: u64, slot: u32) {
    let Some(per_cpu) = per_cpu() else { return };
    let Some(slot) = forgotten(slot, per_cpu) else { return };
    let Some(skb) = M::skb(skb, CopyOf::Transmit) else { return };
    let packet = parse::<M>(skb, device, per_cpu, CopyOf::Transmit);
    let caller = caller::<M>(skb, device);
    call.lane = slot;
    call.payload = packet.payload;
    call.gso_size = packet.gso_size;
    call.caller = caller as u32;
    call.refusal = why::<M>(skb, device, &packet, features, caller) as u32;
    call.loose = u32::from(is_ours::<M>(skb, slot, packet.len));
    let partial = gso_bits().partial;
    call.partial = u32::from(partial == 0 || features & partial != 0);
    call.ours = 1;
    call.start_ns = now_ns();
}

#[inline(always)]
fn leave<M: Memory>(key: u64, list: *const u8) {
    let Some(call) = pop(Function::SkbGsoSegment, key) else { return };
    // SAFETY: `pop` gave a pointer into the per-CPU stack.
    let call = unsafe { &*call };
    // NULL is a header check alone, and an error no segmentation.
    if call.ours == 0 || list.is_null() || is_error(list) {
        return;
    }
    let ns = now_ns().wrapping_sub(call.start_ns);
    let Some(counts) = counts_of(call.lane) else { return };
    let gso_size = NonZero::new(call.gso_size).filter(|size| size.get() != GSO_BY_FRAGS);
    let gso_size = gso_size.filter(|_| call.partial == 0 || !is_super::<M>(list));
    let Some(gso_size) = gso_size else {
        // SAFETY: `counts_of` gave a pointer into the per-CPU map.
        unsafe { (*counts).uncountable += 1 };
        return;
    };
    let segs = segments(call.payload, gso_size);
    // SAFETY: as above.
    unsafe {
        (*counts).segmented_ns += ns;
        if call.caller == Caller::Stack as u32 {
            add_foreseen(&raw mut (*counts).segmented_above, segs, call.payload);
            return;
        }
        add_foreseen(&raw mut (*counts).segmented, segs, call.payload);
    }
    if call.loose != 0 {
        refused(counts, call.refusal, segs, call.payload);
    }
}

#[inline(always)]
fn refused(counts: *mut AtDevice, refusal: u32, segs: u32, payload: u32) {
    const ALL: usize = REFUSALS * size_of::<Foreseen>();
    let offset = opaque(u64::from(refusal) * size_of::<Foreseen>() as u64);
    if offset > (ALL - size_of::<Foreseen>()) as u64 {
        return;
    }
    let refused = counts.cast::<u8>().wrapping_add(offset_of!(AtDevice, ours_refused));
    // SAFETY: the offset was checked to lie within the array, with room for an element behind it.
    unsafe { add_foreseen(refused.wrapping_add(offset as usize).cast(), segs, payload) };
}
