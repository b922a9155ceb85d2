//! Tracepoint `net:net_dev_start_xmit`: a packet on its way into the driver, per *segment* without TSO. The driver may
//! free it before `net_dev_xmit` tells the outcome, so its class is taken here and kept.

use aya_ebpf::{
    macros::{btf_tracepoint, raw_tracepoint},
    programs::{BtfTracePointContext, RawTracePointContext},
};

use super::stack_sample::book;
use crate::{
    account::{Entry, is_tcp_data, len_bucket},
    config::config,
    hooks::empty::empty,
    memory::{CopyOf, Direct, Memory, Probed},
    packet::{is_ours, parse},
    per_cpu::{add, counters_of, per_cpu},
};

/// Beyond the last bucket.
const NO_BUCKET: u16 = u16::MAX;

#[btf_tracepoint(function = "net_dev_start_xmit")]
fn net_dev_start_xmit(ctx: BtfTracePointContext) -> i32 {
    start::<Direct>(ctx.arg(0), ctx.arg(1));
    0
}

#[raw_tracepoint(tracepoint = "net_dev_start_xmit")]
fn net_dev_start_xmit_raw(ctx: RawTracePointContext) -> i32 {
    start::<Probed>(ctx.arg(0), ctx.arg(1));
    0
}

empty! {
    tp_btf empty_net_dev_start_xmit "net_dev_start_xmit";
    raw_tp empty_net_dev_start_xmit_raw "net_dev_start_xmit";
}

#[inline(always)]
fn start<M: Memory>(skb: *const u8, device: *const u8) {
    let Some(per_cpu) = per_cpu() else { return };
    let ours = is_ours::<M>(device);
    book(per_cpu, ours);
    if !ours {
        return;
    }
    let address = skb as u64;
    let Some(skb) = M::skb(skb, CopyOf::Transmit) else { return };
    let packet = parse::<M>(skb, device, per_cpu, CopyOf::Transmit);
    let entry = Entry::of(&packet);
    let len_bucket = if config!(extras.driver_sizes) != 0 && is_tcp_data(&packet) {
        len_bucket(packet.len)
    } else {
        NO_BUCKET
    };
    // SAFETY: the pointer came from the per-CPU map, whose value is a `PerCpu`.
    let kept = unsafe { &mut (*per_cpu).in_driver };
    if kept.skb != 0 {
        add!(counters_of(per_cpu), health.lost_starts, 1);
    }
    kept.skb = address;
    kept.device = device as u64;
    kept.freed = 0;
    entry.keep(kept, len_bucket);
}
