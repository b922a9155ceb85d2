//! What else could be the limit: what a run saw, and `not-the-bottleneck`, the cause where TSO engages.

use serde::{Deserialize, Serialize};

use super::{Cause, CauseId, Evidence, Fix, Found};
use crate::{senders::SenderLimits, state::State, throughput::CpuShare};

/// Something that stands out as a limit of throughput.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Limit {
    /// What kind.
    pub kind: LimitKind,
    /// How plainly it stands out, 0 to 1: a share of a CPU, of the link, of the senders' busy time.
    pub share: f64,
    /// In a few words.
    pub brief: String,
    /// With what follows from it.
    pub text: String,
}

/// Kinds of limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum LimitKind {
    /// The hypervisor takes a vCPU's time.
    Steal,
    /// One CPU is full, or all are, with this interface's traffic.
    Cpu,
    /// One queue of several carries nearly everything.
    Queue,
    /// The receivers' windows.
    Receiver,
    /// The senders' own buffers.
    SendBuffer,
    /// The link's speed.
    Link,
    /// A qdisc of this interface that shapes.
    Shaped,
    /// The application gives less than could be sent.
    Application,
    /// A pacing rate that the application set.
    Paced,
    /// A pacing rate of congestion control's own; where it does not pace, what is sent may come near it by chance.
    CongestionControl,
}

/// What else a run saw that could limit it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Elsewhere {
    /// Each transmit queue's part in the window; empty where it is not known.
    pub queues: Vec<QueueUse>,
    /// Each CPU's share of the window, with the TCP payload that it queued to the interface where that is known.
    pub cpus: Vec<CpuShare>,
    /// What held the sockets back; None where it is not known.
    pub senders: Option<SenderLimits>,
    /// Mean over the window.
    pub wire_gbps: Option<f64>,
    /// The link's, where the driver tells and there is a link: a virtual device's speed is a name.
    pub link_gbps: Option<f64>,
    /// What a qdisc of the interface lets through.
    pub shaped_gbps: Option<f64>,
    /// The window's, seconds.
    pub duration_s: f64,
    /// TCP payload in it; None without programs.
    pub payload_bytes: Option<u64>,
}

/// One transmit queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueUse {
    /// Bytes in the window.
    pub bytes: u64,
}

/// From here on a share of one CPU is "all of it".
const FULL: f64 = 0.95;
/// Taken by the hypervisor: from here on it is worth telling.
const MUCH_STEAL: f64 = 0.05;
/// One queue of several with more than this of the bytes.
const SKEWED: f64 = 0.8;
/// Of the senders' busy time.
const MUCH_WAITING: f64 = 0.2;
/// Of the link's speed, or of what a qdisc lets through.
const FULL_LINK: f64 = 0.9;
/// More than this of its speed goes through no link: its speed is a name.
const MORE_THAN_A_LINK: f64 = 1.05;
/// Of all payload: a CPU that queued less has no part in this interface's traffic,
const LITTLE_OF_THE_TRAFFIC: f64 = 0.1;
/// unless it spent this much of its time in softirq, where acknowledgements and completions are worked off.
const MUCH_SOFTIRQ: f64 = 0.2;
/// Of their sockets' pacing rate: what is sent at it is paced,
const PACED: f64 = 0.9;
/// and what is sent faster, as after the rate fell, is not.
const MORE_THAN_PACED: f64 = 1.2;
/// Of all payload: what is known of senders of less says little.
const MOST_OF_THE_PAYLOAD: f64 = 0.8;
/// From here on the application limits most senders.
const MOST_SENDERS: f64 = 0.5;
/// Senders that had something to send for less of the time waited for the application.
const MOSTLY_BUSY: f64 = 0.8;

pub(super) fn not_the_bottleneck(evidence: &Evidence<'_>) -> Option<Found> {
    let traffic = evidence.traffic.as_ref().filter(|traffic| traffic.state == State::Engaged)?;
    let limits = traffic.elsewhere.limits();
    let detail = if limits.is_empty() {
        "nothing that was measured here stands out: no full vCPU, no crowded queue, no waiting for the receiver; what is left is \
         the path's congestion window, the receiver, and the host, which may segment behind the device"
            .to_owned()
    } else {
        limits.into_iter().map(|limit| limit.text).collect::<Vec<_>>().join("; ")
    };
    let cause = Cause {
        id: CauseId::NotTheBottleneck,
        share: super::NO_SHARE,
        title: "TSO is engaged: if throughput disappoints, the limit is elsewhere".to_owned(),
        detail,
        fix: Fix::none(),
    };
    Some(Found { cause, bytes: None })
}

