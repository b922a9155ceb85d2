//! The queueing disciplines of an interface and their counters (`RTM_GETQDISC`).

use std::sync::OnceLock;

use netlink_sys::protocols::NETLINK_ROUTE;

use super::{
    attributes::{attribute, text, u32_at, u64_at},
    driver::kernel_release,
    netlink::{Netlink, NetlinkError},
};
use crate::model::{machine::QdiscCounts, sample::QdiscCounters};

/// `struct tcmsg`.
const TCMSG_BYTES: usize = 20;
/// `linux/pkt_sched.h`: the parent of a root qdisc.
const TC_H_ROOT: u32 = 0xFFFF_FFFF;
/// `linux/pkt_sched.h`: the parent of `ingress` and `clsact`, which transmit nothing.
const TC_H_INGRESS: u32 = 0xFFFF_FFF1;
/// `linux/pkt_sched.h`, `TC_H_MIN_INGRESS` of [`TC_H_INGRESS`]: what filters of `ingress` and `clsact` belong to.
const FILTERS_IN: u32 = 0xFFFF_FFF2;
/// `TC_H_MIN_EGRESS` of it; and what the kernel takes for the root qdisc (`tc_dump_tfilter`).
const FILTERS_OUT: [u32; 2] = [0xFFFF_FFF3, 0];
/// `linux/gen_stats.h`.
const TCA_STATS_BASIC: u16 = 1;
/// `linux/gen_stats.h`.
const TCA_STATS_QUEUE: u16 = 3;
/// `linux/gen_stats.h`.
const TCA_STATS_PKT64: u16 = 8;

/// Qdiscs that cut super-packets up by themselves (cake with split-gso, tbf above its burst, netem, taprio).
const SEGMENTING_KINDS: [&str; 4] = ["cake", "tbf", "netem", "taprio"];
/// Qdiscs with one child per transmit queue, past which packets go to the children without being counted at the root.
const MULTIQUEUE_KINDS: [&str; 3] = ["mq", "mqprio", "taprio"];

/// The transmit side of an interface's qdiscs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QdiscTree {
    /// The root's kind. None where the kernel shows none (an interface that was never up).
    pub root: Option<String>,
    /// Every kind of the tree, each once, the root's first.
    pub kinds: Vec<String>,
    /// The root's counters (mq, mqprio, taprio: the sum over its children). None for `noqueue`, which counts nothing, and where
    /// there is no root.
    pub counters: Option<QdiscCounters>,
}

/// Asks the kernel about qdiscs. Keep it open for repeated reads.
#[derive(Debug)]
pub struct QdiscReader {
    netlink: Netlink,
}

impl QdiscReader {
    /// Opens the socket, in the network namespace of this thread.
    ///
    /// # Errors
    /// When the kernel refuses the socket.
    pub fn open() -> Result<Self, NetlinkError> {
        Ok(Self { netlink: Netlink::open(NETLINK_ROUTE)? })
    }

    /// The qdiscs of one interface now. The kernel can only list those of all interfaces, so this costs with their number.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn read(&mut self, ifindex: u32) -> Result<QdiscTree, NetlinkError> {
        let messages = self.netlink.dump(libc::RTM_GETQDISC, &[0; TCMSG_BYTES])?;
        let qdiscs: Vec<_> = messages.iter().filter_map(|message| Qdisc::parse(message)).collect();
        Ok(tree(&qdiscs, ifindex, keeps_64_bits()))
    }

    /// Whether filters of an interface, on its way in or out, hand packets to other devices (`act_mirred`). False where the kernel does not tell.
    pub fn redirects(&mut self, ifindex: u32) -> bool {
        self.redirects_at(ifindex, FILTERS_IN) || self.redirects_out(ifindex)
    }

    /// The same on its way out alone.
    pub fn redirects_out(&mut self, ifindex: u32) -> bool {
        FILTERS_OUT.into_iter().any(|parent| self.redirects_at(ifindex, parent))
    }

    fn redirects_at(&mut self, ifindex: u32, parent: u32) -> bool {
        let mut request = [0; TCMSG_BYTES];
        request[4..8].copy_from_slice(&ifindex.to_ne_bytes());
        request[12..16].copy_from_slice(&parent.to_ne_bytes());
        let filters = self.netlink.dump(libc::RTM_GETTFILTER, &request).unwrap_or_default();
        filters.iter().any(|message| hands_on(message))
    }
}

/// Where an action's kind stands depends on the kind of filter around it; its name is its own.
fn hands_on(filter: &[u8]) -> bool {
    const MIRRED: &[u8] = b"mirred\0";
    filter.windows(MIRRED.len()).any(|window| window == MIRRED)
}

/// Since 5.5 the kernel counts a qdisc's packets in 64 bits, and adds `TCA_STATS_PKT64` once 32 are too few; without the
/// attribute the 32-bit figure is then the whole. Before 5.5, it wraps.
fn keeps_64_bits() -> bool {
    static KEEPS: OnceLock<bool> = OnceLock::new();
    *KEEPS.get_or_init(|| kernel_release().is_ok_and(|release| at_least_5_5(&release)))
}

