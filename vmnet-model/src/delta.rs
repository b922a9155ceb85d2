//! The difference of two samples.

use vmnet_common::{Counters, Lane, Stage};

use super::light::ledger::Light;
use super::machine::QueueCounters;
use super::sample::{CpuTimes, CpuWork, MissedByKernel, QdiscCounters, Retransmitted, Sample, SocketTotals};
use super::tally::{Tally, bounded};
use crate::features::Features;
use crate::link_counters::LinkCounters;

/// What happened between two samples. A part that either sample lacks, or whose counters went backwards (the
/// interface or its qdisc was recreated), is None: never a huge number.
#[derive(Clone, Debug)]
pub struct Delta {
    /// Its end, since the run began.
    pub end_ns: u64,
    /// Its length.
    pub duration_ns: u64,
    /// The programs' counts. Boxed, as they are large. Where counting is light, what the driver took is what the light ledger
    /// makes of it.
    pub traced: Option<Box<Counters>>,
    /// Whether it is one of the audit's windows, or several of them.
    pub every_segment: bool,
    /// The light ledger, or why it takes the exact hooks. None where counting is exact, and of two samples without their window.
    pub light: Option<Result<Box<Light>, String>>,
    /// Frees by `kfree_skb` that were no drops, and are not among them.
    pub freed_after_sending: u64,
    /// What the kernel did not run.
    pub missed: MissedByKernel,
    /// The interface's own counters.
    pub link: Option<LinkCounters>,
    /// The root qdisc's. None too where there was none.
    pub qdisc: Option<QdiscDelta>,
    /// One per CPU; empty where the number of CPUs changed.
    pub cpus: Vec<CpuTimes>,
    /// What each CPU did; empty where either sample does not tell.
    pub work: Vec<CpuWork>,
    /// What each transmit queue sent; empty where the number of queues changed.
    pub queues: Vec<QueueCounters>,
    /// The interface's sockets.
    pub sockets: Option<SocketsDelta>,
    /// What they retransmitted.
    pub retransmitted: Option<Retransmitted>,
    /// Offloads at its end.
    pub features: Features,
    /// Round trip at its end: see [`Sample::rtt_us`].
    pub rtt_us: Option<u32>,
}

/// A qdisc's counters over a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QdiscDelta {
    /// Dequeued bytes, with the headers that segmentation adds.
    pub bytes: u64,
    /// Dequeued wire segments.
    pub packets: u64,
    /// skbs dropped.
    pub drops: u64,
    /// skbs put back because the driver was busy.
    pub requeues: u64,
    /// Whether a qdisc of the tree segments by itself, at either end.
    pub may_segment: bool,
}

/// TCP sockets over a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketsDelta {
    /// Payload handed to IP, retransmits included.
    pub bytes_sent: u64,
    /// How much more (or less) waits unsent than before.
    pub bytes_not_sent: i64,
    /// Whether the sums are a lower bound.
    pub lower_bound: bool,
}

impl Delta {
    /// `later` − `earlier`.
    #[must_use]
    pub fn between(earlier: &Sample, later: &Sample) -> Self {
        let traced = match (&earlier.traced, &later.traced) {
            (Some(earlier), Some(later)) => Some(Box::new(later.since(earlier))),
            _ => None,
        };
        let qdisc = match (&earlier.qdisc, &later.qdisc) {
            (Some(earlier), Some(later)) => qdisc_between(earlier, later),
            _ => None,
        };
        let sockets = both(earlier.sockets, later.sockets, sockets_between);
        let cpus = both_lists(&earlier.cpus, &later.cpus, |earlier, later| later.since(earlier));
        let work = both_lists(&earlier.work, &later.work, |earlier, later| CpuWork {
            segmentation_ns: later.segmentation_ns.saturating_sub(earlier.segmentation_ns),
            tcp_payload_bytes: later.tcp_payload_bytes.saturating_sub(earlier.tcp_payload_bytes),
        });
        let since = |earlier, later| both(earlier, later, |earlier: u64, later| later.checked_sub(earlier));
        let queues = both_lists(&earlier.queues, &later.queues, |earlier, later| QueueCounters {
            packets: since(earlier.packets, later.packets),
            bytes: since(earlier.bytes, later.bytes),
            kicks: since(earlier.kicks, later.kicks),
        });
        Self {
            end_ns: later.at_ns,
            duration_ns: later.at_ns.saturating_sub(earlier.at_ns),
            traced,
            every_segment: later.every_segment,
            light: None,
            freed_after_sending: 0,
            missed: MissedByKernel {
                recursion_misses: both(
                    earlier.missed.recursion_misses,
                    later.missed.recursion_misses,
                    |earlier, later| later.checked_sub(earlier),
                ),
                kprobe_misses: both(
                    earlier.missed.kprobe_misses,
                    later.missed.kprobe_misses,
                    |earlier, later| later.checked_sub(earlier),
                ),
            },
            link: link_between(&earlier.link, &later.link),
            qdisc,
            cpus,
            work,
            queues,
            sockets,
            retransmitted: both(earlier.retransmitted, later.retransmitted, Retransmitted::between),
            features: later.features,
            rtt_us: later.rtt_us,
        }
    }

