//! Pairing entries with exits: a small stack of calls under way, one a CPU.
//!
//! Bottom halves are off on the transmit path, so calls nest there. Elsewhere (IP output in a task) a call can be
//! preempted or migrate, so an exit looks for its own entry and drops what lies above it.

use crate::{CALLS, verifier::opaque};

const DEPTH: usize = 4;

/// Which function is under way.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Function {
    SkbGsoSegment = 1,
    SkbSegment = 2,
}

/// One call under way.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Call {
    /// What exit and entry both know: the skb's address (fentry) or the stack pointer (kprobe).
    pub(crate) key: u64,
    /// The skb's address.
    pub(crate) skb: u64,
    pub(crate) start_ns: u64,
    /// A [`Function`].
    pub(crate) function: u32,
    /// 0 for other interfaces, which are pushed too, or pops would go astray.
    pub(crate) ours: u32,
    /// `skb->len` at entry.
    pub(crate) len: u32,
    pub(crate) payload: u32,
    pub(crate) gso_size: u32,
    pub(crate) lane: u32,
    /// A `vmnet_common::Caller`.
    pub(crate) caller: u32,
    /// Segments made of what no local socket owns.
    pub(crate) loose: u32,
    /// A `vmnet_common::Refusal`.
    pub(crate) refusal: u32,
    /// Segments may be super-packets themselves (`GSO_PARTIAL`).
    pub(crate) partial: u32,
    /// What our own programs took inside the call.
    pub(crate) own_ns: u64,
}

/// The calls under way on one CPU.
#[repr(C)]
pub(crate) struct Stack {
    depth: u64,
    calls: [Call; DEPTH],
}

/// The place of the next call, to be filled in and then [`push`]ed. None where the stack is full.
#[inline(always)]
pub(crate) fn place() -> Option<(*mut Stack, *mut Call)> {
    let stack = CALLS.get_ptr_mut(0)?;
    // SAFETY: the pointer came from the per-CPU map; the index is bounded just before its use.
    unsafe {
        let depth = opaque((*stack).depth);
        if depth >= DEPTH as u64 {
            // What lies here belongs to calls that left by another CPU. Start afresh, or it would be full for good.
            (*stack).depth = 0;
            return None;
        }
        Some((stack, (&raw mut (*stack).calls).cast::<Call>().wrapping_add(depth as usize)))
    }
}

/// Puts what was filled in on the stack.
#[inline(always)]
pub(crate) fn push(stack: *mut Stack) {
    // SAFETY: the pointer came from `place`.
    unsafe { (*stack).depth += 1 };
}

/// The call of `function` for our interface, if one is on top.
#[inline(always)]
pub(crate) fn top(function: Function) -> Option<*mut Call> {
    let stack = CALLS.get_ptr_mut(0)?;
    // SAFETY: as in `push`.
    unsafe {
        let top = opaque((*stack).depth.wrapping_sub(1));
        if top >= DEPTH as u64 {
            return None;
        }
        let call = (&raw mut (*stack).calls).cast::<Call>().wrapping_add(top as usize);
        ((*call).function == function as u32 && (*call).ours != 0).then_some(call)
    }
}

/// Takes the call that `key` and `function` name off the stack, with all that lies above it.
#[inline(always)]
pub(crate) fn pop(function: Function, key: u64) -> Option<*const Call> {
    let stack = CALLS.get_ptr_mut(0)?;
    // SAFETY: as in `push`.
    unsafe {
        let mut depth = (*stack).depth;
        for _ in 0..DEPTH {
            let index = opaque(depth.wrapping_sub(1));
            if index >= DEPTH as u64 {
                return None;
            }
            let call = (&raw const (*stack).calls).cast::<Call>().wrapping_add(index as usize);
            if (*call).key == key && (*call).function == function as u32 {
                (*stack).depth = index;
                return Some(call);
            }
            depth = index;
        }
    }
    None
}
