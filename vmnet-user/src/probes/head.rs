//! Whether programs may load from behind `skb->head` as they do from a structure: from 6.17 the verifier takes it for memory that may
//! be read and not trusted. Before, each look costs a call of `bpf_probe_read_kernel`. Found by loading four instructions.

use std::{
    mem::size_of,
    os::fd::{FromRawFd, OwnedFd},
};

use aya_obj::generated::{
    bpf_attach_type::BPF_TRACE_RAW_TP, bpf_attr, bpf_cmd::BPF_PROG_LOAD, bpf_prog_type::BPF_PROG_TYPE_TRACING,
};

use crate::kernel::Btf;

/// A tracepoint whose first argument is an skb.
const TRACEPOINT: &str = "net_dev_queue";

const LOAD_U64: u8 = 0x79;
const LOAD_U8: u8 = 0x71;
const EXIT: u8 = 0x95;

/// Tries it. `skb_head` is the member's offset.
pub(super) fn can_be_loaded_from(btf: &Btf, skb_head: u32) -> bool {
    let Some(tracepoint) = btf.tracepoint(TRACEPOINT) else { return false };
    let Ok(skb_head) = i16::try_from(skb_head) else { return false };
    let instructions = [
        instruction(LOAD_U64, 1, 1, 0),
        instruction(LOAD_U64, 1, 1, skb_head),
        instruction(LOAD_U8, 0, 1, 0),
        instruction(EXIT, 0, 0, 0),
    ];
    // SAFETY: plain data of the kernel's interface, for which all-zero is valid.
    let mut attr = unsafe { std::mem::zeroed::<bpf_attr>() };
    // SAFETY: all arms of the union are plain data, and this is the one that BPF_PROG_LOAD reads.
    let load = unsafe { &mut attr.__bindgen_anon_3 };
    load.prog_type = BPF_PROG_TYPE_TRACING as u32;
    load.expected_attach_type = BPF_TRACE_RAW_TP as u32;
    load.attach_btf_id = tracepoint;
    load.insns = instructions.as_ptr() as u64;
    load.insn_cnt = instructions.len() as u32;
    load.license = c"GPL".as_ptr() as u64;
    // SAFETY: what the attributes point to outlives the call.
    let fd = unsafe {
        libc::syscall(libc::SYS_bpf, BPF_PROG_LOAD as libc::c_long, &raw mut attr, size_of::<bpf_attr>())
    };
    if fd >= 0 {
        // SAFETY: a new descriptor, and nobody else's.
        drop(unsafe { OwnedFd::from_raw_fd(fd as i32) });
    }
    fd >= 0
}

/// `struct bpf_insn`: code, both registers in one byte, offset, no immediate value.
fn instruction(code: u8, destination: u8, source: u8, offset: i16) -> [u8; 8] {
    let registers =
        if cfg!(target_endian = "little") { source << 4 | destination } else { destination << 4 | source };
    let [low, high] = offset.to_ne_bytes();
    [code, registers, low, high, 0, 0, 0, 0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn an_instruction_is_laid_out_as_the_kernel_reads_it() {
        assert_eq!(instruction(LOAD_U64, 1, 2, 0x102), [0x79, 0x21, 0x02, 0x01, 0, 0, 0, 0]);
    }
}