fn at_least_5_5(release: &str) -> bool {
    let mut numbers = release.split(|letter: char| !letter.is_ascii_digit()).map(str::parse::<u32>);
    matches!((numbers.next(), numbers.next()), (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= (5, 5))
}

/// One qdisc, as the kernel lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Qdisc {
    ifindex: u32,
    handle: u32,
    parent: u32,
    kind: String,
    stats: Option<Stats>,
}

/// `TCA_STATS2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stats {
    bytes: u64,
    packets_32: u32,
    packets_64: Option<u64>,
    backlog_packets: u32,
    backlog_bytes: u32,
    drops: u32,
    requeues: u32,
}

impl Qdisc {
    pub(super) fn parse(message: &[u8]) -> Option<Self> {
        let values = message.get(TCMSG_BYTES..)?;
        Some(Self {
            ifindex: u32_at(message, 4)?,
            handle: u32_at(message, 8)?,
            parent: u32_at(message, 12)?,
            kind: text(attribute(values, libc::TCA_KIND)?),
            stats: attribute(values, libc::TCA_STATS2).and_then(Stats::parse),
        })
    }
}

impl Stats {
    fn parse(nested: &[u8]) -> Option<Self> {
        let basic = attribute(nested, TCA_STATS_BASIC)?;
        let queue = attribute(nested, TCA_STATS_QUEUE)?;
        Some(Self {
            bytes: u64_at(basic, 0)?,
            packets_32: u32_at(basic, 8)?,
            packets_64: attribute(nested, TCA_STATS_PKT64).and_then(|value| u64_at(value, 0)),
            backlog_packets: u32_at(queue, 0)?,
            backlog_bytes: u32_at(queue, 4)?,
            drops: u32_at(queue, 8)?,
            requeues: u32_at(queue, 12)?,
        })
    }
}

/// One qdisc's counters, from the attributes of its message. None where there are none.
pub(super) fn counts(values: &[u8]) -> Option<QdiscCounts> {
    let stats = attribute(values, libc::TCA_STATS2).and_then(Stats::parse)?;
    Some(QdiscCounts {
        bytes: stats.bytes,
        segments: stats.packets_64.unwrap_or(stats.packets_32.into()),
        drops: stats.drops.into(),
        requeues: stats.requeues.into(),
        backlog_packets: stats.backlog_packets.into(),
        backlog_bytes: stats.backlog_bytes.into(),
    })
}

/// The tree of one interface, out of the list of all.
pub(super) fn tree(qdiscs: &[Qdisc], ifindex: u32, keeps_64_bits: bool) -> QdiscTree {
    let transmit: Vec<&Qdisc> =
        qdiscs.iter().filter(|qdisc| qdisc.ifindex == ifindex && qdisc.parent != TC_H_INGRESS).collect();
    let Some(root) = transmit.iter().find(|qdisc| qdisc.parent == TC_H_ROOT) else {
        return QdiscTree::default();
    };
    let mut kinds = vec![root.kind.clone()];
    for qdisc in &transmit {
        if !kinds.contains(&qdisc.kind) {
            kinds.push(qdisc.kind.clone());
        }
    }
    let may_segment = kinds.iter().any(|kind| SEGMENTING_KINDS.contains(&kind.as_str()));
    // Handles are major:minor; the parent of a child of the root is the root's major with a queue for its minor.
    let children =
        transmit.iter().filter(|qdisc| qdisc.parent != TC_H_ROOT && qdisc.parent >> 16 == root.handle >> 16);
    // The root of these sums its children too, but only at the moment it is listed, and not on every kernel.
    let summed: Vec<&Qdisc> =
        if MULTIQUEUE_KINDS.contains(&root.kind.as_str()) { children.copied().collect() } else { Vec::new() };
    let counted = if summed.is_empty() { vec![*root] } else { summed };
    let counters = if root.kind == "noqueue" { None } else { sum(&counted, may_segment, keeps_64_bits) };
    QdiscTree { root: Some(root.kind.clone()), kinds, counters }
}

/// None where any of them has no counters: a sum that leaves one out is not a sum.
fn sum(qdiscs: &[&Qdisc], may_segment: bool, keeps_64_bits: bool) -> Option<QdiscCounters> {
    let mut total =
        QdiscCounters { may_segment, packets_are_32_bit: !keeps_64_bits, ..QdiscCounters::default() };
    for qdisc in qdiscs {
        let stats = qdisc.stats?;
        total.bytes = total.bytes.wrapping_add(stats.bytes);
        total.packets = total.packets.wrapping_add(stats.packets_64.unwrap_or(stats.packets_32.into()));
        total.drops += u64::from(stats.drops);
        total.requeues += u64::from(stats.requeues);
        total.backlog_packets += u64::from(stats.backlog_packets);
        total.backlog_bytes += u64::from(stats.backlog_bytes);
    }
    // A kernel that has the attribute counts in 64 bits, whatever its version says.
    if qdiscs.iter().any(|qdisc| qdisc.stats.is_some_and(|stats| stats.packets_64.is_some())) {
        total.packets_are_32_bit = false;
    }
    Some(total)
}

#[cfg(test)]
#[path = "qdisc_tests.rs"]
mod tests;
