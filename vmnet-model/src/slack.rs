//! How much residual the edges of a window explain.

use super::delta::Delta;
use super::identity::Unit;
use super::sample::{QdiscCounters, Sample, Window};
use super::tally::{Tally, bounded, scaled_up};
use vmnet_common::{Lane, Stage};

/// The two edges of a window, as far as they were not at rest.
pub(crate) struct Edges<'a> {
    unrested: Vec<&'a Sample>,
    duration_ns: u64,
    ring_slots: u64,
    cpus: u64,
    requeued: bool,
    /// Wire segments of the whole window at the driver, all protocols.
    segs: u64,
}

impl<'a> Edges<'a> {
    pub(crate) fn of(window: &Window<'a>, delta: &Delta) -> Self {
        let start = window.samples.first().filter(|_| !window.rested_at_start);
        let end = window.samples.last().filter(|_| !window.drained);
        Self {
            unrested: start.into_iter().chain(end).collect(),
            duration_ns: window.duration_ns(),
            // Where the ring's size is unknown nothing is granted for it: a residual then shows as such.
            ring_slots: bounded(window.conditions.ring_slots.unwrap_or(0)),
            cpus: window.samples.iter().map(|sample| sample.cpus.len()).max().unwrap_or(0).max(1) as u64,
            segs: delta.traced.as_deref().map_or(0, |counted| {
                let segs = |stage| Tally::of(counted, stage, &Lane::ALL).segs;
                // Where counting is light, the queue is all there is.
                Some(segs(Stage::Driver)).filter(|segs| *segs != 0).unwrap_or_else(|| segs(Stage::Queue))
            }),
            requeued: delta.qdisc.is_some_and(|qdisc| qdisc.requeues != 0),
        }
    }

    /// What may pass between the first and the last read of a sample: at each edge, twice the window's mean rate
    /// of `value` times the time that the reads took; or, in a burst, twice the share that the programs saw pass.
    pub(crate) fn reading(&self, value: u64) -> u64 {
        self.during(value, |sample| sample.read_ns)
    }

    /// The same for what is compared with the sockets, which are read after all else.
    pub(crate) fn reading_sockets(&self, value: u64) -> u64 {
        self.during(value, |sample| sample.sockets.map_or(0, |sockets| sockets.read_ns).max(sample.read_ns))
    }

    /// What calls of `tcp_sendmsg` under way at an edge have put into their sockets and not yet returned: at most one
    /// call a socket, of the mean size.
    pub(crate) fn calls_under_way(&self, taken_bytes: u64, calls: u64) -> u64 {
        let sockets = self.unrested.iter().filter_map(|sample| sample.sockets);
        let live = sockets.fold(0_u64, |sum, sockets| sum.saturating_add(bounded(sockets.live)));
        scaled_up(taken_bytes, live, calls)
    }

    fn during(&self, value: u64, reads_ns: impl Fn(&Sample) -> u64) -> u64 {
        let reads_ns = self.unrested.iter().fold(0_u64, |sum, sample| sum.saturating_add(reads_ns(sample)));
        let moved_segs =
            self.unrested.iter().fold(0_u64, |sum, sample| sum.saturating_add(sample.moved_segs));
        let by_time = scaled_up(value, reads_ns.saturating_mul(2), self.duration_ns);
        by_time.max(scaled_up(value, moved_segs.saturating_mul(2), self.segs))
    }

    /// What may wait in the qdisc. Its packets are skbs or segments as the qdisc likes: both are granted.
    pub(crate) fn backlog(&self, unit: Unit, queued: &Tally) -> u64 {
        self.qdiscs().fold(0, |sum: u64, qdisc| {
            let waiting = match unit {
                Unit::Bytes => qdisc.backlog_bytes,
                _ => {
                    let on_wire = queued.bytes.saturating_add(queued.unsent_header_bytes);
                    scaled_up(bounded(qdisc.backlog_bytes), queued.segs, on_wire)
                        .saturating_add(bounded(qdisc.backlog_packets))
                }
            };
            sum.saturating_add(bounded(waiting))
        })
    }

    /// What may wait in the qdisc, of so many wire segments and their bytes that were queued: packets and bytes.
    pub(crate) fn backlog_of(&self, segs: u64, on_wire_bytes: u64) -> (u64, u64) {
        let queued = Tally { segs, bytes: on_wire_bytes, ..Tally::default() };
        (self.backlog(Unit::Packets, &queued), self.backlog(Unit::Bytes, &queued))
    }

    /// A requeued packet was counted as dequeued, and waits again.
    pub(crate) fn requeued(&self, unit: Unit, queued: &Tally) -> u64 {
        if self.requeued { self.backlog(unit, queued) } else { 0 }
    }

    /// What the device may hold without having counted it, times `each`.
    pub(crate) fn ring(&self, each: u64) -> u64 {
        self.each_edge(self.ring_slots).saturating_mul(each)
    }

    /// `calls` on every CPU.
    pub(crate) fn in_flight(&self, calls: u64) -> u64 {
        self.each_edge(self.cpus).saturating_mul(calls)
    }

    fn each_edge(&self, amount: u64) -> u64 {
        amount.saturating_mul(self.unrested.len() as u64)
    }

    fn qdiscs(&self) -> impl Iterator<Item = &QdiscCounters> {
        self.unrested.iter().filter_map(|sample| sample.qdisc.as_ref())
    }
}
