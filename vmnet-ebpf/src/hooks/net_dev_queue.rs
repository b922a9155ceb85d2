//! Tracepoint `net:net_dev_queue`, inside `__dev_queue_xmit`: one event per packet handed to the interface, before
//! qdisc and segmentation. Where the tracepoint cannot be used, a kprobe on `__dev_queue_xmit` sees the same packets
//! a little earlier, and also those that tc egress then drops.

use core::mem::offset_of;

use aya_ebpf::{
    EbpfContext,
    macros::{btf_tracepoint, kprobe, raw_tracepoint},
    programs::{BtfTracePointContext, ProbeContext, RawTracePointContext},
};
use aya_log_ebpf::debug;
use vmnet_common::{Class, Counters, EventKind, Stage};

use crate::{
    CUT_UP,
    account::{account, account_origin, counters, is_tcp_data, record_len, record_segs},
    config::{config, offset},
    memory::{CopyOf, Direct, Memory, Probed},
    packet::{Packet, comes_from_above, is_retransmit, our_device, parse},
    tell::tell,
};

#[btf_tracepoint(function = "net_dev_queue")]
fn net_dev_queue(ctx: BtfTracePointContext) -> i32 {
    queued::<Direct>(&ctx, ctx.arg(0));
    0
}

#[raw_tracepoint(tracepoint = "net_dev_queue")]
fn net_dev_queue_raw(ctx: RawTracePointContext) -> i32 {
    queued::<Probed>(&ctx, ctx.arg(0));
    0
}

#[kprobe(function = "__dev_queue_xmit")]
fn dev_queue_xmit_kprobe(ctx: ProbeContext) -> u32 {
    if let Some(skb) = ctx.arg(0) {
        queued::<Probed>(&ctx, skb);
    }
    0
}

#[inline(always)]
fn queued<M: Memory>(ctx: &impl EbpfContext, skb: *const u8) {
    let Some(skb) = M::skb(skb, CopyOf::Transmit) else { return };
    let Some(device) = our_device::<M>(skb) else { return };
    if let Some(last) = CUT_UP.get_ptr_mut(0) {
        // SAFETY: the pointer came from the per-CPU map, whose value is a `CutUp`.
        unsafe { (*last).skb = 0 };
    }
    let Some(counters) = counters() else { return };
    let packet = parse::<M>(skb, device);
    account(counters, Stage::Queue, &packet);
    if is_tcp_data(&packet) {
        record_len(counters, offset_of!(Counters, queued_len), packet.len);
        record_segs(counters, offset_of!(Counters, queued_segs), packet.segs);
        if packet.class == Class::Super as u32 {
            record_len(counters, offset_of!(Counters, queued_gso_size), packet.gso_size);
        }
        let sent_before = is_retransmit::<M>(skb, &packet);
        let from_above = comes_from_above::<M>(skb, device, &packet);
        if sent_before || from_above {
            account_origin(counters, &packet, sent_before, from_above);
        }
    }
    watch_features::<M>(counters, device);
    if config!(verbose) != 0 && packet.is(Packet::UNREADABLE) {
        debug!(ctx, "net_dev_queue: unreadable headers, len {}, gso_size {}", packet.len, packet.gso_size);
    }
}

/// `dev->features` is read per packet by `netif_skb_features`, so `ethtool -K` acts on flows that already run.
#[inline(always)]
fn watch_features<M: Memory>(counters: *mut Counters, device: *const u8) {
    let now: u64 = M::load(device, offset!(dev_features));
    // SAFETY: the pointer came from the per-CPU map.
    let before = unsafe { core::ptr::replace(&raw mut (*counters).last_features, now) };
    if before != now && before != 0 {
        tell(counters, EventKind::FeaturesChanged, before, now);
    }
}
