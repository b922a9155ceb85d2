//! `skb_segment(head_skb, features)`, entry and exit: the split itself, and the second count of segments. At entry the skb
//! was pulled to its payload, so the two counts come from different lengths.

use core::num::NonZero;

use aya_ebpf::{
    macros::{fentry, fexit, kprobe, kretprobe},
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};

use crate::{
    config::offset,
    hooks::empty::empty,
    hooks::skb_gso_segment::{RETURN_ADDRESS, is_error, now_ns, stack_pointer, unmatched},
    memory::{Direct, Memory, Probed},
    packet::{gso_size, segments},
    pairing::{Function, place, pop, push, top},
    per_cpu::{add, counters},
};

#[fentry(function = "skb_segment")]
fn skb_segment(ctx: FEntryContext) -> i32 {
    let skb: *const u8 = ctx.arg(0);
    enter::<Direct>(skb, skb as u64);
    0
}

#[fexit(function = "skb_segment")]
fn skb_segment_exit(ctx: FExitContext) -> i32 {
    let skb: *const u8 = ctx.arg(0);
    leave(skb as u64, ctx.arg(2));
    0
}

#[kprobe(function = "skb_segment")]
fn skb_segment_kprobe(ctx: ProbeContext) -> u32 {
    if let Some(skb) = ctx.arg(0) {
        enter::<Probed>(skb, stack_pointer(ctx.regs).wrapping_add(RETURN_ADDRESS));
    }
    0
}

#[kretprobe(function = "skb_segment")]
fn skb_segment_kretprobe(ctx: RetProbeContext) -> u32 {
    leave(stack_pointer(ctx.regs), ctx.ret());
    0
}

empty! {
    fentry empty_skb_segment "skb_segment";
    fexit empty_skb_segment_exit "skb_segment";
    kprobe empty_skb_segment_kprobe "skb_segment";
    kretprobe empty_skb_segment_kretprobe "skb_segment";
}

/// Counts only inside a `__skb_gso_segment` for our interface: this function has other callers too. What it takes itself is kept apart
/// from that call's time.
#[inline(always)]
fn enter<M: Memory>(skb: *const u8, key: u64) {
    if top(Function::SkbGsoSegment).is_none() {
        return;
    }
    let began_ns = now_ns();
    let Some(counters) = counters() else { return };
    let Some((stack, place)) = place() else {
        add!(counters, skb_segment.entries, 1);
        add!(counters, health.stack_overflows, 1);
        return;
    };
    let Some(gso_size) = gso_size::<M>(skb) else {
        add!(counters, health.unreadable, 1);
        return;
    };
    // SAFETY: `place` gave a pointer into the per-CPU stack.
    let call = unsafe { &mut *place };
    call.key = key;
    call.function = Function::SkbSegment as u32;
    call.ours = 1;
    call.len = M::load(skb, offset!(skb_len));
    call.gso_size = u32::from(gso_size);
    add!(counters, skb_segment.entries, 1);
    call.start_ns = now_ns();
    call.own_ns = call.start_ns.wrapping_sub(began_ns);
    push(stack);
}

#[inline(always)]
fn leave(key: u64, list: *const u8) {
    let ended_ns = now_ns();
    let Some(call) = pop(Function::SkbSegment, key) else {
        // Another caller's, or one whose entry found no place: the latter was counted there.
        if top(Function::SkbGsoSegment).is_some() {
            unmatched(Function::SkbSegment);
        }
        return;
    };
    // SAFETY: `pop` gave a pointer into the per-CPU stack.
    let call = unsafe { &*call };
    let Some(counters) = counters() else { return };
    add!(counters, skb_segment.exits, 1);
    if list.is_null() || is_error(list) {
        add!(counters, skb_segment.errors, 1);
        return;
    }
    add!(counters, skb_segment.ns, ended_ns.wrapping_sub(call.start_ns));
    if let Some(gso_size) = NonZero::new(call.gso_size) {
        add!(counters, skb_segment.segs, u64::from(segments(call.len, gso_size)));
    }
    if let Some(outer) = top(Function::SkbGsoSegment) {
        let own_ns = call.own_ns.wrapping_add(now_ns().wrapping_sub(ended_ns));
        // SAFETY: `top` gave a pointer into the per-CPU stack.
        unsafe { (*outer).own_ns = (*outer).own_ns.wrapping_add(own_ns) };
    }
}
