//! An empty twin beside each program: what it reads is the price of the reading itself (two clock reads, and the call), which
//! `ns_per_event` contains and `net_ns_per_event` does not. Loaded only where run times are asked for (`--overhead`).

/// One line a twin: how it attaches, `empty_` and the program's name, and the place in the kernel.
macro_rules! empty {
    ($($kind:ident $name:ident $($target:literal)?;)*) => {$(
        $crate::hooks::empty::empty_program! { $kind $name $($target)? }
    )*};
}

macro_rules! empty_program {
    (tp_btf $name:ident $target:literal) => {
        #[aya_ebpf::macros::btf_tracepoint(function = $target)]
        fn $name(_ctx: aya_ebpf::programs::BtfTracePointContext) -> i32 {
            0
        }
    };
    (raw_tp $name:ident $target:literal) => {
        #[aya_ebpf::macros::raw_tracepoint(tracepoint = $target)]
        fn $name(_ctx: aya_ebpf::programs::RawTracePointContext) -> i32 {
            0
        }
    };
    (fentry $name:ident $target:literal) => {
        #[aya_ebpf::macros::fentry(function = $target)]
        fn $name(_ctx: aya_ebpf::programs::FEntryContext) -> i32 {
            0
        }
    };
    (fexit $name:ident $target:literal) => {
        #[aya_ebpf::macros::fexit(function = $target)]
        fn $name(_ctx: aya_ebpf::programs::FExitContext) -> i32 {
            0
        }
    };
    (kprobe $name:ident $target:literal) => {
        #[aya_ebpf::macros::kprobe(function = $target)]
        fn $name(_ctx: aya_ebpf::programs::ProbeContext) -> u32 {
            0
        }
    };
    (kretprobe $name:ident $target:literal) => {
        #[aya_ebpf::macros::kretprobe(function = $target)]
        fn $name(_ctx: aya_ebpf::programs::RetProbeContext) -> u32 {
            0
        }
    };
    (perf_event $name:ident) => {
        #[aya_ebpf::macros::perf_event]
        fn $name(_ctx: aya_ebpf::programs::PerfEventContext) -> u32 {
            0
        }
    };
}

pub(crate) use {empty, empty_program};
