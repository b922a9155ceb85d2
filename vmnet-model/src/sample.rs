//! What one moment looked like, and the window between two moments.

use vmnet_common::Counters;

use super::driver_semantics::DriverRow;
use super::features::Features;
use super::hook::Hooks;
use super::link_counters::LinkCounters;
use super::machine::QueueCounters;
use crate::audited::Audited;

/// Everything read at one tick. All counts only grow; a [`Window`] subtracts them.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Since the run began.
    pub at_ns: u64,
    /// How long the reads of this sample took: counts read first and last are this far apart.
    pub read_ns: u64,
    /// Wire segments that the programs saw pass during those reads, at the busier stage; 0 where nobody looked again.
    pub moved_segs: u64,
    /// Whether the hooks per segment counted throughout the interval that this sample ends. False in a recording that knows of no
    /// windows.
    pub every_segment: bool,
    /// The programs' counters, summed over CPUs. None in `counters` mode.
    pub traced: Option<Box<Counters>>,
    /// Entry and exit counts of the hooks that the kernel keeps for itself, and what it skipped.
    pub missed: MissedByKernel,
    /// The interface's own counters.
    pub link: LinkCounters,
    /// Its MTU, bytes; None in a recording that did not look again after the beginning.
    pub mtu: Option<u32>,
    /// The root qdisc (mq: summed over its children). None where there is none (`noqueue`).
    pub qdisc: Option<QdiscCounters>,
    /// Which offloads were active.
    pub features: Features,
    /// One per CPU, in order.
    pub cpus: Vec<CpuTimes>,
    /// What each CPU did, as the programs counted; a CPU's place is its number, and every CPU that there could be has
    /// one. Empty in `counters` mode.
    pub work: Vec<CpuWork>,
    /// The device's own counts of each transmit queue, in order; empty where it has none.
    pub queues: Vec<QueueCounters>,
    /// TCP sockets whose local address is the interface's, as the kernel's own TCP sees them.
    pub sockets: Option<SocketTotals>,
    /// What they retransmitted. None where they could not be asked, where there are too many to be asked at every sample, and where
    /// some closed while they were.
    pub retransmitted: Option<Retransmitted>,
    /// Smoothed round trip of the interface's sockets that sent, or waited for an acknowledgement, since the look before: their
    /// median, µs. None where none did, where the kernel does not tell, and at a window's edges.
    pub rtt_us: Option<u32>,
}

/// A qdisc's counters; its packets are wire segments (`gso_segs`), unlike the device's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QdiscCounters {
    /// Dequeued bytes, with the headers that segmentation adds. Wraps at 64 bits.
    pub bytes: u64,
    /// Dequeued wire segments. The kernel keeps 32 bits where it has no 64-bit attribute: see `packets_are_32_bit`.
    pub packets: u64,
    /// Whether `packets` wraps at 32 bits.
    pub packets_are_32_bit: bool,
    /// skbs dropped.
    pub drops: u64,
    /// skbs put back because the driver was busy.
    pub requeues: u64,
    /// Waiting now: packets, in whichever unit the qdisc counts.
    pub backlog_packets: u64,
    /// Waiting now: bytes.
    pub backlog_bytes: u64,
    /// Whether a qdisc of the tree segments by itself (cake, tbf, netem, taprio), which spoils packets per skb.
    pub may_segment: bool,
}

/// Time of one CPU since boot, from `/proc/stat`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTimes {
    /// All but idle and iowait; steal is not in it.
    pub busy_ns: u64,
    /// The part in softirq.
    pub softirq_ns: u64,
    /// Taken by the hypervisor.
    pub steal_ns: u64,
    /// Everything, idle and steal included.
    pub total_ns: u64,
}

impl CpuTimes {
    /// Saturating: the kernel lets iowait, and with it our total, step back a little (`proc_stat(5)`).
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            busy_ns: self.busy_ns.saturating_sub(earlier.busy_ns),
            softirq_ns: self.softirq_ns.saturating_sub(earlier.softirq_ns),
            steal_ns: self.steal_ns.saturating_sub(earlier.steal_ns),
            total_ns: self.total_ns.saturating_sub(earlier.total_ns),
        }
    }
}

