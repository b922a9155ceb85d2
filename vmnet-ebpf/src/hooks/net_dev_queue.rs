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
use vmnet_common::{Class, Counters, EventKind, Stage, needed};

use crate::{
    account::{
        Entry, account, account_forecast, account_from_above, is_tcp_data, len_bucket, record_len,
        record_segs,
    },
    config::{config, gso_bits, offset},
    hooks::empty::empty,
    memory::{CopyOf, Direct, Memory, Probed},
    packet::{Packet, comes_from_above, is_ours, parse},
    per_cpu::{add, counters_of, per_cpu},
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

empty! {
    tp_btf empty_net_dev_queue "net_dev_queue";
    raw_tp empty_net_dev_queue_raw "net_dev_queue";
    kprobe empty_dev_queue_xmit_kprobe "__dev_queue_xmit";
}

#[inline(always)]
fn queued<M: Memory>(ctx: &impl EbpfContext, skb: *const u8) {
    let device: *const u8 = M::load(skb, offset!(skb_dev));
    if !is_ours::<M>(device) {
        return;
    }
    let Some(skb) = M::skb(skb, CopyOf::Transmit) else { return };
    let Some(per_cpu) = per_cpu() else { return };
    let counters = counters_of(per_cpu);
    // SAFETY: the pointer came from the per-CPU map, whose value is a `PerCpu`.
    unsafe { (*per_cpu).segmented_last.skb = 0 };
    let packet = parse::<M>(skb, device, per_cpu, CopyOf::Transmit);
    account(counters, Stage::Queue, &Entry::of(&packet));
    // `netif_skb_features` reads it per packet, so `ethtool -K` acts on flows that already run.
    let features: u64 = M::load(device, offset!(dev_features));
    if packet.class == Class::Super as u32 && needed(gso_bits(), packet.gso_type) & !features != 0 {
        account_forecast(counters, &packet);
    }
    if is_tcp_data(&packet) {
        record_segs(per_cpu, &packet);
        if config!(extras.queued_sizes) != 0 {
            record_len(per_cpu, offset_of!(Counters, queued_len), len_bucket(packet.len));
            if packet.class == Class::Super as u32 {
                record_len(per_cpu, offset_of!(Counters, queued_gso_size), len_bucket(packet.gso_size));
            }
        }
        if comes_from_above::<M>(device, &packet) {
            account_from_above(counters, &packet);
        }
    }
    if packet.is(Packet::ESP) {
        add!(counters, esp_bytes, u64::from(packet.len));
    }
    watch_features(counters, features);
    if config!(verbose) != 0 && packet.is(Packet::UNREADABLE) {
        debug!(ctx, "net_dev_queue: unreadable headers, len {}, gso_size {}", packet.len, packet.gso_size);
    }
}

/// Tells when a device's features are others than at the packet before.
#[inline(always)]
fn watch_features(counters: *mut Counters, now: u64) {
    // SAFETY: the pointer came from the per-CPU map.
    let before = unsafe { (*counters).last_features };
    if before == now {
        return;
    }
    // SAFETY: as above.
    unsafe { (*counters).last_features = now };
    if before != 0 {
        tell(counters, EventKind::FeaturesChanged, before, now);
    }
}
