//! Tracepoint `net:net_dev_xmit`: what the driver made of the packet. The skb may be gone: only its address, the return
//! code and the device are looked at.

use core::mem::offset_of;

use aya_ebpf::{
    macros::{btf_tracepoint, raw_tracepoint},
    programs::{BtfTracePointContext, RawTracePointContext},
};
use vmnet_common::{Counters, EventKind, Stage};

use crate::{
    IN_DRIVER,
    account::{account, add, counters, is_tcp_data, record_len},
    memory::{Direct, Memory, Probed},
    packet::is_ours,
    tell::tell,
};

const NETDEV_TX_OK: i32 = 0;
/// Below this a return code means that the packet was consumed (`dev_xmit_complete`).
const NET_XMIT_MASK: i32 = 0x0f;

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

#[inline(always)]
fn finish<M: Memory>(skb: *const u8, rc: i32, device: *const u8) {
    if !is_ours::<M>(device) {
        return;
    }
    let Some(counters) = counters() else { return };
    let Some(in_driver) = IN_DRIVER.get_ptr_mut(0) else { return };
    // SAFETY: the pointer came from the per-CPU map, whose value is an `InDriver`.
    let in_driver = unsafe { &mut *in_driver };
    if in_driver.skb != skb as u64 {
        add!(counters, health.unmatched_xmits, 1);
        tell(counters, EventKind::UnmatchedExit, 3, 0);
        in_driver.skb = 0;
        return;
    }
    in_driver.skb = 0;
    if rc == NETDEV_TX_OK && in_driver.freed == 0 {
        account(counters, Stage::Driver, &in_driver.packet);
        if is_tcp_data(&in_driver.packet) {
            record_len(counters, offset_of!(Counters, driver_len), in_driver.packet.len);
        }
    } else if rc < NET_XMIT_MASK {
        account(counters, Stage::DriverDropped, &in_driver.packet);
    } else {
        // NETDEV_TX_BUSY: the same skb comes again.
        add!(counters, health.tx_busy, 1);
    }
}