    /// This one and the next, as one.
    pub(crate) fn then(self, next: Self) -> Self {
        let traced = match (self.traced, next.traced) {
            (Some(mut sum), Some(next)) => {
                sum.add(&next);
                sum.last_features = next.last_features;
                Some(sum)
            }
            _ => None,
        };
        Self {
            end_ns: next.end_ns,
            duration_ns: self.duration_ns.saturating_add(next.duration_ns),
            traced,
            every_segment: self.every_segment && next.every_segment,
            light: None,
            freed_after_sending: 0,
            missed: MissedByKernel {
                recursion_misses: both(
                    self.missed.recursion_misses,
                    next.missed.recursion_misses,
                    u64::checked_add,
                ),
                kprobe_misses: both(self.missed.kprobe_misses, next.missed.kprobe_misses, u64::checked_add),
            },
            link: both(self.link, next.link, |a, b| {
                Some(LinkCounters {
                    tx_packets: a.tx_packets.checked_add(b.tx_packets)?,
                    tx_bytes: a.tx_bytes.checked_add(b.tx_bytes)?,
                    tx_dropped: a.tx_dropped.checked_add(b.tx_dropped)?,
                    tx_errors: a.tx_errors.checked_add(b.tx_errors)?,
                })
            }),
            qdisc: both(self.qdisc, next.qdisc, |a, b| {
                Some(QdiscDelta {
                    bytes: a.bytes.checked_add(b.bytes)?,
                    packets: a.packets.checked_add(b.packets)?,
                    drops: a.drops.checked_add(b.drops)?,
                    requeues: a.requeues.checked_add(b.requeues)?,
                    may_segment: a.may_segment || b.may_segment,
                })
            }),
            cpus: both_lists(&self.cpus, &next.cpus, add_cpus),
            work: both_lists(&self.work, &next.work, |a, b| CpuWork {
                segmentation_ns: a.segmentation_ns.saturating_add(b.segmentation_ns),
                tcp_payload_bytes: a.tcp_payload_bytes.saturating_add(b.tcp_payload_bytes),
            }),
            queues: both_lists(&self.queues, &next.queues, |a, b| QueueCounters {
                packets: both(a.packets, b.packets, u64::checked_add),
                bytes: both(a.bytes, b.bytes, u64::checked_add),
                kicks: both(a.kicks, b.kicks, u64::checked_add),
            }),
            // No sums of parts: `Window::delta` takes them from the edges.
            sockets: None,
            retransmitted: None,
            features: next.features,
            rtt_us: next.rtt_us,
        }
    }
}

pub(crate) fn both<T, U>(a: Option<T>, b: Option<T>, f: impl FnOnce(T, T) -> Option<U>) -> Option<U> {
    f(a?, b?)
}

/// Place by place; empty where their lengths differ.
fn both_lists<T>(a: &[T], b: &[T], f: impl Fn(&T, &T) -> T) -> Vec<T> {
    if a.len() == b.len() { a.iter().zip(b).map(|(a, b)| f(a, b)).collect() } else { Vec::new() }
}

/// How much a 64-bit counter grew. A wrap is believed only close to the end of the range; anything else that went
/// backwards started anew.
fn growth(earlier: u64, later: u64) -> Option<u64> {
    const NEAR_THE_END: u64 = 1 << 62;
    match later.checked_sub(earlier) {
        Some(growth) => Some(growth),
        None => Some(later.wrapping_sub(earlier)).filter(|growth| *growth < NEAR_THE_END),
    }
}

