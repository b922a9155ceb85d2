//! Perf event `cpu-clock`: the share of time with `__skb_gso_segment` on the stack, where no function can be probed. A stack knows no device:
//! what is segmented is for the driver next, so the next `net_dev_start_xmit` on this CPU tells (`book`).

use aya_ebpf::{
    EbpfContext, helpers::generated::bpf_get_stack, macros::perf_event, programs::PerfEventContext,
};

use vmnet_common::PerCpu;

use crate::{
    STACK_TRACE,
    config::config,
    hooks::empty::empty,
    per_cpu::{add, counters_of, per_cpu},
    verifier::opaque,
};

/// Return addresses looked at. From a send call to segmentation is 25 to 30 deep; softirq adds some.
pub(crate) const DEPTH: usize = 64;

#[perf_event]
fn stack_sample(ctx: PerfEventContext) -> u32 {
    let Some(per_cpu) = per_cpu() else { return 0 };
    let counters = counters_of(per_cpu);
    let Some(trace) = STACK_TRACE.get_ptr_mut(0) else { return 0 };
    add!(counters, samples.total, 1);
    // SAFETY: the map's value has room for as many bytes as are asked for.
    let bytes = unsafe { bpf_get_stack(ctx.as_ptr(), trace.cast(), size_of::<[u64; DEPTH]>() as u32, 0) };
    if bytes < 0 {
        add!(counters, samples.failed, 1);
        return 0;
    }
    let frames = bytes as u64 / size_of::<u64>() as u64;
    let (start, end) = (config!(segment_start), config!(segment_end));
    for step in 0..DEPTH as u64 {
        // Hidden from LLVM, which would otherwise fold both bounds into one that 6.1's verifier cannot follow.
        let index = opaque(step);
        if index >= DEPTH as u64 || index >= frames {
            break;
        }
        // SAFETY: `index` is below the array's length.
        let address = unsafe { *trace.cast::<u64>().wrapping_add(index as usize) };
        if address >= start && address < end {
            // SAFETY: the pointer came from the per-CPU map, whose value is a `PerCpu`.
            unsafe { (*per_cpu).unbooked_samples += 1 };
            break;
        }
    }
    0
}

empty! {
    perf_event empty_stack_sample;
}

/// Books samples that wait to the device whose packet its driver gets now.
#[inline(always)]
pub(crate) fn book(per_cpu: *mut PerCpu, ours: bool) {
    // SAFETY: the pointer came from the per-CPU map, whose value is a `PerCpu`.
    let unbooked = unsafe { core::mem::take(&mut (*per_cpu).unbooked_samples) };
    if unbooked == 0 {
        return;
    }
    if ours {
        add!(counters_of(per_cpu), samples.segmenting, unbooked);
    } else {
        add!(counters_of(per_cpu), samples.elsewhere, unbooked);
    }
}