impl Elsewhere {
    /// What stands out, the plainest first.
    #[must_use]
    pub fn limits(&self) -> Vec<Limit> {
        let mut limits = Vec::new();
        limits.extend(self.steal());
        limits.extend(self.one_cpu());
        limits.extend(self.one_queue());
        limits.extend(self.waiting());
        limits.extend(self.full_link());
        limits.extend(self.shaped());
        limits.extend(self.application());
        limits.extend(self.paced());
        // A stable sort: of equals, what comes first in the list above.
        limits.sort_by(|left, right| right.share.total_cmp(&left.share));
        limits
    }

    /// The busiest CPU that has a part in this interface's traffic, with its place.
    #[must_use]
    pub fn busiest_cpu(&self) -> Option<(usize, &CpuShare)> {
        let part = self.cpus.iter().enumerate().filter(|(_, cpu)| self.has_a_part(cpu));
        part.max_by(|(_, left), (_, right)| left.busy.total_cmp(&right.busy))
    }

    fn steal(&self) -> Option<Limit> {
        let (index, cpu) = largest(&self.cpus, |cpu| cpu.steal)?;
        let text = format!("the hypervisor took {:.0} % of vCPU {index} away (steal)", cpu.steal * 100.0);
        (cpu.steal >= MUCH_STEAL).then(|| Limit::in_one(LimitKind::Steal, cpu.steal, text))
    }

    fn one_cpu(&self) -> Option<Limit> {
        let (index, cpu) = largest(&self.cpus, |cpu| cpu.busy)?;
        let mean = self.cpus.iter().map(|cpu| cpu.busy).sum::<f64>() / self.cpus.len() as f64;
        (cpu.busy >= FULL && (mean >= FULL || self.has_a_part(cpu))).then(|| {
            if self.cpus.len() > 1 && mean >= FULL {
                return Limit::in_one(LimitKind::Cpu, cpu.busy, format!("all {} vCPUs are busy", self.cpus.len()));
            }
            let text = format!(
                "vCPU {index} is busy {:.0} % of the time, all together {:.0} %: one flow or one queue is bound to it",
                cpu.busy * 100.0,
                mean * 100.0
            );
            let brief = format!("CPU {index} is {:.0} % busy, with this traffic", cpu.busy * 100.0);
            Limit { kind: LimitKind::Cpu, share: cpu.busy, brief, text }
        })
    }

    /// Whether what a CPU did can be this interface's traffic; so it is taken to be where nobody counted CPU by CPU.
    fn has_a_part(&self, cpu: &CpuShare) -> bool {
        let total: f64 = self.cpus.iter().filter_map(|cpu| cpu.tcp_gbps).sum();
        let queued = cpu.tcp_gbps.filter(|_| total > 0.0);
        cpu.softirq >= MUCH_SOFTIRQ || queued.is_none_or(|queued| queued >= LITTLE_OF_THE_TRAFFIC * total)
    }

    fn one_queue(&self) -> Option<Limit> {
        let total: u64 = self.queues.iter().fold(0, |sum, queue| sum.saturating_add(queue.bytes));
        let (index, queue) = largest(&self.queues, |queue| queue.bytes as f64)?;
        let share = (total != 0).then(|| queue.bytes as f64 / total as f64)?;
        (self.queues.len() > 1 && share >= SKEWED).then(|| {
            let count = self.queues.len();
            let brief = format!("queue {index} of {count} carried {:.0} % of the bytes", share * 100.0);
            let text = format!("{brief}: few flows, or XPS sends all senders' CPUs to it");
            // Less plain than a full CPU: one queue may well be enough.
            Limit { kind: LimitKind::Queue, share: share * 0.9, brief, text }
        })
    }

    fn waiting(&self) -> Vec<Limit> {
        let Some(senders) = self.known_senders().filter(|senders| senders.busy_us != 0) else {
            return Vec::new();
        };
        let rows = [
            (
                LimitKind::Receiver,
                senders.rwnd_limited_us,
                "the receiver's window",
                ": the receiver is the limit, or its buffer",
            ),
            (
                LimitKind::SendBuffer,
                senders.sndbuf_limited_us,
                "room in their own send buffer",
                " (net.ipv4.tcp_wmem, SO_SNDBUF)",
            ),
        ];
        let limit = |(kind, waited_us, what, follows): (LimitKind, u64, &str, &str)| {
            let share = waited_us as f64 / senders.busy_us as f64;
            let of = format!("{:.0} % of their busy time", share * 100.0);
            Limit {
                kind,
                share,
                brief: format!("senders waited for {what}, {of}"),
                text: format!("senders waited for {what}{follows}, {of}"),
            }
        };
        rows.into_iter().map(limit).filter(|limit| limit.share >= MUCH_WAITING).collect()
    }