fn link_between(earlier: &LinkCounters, later: &LinkCounters) -> Option<LinkCounters> {
    Some(LinkCounters {
        tx_packets: growth(earlier.tx_packets, later.tx_packets)?,
        tx_bytes: growth(earlier.tx_bytes, later.tx_bytes)?,
        tx_dropped: growth(earlier.tx_dropped, later.tx_dropped)?,
        tx_errors: growth(earlier.tx_errors, later.tx_errors)?,
    })
}

fn qdisc_between(earlier: &QdiscCounters, later: &QdiscCounters) -> Option<QdiscDelta> {
    // No packet is shorter than an Ethernet header, so more packets than that is no wrap but another qdisc.
    const SHORTEST_PACKET_BYTES: u64 = 14;
    let bytes = growth(earlier.bytes, later.bytes)?;
    let packets = if earlier.packets_are_32_bit || later.packets_are_32_bit {
        let growth = u64::from((later.packets as u32).wrapping_sub(earlier.packets as u32));
        let wrapped = (later.packets as u32) < (earlier.packets as u32);
        if wrapped && growth.saturating_mul(SHORTEST_PACKET_BYTES) > bytes {
            return None;
        }
        growth
    } else {
        growth(earlier.packets, later.packets)?
    };
    Some(QdiscDelta {
        bytes,
        packets,
        // Both are 32 bits wide in `struct gnet_stats_queue`.
        drops: growth(earlier.drops, later.drops).unwrap_or_else(|| wrapped_u32(earlier.drops, later.drops)),
        requeues: growth(earlier.requeues, later.requeues)
            .unwrap_or_else(|| wrapped_u32(earlier.requeues, later.requeues)),
        may_segment: earlier.may_segment || later.may_segment,
    })
}

fn wrapped_u32(earlier: u64, later: u64) -> u64 {
    u64::from((later as u32).wrapping_sub(earlier as u32))
}

impl Delta {
    /// TCP payload that was retransmitted in these lanes, as far as it can be known: a packet does not say so, and its sender's socket
    /// is asked only where its route leaves through this interface. (By the time a packet that waited in a queue above comes here, TCP has
    /// moved on, and every one looks as if it came a second time.) None where more than 1 % of the payload has other senders.
    #[must_use]
    pub fn retransmitted_bytes(&self, counted: &Counters, lanes: &[Lane]) -> Option<u64> {
        const OTHERS_ONE_IN: u64 = 100;
        let by_family = self.retransmitted?;
        let queued = Tally::of(counted, Stage::Queue, lanes);
        let others = queued.forwarded_payload_bytes.saturating_add(queued.upper_payload_bytes);
        if others > queued.payload_bytes / OTHERS_ONE_IN {
            return None;
        }
        let of = |lane: &Lane| match lane {
            Lane::Tcp4 => bounded(by_family.ipv4),
            Lane::Tcp6 => bounded(by_family.ipv6),
            Lane::Udp4 | Lane::Udp6 | Lane::Other => 0,
        };
        Some(lanes.iter().map(of).sum())
    }
}

impl Retransmitted {
    /// None where a socket that was counted is not any more.
    pub(crate) fn between(earlier: Self, later: Self) -> Option<Self> {
        Some(Self { ipv4: growth(earlier.ipv4, later.ipv4)?, ipv6: growth(earlier.ipv6, later.ipv6)? })
    }
}

pub(crate) fn sockets_between(earlier: SocketTotals, later: SocketTotals) -> Option<SocketsDelta> {
    let not_sent =
        |totals: &SocketTotals| i128::from(totals.bytes_not_sent) + i128::from(totals.bytes_discarded);
    let not_sent = not_sent(&later) - not_sent(&earlier);
    Some(SocketsDelta {
        bytes_sent: growth(earlier.bytes_sent, later.bytes_sent)?,
        bytes_not_sent: i64::try_from(not_sent).ok()?,
        lower_bound: earlier.lower_bound || later.lower_bound,
    })
}

