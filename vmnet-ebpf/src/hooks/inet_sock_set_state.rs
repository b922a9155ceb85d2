//! Tracepoint `sock:inet_sock_set_state`: when a TCP socket closes, what TCP itself says that it sent. Sockets that live are
//! asked over sock_diag; without this, those that came and went in between would be missing.

use aya_ebpf::{
    macros::{btf_tracepoint, raw_tracepoint},
    programs::{BtfTracePointContext, RawTracePointContext},
};

use crate::{
    config::offset,
    hooks::empty::empty,
    memory::{Direct, Memory, Probed, read},
    packet::is_ours,
    per_cpu::{add, counters},
};

const TCP_SYN_SENT: i32 = 2;
const TCP_FIN_WAIT1: i32 = 4;
const TCP_CLOSE: i32 = 7;
const TCP_LAST_ACK: i32 = 9;
const TCP_CLOSING: i32 = 11;
const IPPROTO_TCP: u16 = 6;
const AF_INET6: u16 = 10;

#[btf_tracepoint(function = "inet_sock_set_state")]
fn inet_sock_set_state(ctx: BtfTracePointContext) -> i32 {
    changed::<Direct>(ctx.arg(0), ctx.arg(1), ctx.arg(2));
    0
}

#[raw_tracepoint(tracepoint = "inet_sock_set_state")]
fn inet_sock_set_state_raw(ctx: RawTracePointContext) -> i32 {
    changed::<Probed>(ctx.arg(0), ctx.arg(1), ctx.arg(2));
    0
}

empty! {
    tp_btf empty_inet_sock_set_state "inet_sock_set_state";
    raw_tp empty_inet_sock_set_state_raw "inet_sock_set_state";
}

#[inline(always)]
fn changed<M: Memory>(socket: *const u8, old: i32, new: i32) {
    if new != TCP_CLOSE || old == TCP_CLOSE {
        return;
    }
    // MPTCP reports its own sockets here too.
    if M::load::<u16>(socket, offset!(sock_protocol)) != IPPROTO_TCP {
        return;
    }
    let bytes_sent = tcp_count(socket, offset!(tcp_bytes_sent));
    let route: *const u8 = M::load(socket, offset!(sock_dst_cache));
    if route.is_null() {
        if bytes_sent != 0
            && let Some(counters) = counters()
        {
            add!(counters, closed_sockets.unrouted, 1);
        }
        return;
    }
    let device: *const u8 = M::load(route, offset!(dst_dev));
    if !is_ours::<M>(device) {
        return;
    }
    let Some(counters) = counters() else { return };
    add!(counters, closed_sockets.sockets, 1);
    add!(counters, closed_sockets.bytes_sent, bytes_sent);
    let retransmitted = tcp_count(socket, offset!(tcp_bytes_retrans));
    if retransmitted != 0 {
        add!(counters, closed_sockets.bytes_retransmitted, retransmitted);
        // Of the route, not of the socket: one of IPv6 may speak IPv4.
        let ops: *const u8 = M::load(route, offset!(dst_ops));
        if M::load::<u16>(ops, offset!(dst_ops_family)) == AF_INET6 {
            add!(counters, closed_sockets.bytes_retransmitted_tcp6, retransmitted);
        }
    }
    add!(counters, closed_sockets.bytes_discarded, u64::from(not_sent(socket, old)));
}

/// As in `tcp_info`: `write_seq` − `snd_nxt`, here without the FIN that may wait behind the data.
#[inline(always)]
fn not_sent(socket: *const u8, state: i32) -> u32 {
    // A connection that never came about wrote nothing, and may have set but one of the two.
    if state == TCP_SYN_SENT {
        return 0;
    }
    let waiting =
        sequence(socket, offset!(tcp_write_seq)).wrapping_sub(sequence(socket, offset!(tcp_snd_nxt)));
    let fin = state == TCP_FIN_WAIT1 || state == TCP_LAST_ACK || state == TCP_CLOSING;
    waiting.saturating_sub(u32::from(fin))
}

/// A sequence number of a `tcp_sock`.
#[inline(always)]
fn sequence(socket: *const u8, offset: u32) -> u32 {
    let mut value = 0_u32;
    read(&raw mut value, socket.wrapping_add(offset as usize).cast());
    value
}

/// A 64-bit member of `tcp_sock`, which lies beyond the `sock` that the verifier knows.
#[inline(always)]
fn tcp_count(socket: *const u8, offset: u32) -> u64 {
    let mut value = 0_u64;
    read(&raw mut value, socket.wrapping_add(offset as usize).cast());
    value
}
