//! An empty twin beside each program: what it reads is the price of the reading itself (two clock reads, and the call), which
//! `ns_per_event` contains and `net_ns_per_event` does not. Loaded only where run times are asked for (`--overhead`).

use aya_ebpf::{
    macros::{btf_tracepoint, fentry, fexit, kprobe, kretprobe, perf_event, raw_tracepoint},
    programs::{
        BtfTracePointContext, FEntryContext, FExitContext, PerfEventContext, ProbeContext,
        RawTracePointContext, RetProbeContext,
    },
};

/// One line a twin: its name, and what it attaches to.
macro_rules! empty {
    ($attribute:ident($target_is:ident), $context:ty, $returns:ty: $($name:ident $target:literal)*) => {$(
        #[$attribute($target_is = $target)]
        fn $name(_ctx: $context) -> $returns {
            0
        }
    )*};
}

empty!(btf_tracepoint(function), BtfTracePointContext, i32:
    empty_net_dev_queue "net_dev_queue"
    empty_path_queue "net_dev_queue"
    empty_net_dev_start_xmit "net_dev_start_xmit"
    empty_net_dev_xmit "net_dev_xmit"
    empty_kfree_skb "kfree_skb"
    empty_inet_sock_set_state "inet_sock_set_state"
);
empty!(raw_tracepoint(tracepoint), RawTracePointContext, i32:
    empty_net_dev_queue_raw "net_dev_queue"
    empty_path_queue_raw "net_dev_queue"
    empty_net_dev_start_xmit_raw "net_dev_start_xmit"
    empty_net_dev_xmit_raw "net_dev_xmit"
    empty_kfree_skb_raw "kfree_skb"
    empty_inet_sock_set_state_raw "inet_sock_set_state"
);
empty!(fentry(function), FEntryContext, i32:
    empty_skb_gso_segment "__skb_gso_segment"
    empty_path_segment "__skb_gso_segment"
    empty_skb_segment "skb_segment"
);
empty!(fexit(function), FExitContext, i32:
    empty_skb_gso_segment_exit "__skb_gso_segment"
    empty_path_segment_exit "__skb_gso_segment"
    empty_skb_segment_exit "skb_segment"
    empty_tcp_sendmsg "tcp_sendmsg"
);
empty!(kprobe(function), ProbeContext, u32:
    empty_dev_queue_xmit_kprobe "__dev_queue_xmit"
    empty_path_queue_kprobe "__dev_queue_xmit"
    empty_skb_gso_segment_kprobe "__skb_gso_segment"
    empty_path_segment_kprobe "__skb_gso_segment"
    empty_skb_segment_kprobe "skb_segment"
);
empty!(kretprobe(function), RetProbeContext, u32:
    empty_skb_gso_segment_kretprobe "__skb_gso_segment"
    empty_path_segment_kretprobe "__skb_gso_segment"
    empty_skb_segment_kretprobe "skb_segment"
);

#[perf_event]
fn empty_stack_sample(_ctx: PerfEventContext) -> u32 {
    0
}
