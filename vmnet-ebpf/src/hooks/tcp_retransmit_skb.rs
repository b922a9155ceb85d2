//! Tracepoint `tcp:tcp_retransmit_skb`: segments that TCP sends again, by sockets whose route leaves through our interface.

use aya_ebpf::{
    macros::{btf_tracepoint, raw_tracepoint},
    programs::{BtfTracePointContext, RawTracePointContext},
};

use crate::{
    config::offset,
    hooks::empty::empty,
    memory::{Direct, Memory, Probed},
    packet::is_ours,
    per_cpu::{add, counters},
};

#[btf_tracepoint(function = "tcp_retransmit_skb")]
fn tcp_retransmit_skb(ctx: BtfTracePointContext) -> i32 {
    retransmitted::<Direct>(ctx.arg(0));
    0
}

#[raw_tracepoint(tracepoint = "tcp_retransmit_skb")]
fn tcp_retransmit_skb_raw(ctx: RawTracePointContext) -> i32 {
    retransmitted::<Probed>(ctx.arg(0));
    0
}

empty! {
    tp_btf empty_tcp_retransmit_skb "tcp_retransmit_skb";
    raw_tp empty_tcp_retransmit_skb_raw "tcp_retransmit_skb";
}

#[inline(always)]
fn retransmitted<M: Memory>(socket: *const u8) {
    let route: *const u8 = M::load(socket, offset!(sock_dst_cache));
    if route.is_null() || !is_ours::<M>(M::load(route, offset!(dst_dev))) {
        return;
    }
    let Some(counters) = counters() else { return };
    add!(counters, retransmit_calls, 1);
}
