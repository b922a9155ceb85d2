//! What this CPU counts and keeps.

use vmnet_common::{Counters, PerCpu};

use crate::COUNTERS;

/// All that this CPU keeps.
#[inline(always)]
pub(crate) fn per_cpu() -> Option<*mut PerCpu> {
    COUNTERS.get_ptr_mut(0)
}

/// This CPU's counters.
#[inline(always)]
pub(crate) fn counters() -> Option<*mut Counters> {
    per_cpu().map(counters_of)
}

/// The counters among all that a CPU keeps.
#[inline(always)]
pub(crate) fn counters_of(per_cpu: *mut PerCpu) -> *mut Counters {
    // SAFETY: the pointer came from the per-CPU map, whose value is a `PerCpu`.
    unsafe { &raw mut (*per_cpu).counters }
}

/// Adds to one field of [`Counters`].
macro_rules! add {
    ($counters:expr, $($field:ident).+, $amount:expr) => {{
        let amount: u64 = $amount;
        // SAFETY: the pointer came from the per-CPU map, whose value holds a `Counters`; only this CPU writes it.
        unsafe { (*$counters).$($field).+ = (*$counters).$($field).+.wrapping_add(amount) }
    }};
}
pub(crate) use add;
