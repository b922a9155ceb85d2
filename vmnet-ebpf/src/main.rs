//! The kernel side of vmnet: maps, and one file a hook.
//!
//! A hook's body is one function, generic over how memory is read; its twins for tp_btf, raw tracepoint, fentry, fexit,
//! kprobe and kretprobe are one line each. Userspace loads whichever the kernel takes.
#![no_std]
#![no_main]
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]
#![expect(clippy::needless_pass_by_value, reason = "aya's macros hand the context over by value")]

mod account;
mod config;
mod headers;
mod hooks;
mod memory;
mod packet;
mod pairing;
mod per_cpu;
mod refused;
mod tell;
mod verifier;

use aya_ebpf::{
    macros::map,
    maps::{PerCpuArray, RingBuf},
};
use vmnet_common::{Config, OnTheWay, PerCpu, Watch};

use crate::{memory::SkbCopy, pairing::Stack};

/// Set by userspace before loading; frozen, so the verifier knows every value.
#[unsafe(no_mangle)]
static CONFIG: Config = config::UNSET;

/// The devices of `vmnet path`; set and frozen likewise, and empty for everyone else.
#[unsafe(no_mangle)]
static WATCH: Watch = config::NOTHING_WATCHED;

/// What passed them.
#[map]
static ON_THE_WAY: PerCpuArray<OnTheWay> = PerCpuArray::with_max_entries(1, 0);

/// One [`PerCpu`] a CPU.
#[map]
static COUNTERS: PerCpuArray<PerCpu> = PerCpuArray::with_max_entries(1, 0);

/// Calls of `__skb_gso_segment` and `skb_segment` under way on this CPU.
#[map]
static CALLS: PerCpuArray<Stack> = PerCpuArray::with_max_entries(1, 0);

/// Where programs that cannot load through pointers copy an skb to, a place for each hook.
#[map]
static SKB_COPIES: PerCpuArray<SkbCopy> = PerCpuArray::with_max_entries(memory::COPIES, 0);

/// Return addresses of one stack sample.
#[map]
static STACK_TRACE: PerCpuArray<[u64; hooks::stack_sample::DEPTH]> = PerCpuArray::with_max_entries(1, 0);

/// Rare events.
#[map]
static EVENTS: RingBuf = RingBuf::with_byte_size(64 * 1024, 0);

// Clippy looks at the host's build, which would otherwise lack one.
#[cfg(any(target_arch = "bpf", clippy))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
