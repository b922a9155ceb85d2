//! Tracepoint `net:net_dev_xmit`: what the driver made of the packet. The skb may be gone: only its address, the return
//! code and the device are looked at.

use core::mem::offset_of;

use aya_ebpf::{
    macros::{btf_tracepoint, raw_tracepoint},
    programs::{BtfTracePointContext, RawTracePointContext},
};
use vmnet_common::{Counters, EventKind, Fate, Stage, fate};

use crate::{
    account::{Entry, account, record_len},
    config::config,
    hooks::empty::empty,
    memory::{Direct, Memory, Probed},
    packet::is_ours,
    per_cpu::{add, counters_of, per_cpu},
    tell::tell,
};

#[btf_tracepoint(function = "net_dev_xmit")]
fn net_dev_xmit(ctx: BtfTracePointContext) -> i32 {
    finish::<Direct>(ctx.arg(0), ctx.arg(1), ctx.arg(2));
    0
}

#[raw_tracepoint(tracepoint = "net_dev_xmit")]
fn net_dev_xmit_raw(ctx: RawTracePointContext) -> i32 {
    finish::<Probed>(ctx.arg(0), ctx.arg(1), ctx.arg(2));
    0
}

empty! {
    tp_btf empty_net_dev_xmit "net_dev_xmit";
    raw_tp empty_net_dev_xmit_raw "net_dev_xmit";
}

/// So many of a CPU are told one by one. There are more where a window ends, as the start is detached a while before the end, and the count
/// says how many.
const MOST_TOLD: u64 = 16;

#[inline(always)]
fn finish<M: Memory>(skb: *const u8, rc: i32, device: *const u8) {
    let Some(per_cpu) = per_cpu() else { return };
    let counters = counters_of(per_cpu);
    // SAFETY: the pointer came from the per-CPU map, whose value is a `PerCpu`.
    let kept = unsafe { &mut (*per_cpu).in_driver };
    // The device is looked at no further: it is the one that `net_dev_start_xmit` found to be ours. A device below ours may be given
    // the same skb.
    if kept.skb != skb as u64 || kept.device != device as u64 {
        if is_ours::<M>(device) {
            add!(counters, health.unmatched_xmits, 1);
            // SAFETY: as above.
            if unsafe { (*counters).health.unmatched_xmits } <= MOST_TOLD {
                tell(counters, EventKind::UnmatchedExit, 3, 0);
            }
            kept.skb = 0;
        }
        return;
    }
    kept.skb = 0;
    match fate(rc, kept.freed != 0) {
        Fate::Sent => {
            account(counters, Stage::Driver, &Entry::kept(kept));
            if config!(extras.driver_sizes) != 0 {
                record_len(per_cpu, offset_of!(Counters, driver_len), kept.len_bucket);
            }
        }
        Fate::Dropped => account(counters, Stage::DriverDropped, &Entry::kept(kept)),
        Fate::Again => add!(counters, health.tx_busy, 1),
    }
}
