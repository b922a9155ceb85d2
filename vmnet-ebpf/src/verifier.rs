//! What LLVM and the verifier are to know of a value, and what not.

/// Hides from LLVM what it knows of a value, so that a bounds check after it stays where the verifier needs it.
#[inline(always)]
pub(crate) fn opaque(value: u64) -> u64 {
    #[cfg(target_arch = "bpf")]
    {
        let mut value = value;
        // SAFETY: moves a register to itself.
        unsafe { core::arch::asm!("{0} = {0}", inout(reg) value, options(nomem, nostack, preserves_flags)) };
        value
    }
    #[cfg(not(target_arch = "bpf"))]
    core::hint::black_box(value)
}

/// Has the verifier forget what it knows of a value, and LLVM too, by way of memory that others could write. To the verifier, ways
/// through the program that differ in this value alone are one from there on, and it follows the rest once and not once for each.
#[inline(always)]
pub(crate) fn forget(value: u32, by_way_of: *mut u32) -> u32 {
    // SAFETY: the callers' pointers are into the per-CPU map.
    unsafe {
        core::ptr::write_volatile(by_way_of, value);
        core::ptr::read_volatile(by_way_of)
    }
}
