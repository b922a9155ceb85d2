//! How memory is read: through BTF pointers where the verifier follows them, by helper where not.

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;

use crate::{SKB_COPIES, config::config};

/// Covers `struct sk_buff` up to the last member read (232 bytes as a whole in 6.1); slab objects are no shorter.
pub(crate) type SkbCopy = [u64; 32];

/// A copy for each hook that can interrupt another on one CPU.
pub(crate) const COPIES: u32 = 2;

/// Which copy a hook uses: `kfree_skb` can run in an interrupt, on top of any other.
#[derive(Clone, Copy)]
pub(crate) enum CopyOf {
    Transmit = 0,
    Freed = 1,
}

/// Plain values that a load may return.
pub(crate) trait Word: Copy {
    const ZERO: Self;
}
impl Word for u8 {
    const ZERO: Self = 0;
}
impl Word for u16 {
    const ZERO: Self = 0;
}
impl Word for u32 {
    const ZERO: Self = 0;
}
impl Word for u64 {
    const ZERO: Self = 0;
}
impl Word for *const u8 {
    const ZERO: Self = core::ptr::null();
}

/// How a kind of program reads kernel memory.
pub(crate) trait Memory {
    /// A look at memory is a call of a helper.
    const IS_DEAR: bool;

    /// One value at `base + offset`; zero where it cannot be read.
    fn load<T: Word>(base: *const u8, offset: u32) -> T;

    /// Whether what lies behind `skb->head` can be loaded as it lies there.
    fn loads_from_head() -> bool;

    /// Something whose fields [`field`] can read: the skb itself, or a copy of it.
    fn skb(skb: *const u8, copy: CopyOf) -> Option<*const u8>;
}

/// Loads through BTF pointers: fentry, fexit and tp_btf. The kernel makes a faulting load return 0.
pub(crate) struct Direct;

/// Loads by helper: kprobes and raw tracepoints.
pub(crate) struct Probed;

impl Memory for Direct {
    const IS_DEAR: bool = false;

    #[inline(always)]
    fn load<T: Word>(base: *const u8, offset: u32) -> T {
        field(base, offset)
    }

    #[inline(always)]
    fn loads_from_head() -> bool {
        config!(loads_from_head) != 0
    }

    #[inline(always)]
    fn skb(skb: *const u8, _: CopyOf) -> Option<*const u8> {
        Some(skb)
    }
}

impl Memory for Probed {
    const IS_DEAR: bool = true;

    #[inline(always)]
    fn load<T: Word>(base: *const u8, offset: u32) -> T {
        let mut value = T::ZERO;
        if read(&raw mut value, base.wrapping_add(offset as usize).cast()) { value } else { T::ZERO }
    }

    #[inline(always)]
    fn loads_from_head() -> bool {
        false
    }

    /// One batched read: a read a field is three times as dear.
    #[inline(always)]
    fn skb(skb: *const u8, copy: CopyOf) -> Option<*const u8> {
        let to = SKB_COPIES.get_ptr_mut(copy as u32)?;
        read(to, skb.cast()).then_some(to.cast_const().cast())
    }
}

/// One value of a structure that the verifier lets us load from.
#[inline(always)]
pub(crate) fn field<T: Word>(base: *const u8, offset: u32) -> T {
    // SAFETY: the verifier checks the load; volatile keeps LLVM from widening or merging it.
    unsafe { core::ptr::read_volatile(base.wrapping_add(offset as usize).cast()) }
}

/// Copies a `T` from anywhere in the kernel. False if it cannot be read.
#[inline(always)]
pub(crate) fn read<T>(to: *mut T, from: *const T) -> bool {
    // SAFETY: the helper checks `from`, and `to` has room for a `T`.
    unsafe { bpf_probe_read_kernel(to.cast(), size_of::<T>() as u32, from.cast()) == 0 }
}
