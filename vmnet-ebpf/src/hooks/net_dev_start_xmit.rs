//! Tracepoint `net:net_dev_start_xmit`: a packet on its way into the driver, per *segment* without TSO. The driver may
//! free it before `net_dev_xmit` tells the outcome, so its class is taken here and kept.

use aya_ebpf::{
    macros::{btf_tracepoint, raw_tracepoint},
    programs::{BtfTracePointContext, RawTracePointContext},
};

use crate::{
    IN_DRIVER,
    account::{add, counters},
    memory::{CopyOf, Direct, Memory, Probed},
    packet::{is_ours, parse},
};

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

#[inline(always)]
fn start<M: Memory>(skb: *const u8, device: *const u8) {
    if !is_ours::<M>(device) {
        return;
    }
    let address = skb as u64;
    let Some(skb) = M::skb(skb, CopyOf::Transmit) else { return };
    let Some(in_driver) = IN_DRIVER.get_ptr_mut(0) else { return };
    let packet = parse::<M>(skb, device);
    // SAFETY: the pointer came from the per-CPU map, whose value is an `InDriver`.
    let before = unsafe { core::ptr::replace(&raw mut (*in_driver).skb, address) };
    if before != 0
        && let Some(counters) = counters()
    {
        add!(counters, health.lost_starts, 1);
    }
    // SAFETY: as above.
    unsafe {
        (*in_driver).freed = 0;
        (*in_driver).packet = packet;
    }
}
