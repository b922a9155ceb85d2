//! Tracepoint `skb:kfree_skb`: drops between `net_dev_queue` and the driver (qdisc, `validate_xmit_skb`) and inside it.
//! Packets that segmentation or transmission used up are consumed, not freed, and do not pass here.

use aya_ebpf::{
    macros::{btf_tracepoint, raw_tracepoint},
    programs::{BtfTracePointContext, RawTracePointContext},
};
use vmnet_common::Stage;

use crate::{
    CUT_UP, IN_DRIVER,
    account::{account, counters},
    config::offset,
    memory::{CopyOf, Direct, Memory, Probed, field},
    packet::{our_device, parse},
};

#[btf_tracepoint(function = "kfree_skb")]
fn kfree_skb(ctx: BtfTracePointContext) -> i32 {
    freed::<Direct>(ctx.arg(0));
    0
}

#[raw_tracepoint(tracepoint = "kfree_skb")]
fn kfree_skb_raw(ctx: RawTracePointContext) -> i32 {
    freed::<Probed>(ctx.arg(0));
    0
}

#[inline(always)]
fn freed<M: Memory>(skb: *const u8) {
    let Some(in_driver) = IN_DRIVER.get_ptr_mut(0) else { return };
    // SAFETY: the pointer came from the per-CPU map, whose value is an `InDriver`.
    unsafe {
        if (*in_driver).skb == skb as u64 {
            (*in_driver).freed = 1;
            return;
        }
    }
    let address = skb as u64;
    let Some(skb) = M::skb(skb, CopyOf::Freed) else { return };
    let Some(device) = our_device::<M>(skb) else { return };
    if !is_on_its_way_out(skb) {
        return;
    }
    if was_cut_up(address, field(skb, offset!(skb_len))) {
        return;
    }
    let Some(counters) = counters() else { return };
    let packet = parse::<M>(skb, device);
    account(counters, Stage::Dropped, &packet);
}

/// A qdisc that cuts up a packet and then has no room for any of its segments frees it too (`tbf_segment`), but the
/// segments are what was dropped.
#[inline(always)]
fn was_cut_up(address: u64, len: u32) -> bool {
    let Some(last) = CUT_UP.get_ptr_mut(0) else { return false };
    // SAFETY: the pointer came from the per-CPU map, whose value is a `CutUp`.
    unsafe { (*last).skb == address && (*last).len == u64::from(len) }
}

/// Packets that wait for the driver start at their link header; received ones were pulled past it by
/// `eth_type_trans`, or are marked as being at tc ingress.
#[inline(always)]
fn is_on_its_way_out(skb: *const u8) -> bool {
    let head: u64 = field(skb, offset!(skb_head));
    let data: u64 = field(skb, offset!(skb_data));
    let mac_header: u16 = field(skb, offset!(skb_mac_header));
    let at_ingress = u32::from(field::<u8>(skb, offset!(skb_tc_at_ingress.offset)));
    data.wrapping_sub(head) == u64::from(mac_header) && at_ingress & offset!(skb_tc_at_ingress.mask) == 0
}
