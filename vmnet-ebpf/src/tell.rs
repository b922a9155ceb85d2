//! Rare events, through the ring buffer.

use aya_ebpf::helpers::generated::{bpf_get_smp_processor_id, bpf_ktime_get_ns};
use vmnet_common::{Counters, Event, EventKind};

use crate::{EVENTS, per_cpu::add};

/// Sends one event; counts it as lost where there is no room.
#[inline(always)]
pub(crate) fn tell(counters: *mut Counters, kind: EventKind, a: u64, b: u64) {
    // SAFETY: both helpers only return a number.
    let (time_ns, cpu) = unsafe { (bpf_ktime_get_ns(), bpf_get_smp_processor_id()) };
    let event = Event { time_ns, kind: kind as u32, cpu, a, b };
    if EVENTS.output::<Event>(event, 0).is_err() {
        add!(counters, health.events_lost, 1);
    }
}