    fn full_link(&self) -> Option<Limit> {
        let (wire, link) = (self.wire_gbps?, self.link_gbps.filter(|link| *link > 0.0)?);
        let share = wire / link;
        (FULL_LINK..=MORE_THAN_A_LINK).contains(&share).then(|| {
            let text = format!("the link is full: {wire:.1} of {link:.1} Gbit/s, headers included");
            Limit::in_one(LimitKind::Link, share.min(1.0), text)
        })
    }

    fn shaped(&self) -> Option<Limit> {
        let (wire, shaped) = (self.wire_gbps?, self.shaped_gbps.filter(|shaped| *shaped > 0.0)?);
        let share = wire / shaped;
        (share >= FULL_LINK).then(|| Limit {
            kind: LimitKind::Shaped,
            share: share.min(1.0),
            brief: format!("the interface's own qdisc (tbf) lets {shaped:.2} Gbit/s through"),
            text: format!(
                "the interface's own qdisc (tbf) lets {shaped:.2} Gbit/s through, and {wire:.2} went through"
            ),
        })
    }

    /// TCP has a pacing rate whether or not anybody keeps to it, some fifth above what it sends; what is sent at that rate is paced by it.
    fn paced(&self) -> Option<Limit> {
        let senders = self.known_senders().filter(|senders| senders.sockets != 0)?;
        let rate_gbps = senders.pacing_bytes_per_s? as f64 * 8.0 / 1e9;
        let sent_gbps = senders.bytes_sent? as f64 * 8.0 / 1e9 / self.seen_for_s(senders);
        let share = sent_gbps / rate_gbps;
        (PACED..=MORE_THAN_PACED).contains(&share).then(|| {
            let is_set = senders.bulk_sockets != 0 && senders.capped_sockets == senders.bulk_sockets;
            let (kind, briefly, by) = if is_set {
                (
                    LimitKind::Paced,
                    "by the application",
                    "the application set that rate (SO_MAX_PACING_RATE; iperf3 --fq-rate)",
                )
            } else {
                (
                    LimitKind::CongestionControl,
                    "by congestion control",
                    "their congestion control paces them (bbr does)",
                )
            };
            Limit {
                kind,
                share: share.min(1.0),
                brief: format!("sockets are paced to {rate_gbps:.3} Gbit/s together, {briefly}"),
                text: format!(
                    "its sockets are paced to {rate_gbps:.3} Gbit/s together, and sent {sent_gbps:.3}: {by}"
                ),
            }
        })
    }

    /// What is known of the senders, where it is about most of what was sent: those of a short run may have been looked at last when they had
    /// hardly begun.
    fn known_senders(&self) -> Option<&SenderLimits> {
        let covers = |senders: &&SenderLimits| match (senders.bytes_sent, self.payload_bytes) {
            (Some(sent), Some(payload)) => sent as f64 >= MOST_OF_THE_PAYLOAD * payload as f64,
            _ => true,
        };
        self.senders.as_ref().filter(covers)
    }

    /// For how long the senders were seen, seconds.
    fn seen_for_s(&self, senders: &SenderLimits) -> f64 {
        senders.after_ns.map_or(self.duration_s, |ns| ns as f64 / 1e9)
    }

    /// Its sockets had nothing to send for much of the time, and the kernel says that the application was what limited their rate.
    fn application(&self) -> Option<Limit> {
        let senders = self.known_senders().filter(|senders| senders.sockets != 0)?;
        let limited = f64::from(senders.app_limited_sockets) / f64::from(senders.sockets);
        let busy = senders.busy_us as f64 / 1e6 / f64::from(senders.sockets) / self.seen_for_s(senders);
        (limited >= MOST_SENDERS && busy < MOSTLY_BUSY).then(|| Limit {
            kind: LimitKind::Application,
            share: 1.0 - busy,
            brief: format!(
                "the application: its sockets had something to send {:.0} % of the time",
                busy * 100.0
            ),
            text: format!(
                "the application gave less than could be sent: its sockets had something to send or to be acknowledged for {:.0} % of the \
                 time (app_limited in {} of {})",
                busy * 100.0,
                senders.app_limited_sockets,
                senders.sockets
            ),
        })
    }
}

impl Limit {
    /// Few words are all there are.
    fn in_one(kind: LimitKind, share: f64, text: String) -> Self {
        Self { kind, share, brief: text.clone(), text }
    }
}

/// The largest by some measure, with its place.
fn largest<T>(all: &[T], by: impl Fn(&T) -> f64) -> Option<(usize, &T)> {
    all.iter().enumerate().max_by(|(_, left), (_, right)| by(left).total_cmp(&by(right)))
}