fn add_cpus(a: &CpuTimes, b: &CpuTimes) -> CpuTimes {
    CpuTimes {
        busy_ns: a.busy_ns.saturating_add(b.busy_ns),
        softirq_ns: a.softirq_ns.saturating_add(b.softirq_ns),
        steal_ns: a.steal_ns.saturating_add(b.steal_ns),
        total_ns: a.total_ns.saturating_add(b.total_ns),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Scene, sample_at};
    use proptest::prelude::*;

    fn qdisc(bytes: u64, packets: u64) -> Option<QdiscCounters> {
        Some(QdiscCounters { bytes, packets, packets_are_32_bit: true, ..QdiscCounters::default() })
    }

    #[test]
    fn a_32_bit_qdisc_counter_may_wrap_more_than_once_in_a_window() {
        let mut scene = Scene::new();
        let step = 3_000_000_000_u64;
        scene.samples = (0..5)
            .map(|i| Sample { qdisc: qdisc(i * step * 1_500, (i * step) & 0xffff_ffff), ..sample_at(i) })
            .collect();
        assert_eq!(scene.window().delta().unwrap().qdisc.unwrap().packets, 4 * step);
    }

    #[test]
    fn sockets_are_compared_between_the_edges_though_no_sample_between_knows_them() {
        let mut scene = Scene::new();
        let sockets = |bytes_sent| Some(SocketTotals { bytes_sent, ..SocketTotals::default() });
        scene.samples = vec![
            Sample { sockets: sockets(1_000), ..sample_at(0) },
            Sample { sockets: None, ..sample_at(1) },
            Sample { sockets: sockets(5_000), ..sample_at(2) },
        ];
        assert_eq!(scene.window().delta().unwrap().sockets.unwrap().bytes_sent, 4_000);
        scene.samples.pop();
        assert_eq!(scene.window().delta().unwrap().sockets, None);
    }

    #[test]
    fn a_qdisc_that_was_replaced_has_no_difference() {
        let mut scene = Scene::new();
        scene.samples = vec![
            Sample { qdisc: qdisc(9_000_000, 6_000), ..sample_at(0) },
            Sample { qdisc: qdisc(1_500, 1), ..sample_at(1) },
        ];
        assert_eq!(scene.window().delta().unwrap().qdisc, None);
        // The new one may have sent more bytes than the old: the packets give it away.
        scene.samples[1].qdisc = qdisc(9_001_500, 1);
        assert_eq!(scene.window().delta().unwrap().qdisc, None);
    }

    #[test]
    fn an_interface_that_was_created_anew_has_no_difference_even_if_it_caught_up() {
        let mut scene = Scene::new();
        scene.samples = [1_000, 10, 5_000]
            .iter()
            .zip(0..)
            .map(|(&tx_packets, at)| Sample {
                link: LinkCounters { tx_packets, ..LinkCounters::default() },
                ..sample_at(at)
            })
            .collect();
        assert_eq!(scene.window().delta().unwrap().link, None);
        let by_interval: Vec<_> = scene.window().intervals().map(|delta| delta.link.is_some()).collect();
        assert_eq!(by_interval, [false, true]);
    }

    #[test]
    fn a_64_bit_counter_may_wrap() {
        assert_eq!(growth(u64::MAX - 9, 10), Some(20));
        assert_eq!(growth(1 << 33, 10), None);
    }

    #[test]
    fn cpus_that_came_or_went_are_not_compared() {
        let mut scene = Scene::new();
        scene.samples[1].cpus.pop();
        assert!(scene.window().delta().unwrap().cpus.is_empty());
    }

    #[test]
    fn one_sample_makes_no_window() {
        let mut scene = Scene::new();
        scene.samples.truncate(1);
        assert!(scene.window().delta().is_none());
        assert_eq!(scene.window().duration_ns(), 0);
    }

    proptest! {
        #[test]
        fn any_two_samples_can_be_subtracted(a in any::<[u64; 8]>(), b in any::<[u64; 8]>(), narrow: bool) {
            let wild = |v: [u64; 8], at| Sample {
                at_ns: v[0],
                link: LinkCounters { tx_packets: v[1], tx_bytes: v[2], tx_dropped: v[3], tx_errors: v[4] },
                qdisc: Some(QdiscCounters {
                    bytes: v[5], packets: v[6], packets_are_32_bit: narrow, drops: v[7], ..QdiscCounters::default()
                }),
                sockets: Some(SocketTotals { bytes_sent: v[1], bytes_not_sent: v[2], ..SocketTotals::default() }),
                ..sample_at(at)
            };
            let mut scene = Scene::new();
            scene.samples = vec![wild(a, 0), wild(b, 1), wild(a, 2)];
            let delta = scene.window().delta();
            prop_assert!(delta.is_some());
        }
    }
}
