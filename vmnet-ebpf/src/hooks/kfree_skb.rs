//! Tracepoint `skb:kfree_skb`: drops between `net_dev_queue` and the driver (qdisc, `validate_xmit_skb`) and inside it.
//! Packets that segmentation or transmission used up are consumed, not freed, and do not pass here.

use aya_ebpf::{
    macros::{btf_tracepoint, raw_tracepoint},
    programs::{BtfTracePointContext, RawTracePointContext},
};
use vmnet_common::{Caller, Stage};

use crate::{
    account::{Entry, account},
    config::offset,
    hooks::empty::empty,
    hooks::skb_gso_segment::caller,
    memory::{CopyOf, Direct, Memory, Probed, field},
    packet::{is_ours, parse},
    per_cpu::{counters_of, per_cpu},
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

empty! {
    tp_btf empty_kfree_skb "kfree_skb";
    raw_tp empty_kfree_skb_raw "kfree_skb";
}

#[inline(always)]
fn freed<M: Memory>(skb: *const u8) {
    let Some(per_cpu) = per_cpu() else { return };
    let address = skb as u64;
    // SAFETY: the pointer came from the per-CPU map, whose value is a `PerCpu`.
    unsafe {
        if (*per_cpu).in_driver.skb == address {
            (*per_cpu).in_driver.freed = 1;
            return;
        }
    }
    // Most of what is freed on a machine is another device's, or nobody's: that is found out first.
    let device: *const u8 = M::load(skb, offset!(skb_dev));
    if !is_ours::<M>(device) {
        return;
    }
    let Some(skb) = M::skb(skb, CopyOf::Freed) else { return };
    if !is_on_its_way_out::<M>(skb, device) {
        return;
    }
    // A qdisc that segments a packet and then has no room for any of its segments frees it too (`tbf_segment`), but the
    // segments are what was dropped.
    // SAFETY: as above.
    let segmented = unsafe { &(*per_cpu).segmented_last };
    if segmented.skb == address && segmented.len == u64::from(field::<u32>(skb, offset!(skb_len))) {
        return;
    }
    let packet = parse::<M>(skb, device, per_cpu, CopyOf::Freed);
    account(counters_of(per_cpu), Stage::Dropped, &Entry::of(&packet));
}

/// Packets that wait for the driver start at their link header; received ones were pulled past it by
/// `eth_type_trans`, or are marked as being at tc ingress. What IP output segmented for a smaller MTU and then refused to make fragments of
/// (`ip_fragment`) starts at its network header, as it never came to the queue. Clones that taps get of what is sent (`dev_queue_xmit_nit`)
/// look like what they are copies of, but are marked as outgoing; a tap that cannot keep up frees them (`tpacket_rcv`).
#[inline(always)]
fn is_on_its_way_out<M: Memory>(skb: *const u8, device: *const u8) -> bool {
    let head: u64 = field(skb, offset!(skb_head));
    let data: u64 = field(skb, offset!(skb_data));
    let mac_header: u16 = field(skb, offset!(skb_mac_header));
    let at_ingress = u32::from(field::<u8>(skb, offset!(skb_tc_at_ingress.offset)));
    let outgoing = u32::from(field::<u8>(skb, offset!(skb_pkt_type_outgoing.offset)));
    data.wrapping_sub(head) == u64::from(mac_header)
        && at_ingress & offset!(skb_tc_at_ingress.mask) == 0
        && outgoing & offset!(skb_pkt_type_outgoing.mask) == 0
        && matches!(caller::<M>(skb, device), Caller::Device)
}