/// What one CPU did for the interface, since the programs were attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuWork {
    /// Inside `__skb_gso_segment`; 0 where the rung cannot time it.
    pub segmentation_ns: u64,
    /// TCP payload queued to the interface.
    pub tcp_payload_bytes: u64,
}

/// Sums over sockets that live, plus those that closed since the run began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketTotals {
    /// Σ `tcpi_bytes_sent`: payload handed to IP, retransmits included.
    pub bytes_sent: u64,
    /// Σ `tcpi_notsent_bytes`: written by the application, not sent yet.
    pub bytes_not_sent: u64,
    /// Written by the application, and thrown away unsent when the socket closed.
    pub bytes_discarded: u64,
    /// Sockets that live.
    pub live: u64,
    /// Whether some sockets may have come and gone between two looks, so that the sums are a lower bound.
    pub lower_bound: bool,
    /// From the sample's begin until they were read, which is last: nanoseconds.
    pub read_ns: u64,
}

/// Payload that TCP itself says it retransmitted (`tcp_sock.bytes_retrans`, 4.19), by family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retransmitted {
    /// Over IPv4, bytes.
    pub ipv4: u64,
    /// Over IPv6, bytes.
    pub ipv6: u64,
}

/// What the kernel says it did not run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MissedByKernel {
    /// Σ `recursion_misses` of the programs; None where the kernel does not tell.
    pub recursion_misses: Option<u64>,
    /// Σ missed kprobe hits; None where the kernel does not tell or no kprobe is used.
    pub kprobe_misses: Option<u64>,
}

/// What is fixed for the run, and the model needs.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Conditions {
    /// The interface's MTU.
    pub mtu: u32,
    /// `gso_max_segs` of the interface; None where it could not be read.
    pub gso_max_segs: Option<u32>,
    /// Transmit descriptors per queue times queues: what a device may hold without having counted it.
    pub ring_slots: Option<u64>,
    /// False for veth, lo, vlan, bond, bridge: the packets go on inside this machine.
    pub terminal: bool,
    /// How packets were counted.
    pub mode: Mode,
    /// Which of them: super-packets, or every segment too.
    #[serde(default)]
    pub counting: Counting,
    /// What the device's own counters count.
    #[serde(default)]
    pub driver: DriverRow,
    /// Which hooks counted; a hook that was meant to but did not is an audit failure.
    pub hooks: Hooks,
}

/// Which packets the programs count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Counting {
    /// Super-packets, once; the kernel's own counters tell what the driver got.
    Light,
    /// Every packet at both stages.
    #[default]
    Exact,
}

/// The rungs of the ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// fentry/fexit on functions, BTF tracepoints.
    Fentry,
    /// kprobe/kretprobe on functions, tracepoints.
    Kprobe,
    /// Tracepoints, and stack sampling for the cost.
    Tracepoint,
    /// No programs: interface and qdisc counters.
    Counters,
}

impl Mode {
    /// As on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fentry => "fentry",
            Self::Kprobe => "kprobe",
            Self::Tracepoint => "tracepoint",
            Self::Counters => "counters",
        }
    }
}

/// From the first sample to the last, with all between.
#[derive(Clone, Debug)]
pub struct Window<'a> {
    /// At least two, in order of time.
    pub samples: &'a [Sample],
    /// What was fixed.
    pub conditions: &'a Conditions,
    /// Whether traffic came to rest before the last sample: every queue empty, every counter still.
    pub drained: bool,
    /// Whether nothing was queued, in flight or on its way when the first sample was read. With `drained`, the
    /// identities then hold without slack.
    pub rested_at_start: bool,
    /// Why the window ended before it was meant to, if it did (interface gone, renamed).
    pub cut_short: Option<&'a str>,
    /// Where counting is light: windows within it in which every segment was counted too. None where there was none, and where
    /// counting is exact.
    pub audited: Option<&'a Audited>,
}
