//! What the kernel says of a program or link that runs: counts that aya does not show.

use std::{
    mem::{offset_of, size_of},
    os::fd::{AsRawFd, BorrowedFd},
};

use aya_obj::generated::{
    bpf_attr, bpf_cmd::BPF_OBJ_GET_INFO_BY_FD, bpf_link_info, bpf_link_type::BPF_LINK_TYPE_PERF_EVENT,
    bpf_perf_event_type::BPF_PERF_EVENT_KPROBE, bpf_perf_event_type::BPF_PERF_EVENT_KRETPROBE, bpf_prog_info,
};

/// Of `struct bpf_insn`.
const INSTRUCTION_BYTES: u64 = 8;

/// Of one program.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ProgramStats {
    /// Times that it was skipped because it would have re-entered; None before 5.12.
    pub recursion_misses: Option<u64>,
    /// Times that it ran; 0 unless the kernel was asked to count (`enable_stats`).
    pub run_count: u64,
    /// Time it ran for, likewise.
    pub run_ns: u64,
    /// Its length after the verifier took out what can never run; None where the kernel does not tell.
    pub instructions: Option<u64>,
}

/// Reads a program's statistics; None where the kernel refuses.
#[must_use]
pub(super) fn program(fd: BorrowedFd<'_>) -> Option<ProgramStats> {
    let (info, len) = object_info::<bpf_prog_info>(fd)?;
    let known = len >= offset_of!(bpf_prog_info, recursion_misses) + size_of::<u64>();
    Some(ProgramStats {
        recursion_misses: known.then_some(info.recursion_misses),
        run_count: info.run_cnt,
        run_ns: info.run_time_ns,
        instructions: (info.xlated_prog_len != 0)
            .then_some(u64::from(info.xlated_prog_len) / INSTRUCTION_BYTES),
    })
}

/// Hits that this process's kprobes missed because a probe was busy (`perf_event.kprobe.missed` of their links). None before 6.7,
/// and where the kernel has no links for kprobes (before 5.15). aya does not give its links' descriptors away, so they are found
/// among the process's own.
#[must_use]
pub(super) fn kprobe_misses() -> Option<u64> {
    let mut sum = None;
    for entry in std::fs::read_dir("/proc/self/fd").ok()?.flatten() {
        let is_link =
            std::fs::read_link(entry.path()).is_ok_and(|target| target.as_os_str() == "anon_inode:bpf_link");
        let number = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some(number) = number.filter(|_| is_link) {
            // SAFETY: a descriptor of this process, only asked for information; if it was closed since, the kernel says so.
            let fd = unsafe { BorrowedFd::borrow_raw(number) };
            if let Some((info, len)) = object_info::<bpf_link_info>(fd)
                && info.type_ == BPF_LINK_TYPE_PERF_EVENT as u32
            {
                sum = Some(sum.unwrap_or(0) + missed(&info, len)?);
            }
        }
    }
    sum
}

/// The count in one link's information; None where the kernel is too old to fill it in, or the link is no kprobe's.
fn missed(info: &bpf_link_info, len: usize) -> Option<u64> {
    // SAFETY: the kernel filled in the arm that belongs to a perf-event link, and unfilled bytes are zero.
    let (event, kprobe) = unsafe {
        let event = info.__bindgen_anon_1.perf_event;
        (event.type_, event.__bindgen_anon_1.kprobe)
    };
    let is_kprobe = event == BPF_PERF_EVENT_KPROBE as u32 || event == BPF_PERF_EVENT_KRETPROBE as u32;
    let filled = &raw const info.__bindgen_anon_1 as usize - &raw const *info as usize + MISSED_END;
    (is_kprobe && len >= filled).then_some(kprobe.missed)
}

/// From the start of the union to the end of `perf_event.kprobe.missed`: type, padding, name, length, offset, address, missed.
const MISSED_END: usize = 8 + 8 + 4 + 4 + 8 + 8;

/// Fills `T` from the kernel; also says how many bytes it filled.
fn object_info<T: Copy>(fd: BorrowedFd<'_>) -> Option<(T, usize)> {
    // SAFETY: both are plain data of the kernel's interface, for which all-zero is valid.
    let (mut info, mut attr) = unsafe { (std::mem::zeroed::<T>(), std::mem::zeroed::<bpf_attr>()) };
    attr.info.bpf_fd = fd.as_raw_fd().cast_unsigned();
    attr.info.info = &raw mut info as u64;
    attr.info.info_len = size_of::<T>() as u32;
    // SAFETY: the kernel writes at most `info_len` bytes to `info`, and both outlive the call.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_OBJ_GET_INFO_BY_FD as libc::c_long,
            &raw mut attr,
            size_of::<bpf_attr>(),
        )
    };
    // SAFETY: `info` is the arm of the union that was filled in above.
    let filled = unsafe { attr.info.info_len };
    (answer == 0).then_some((info, filled as usize))
}
