//! `vmnet.run/1`: the result of a run as one value. JSON, text and charts are all drawn from it and from nothing
//! else, so that they cannot contradict each other. Units are in the names; what was not measured is `None` (null) and
//! `unmeasured` maps its path to the reason.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::load;
use crate::model::{
    audit, cause::Cause, chain::Link, correlation, cost, ending::RunEnding, hook, ledger, machine::Machine,
    reasons, sample, throughput, verdict,
};

/// The schema's name.
pub const SCHEMA: &str = "vmnet.run/1";

/// A whole run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RunReport {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// What was looked at.
    pub interface: Interface,
    /// When, and for how long.
    pub window: WindowInfo,
    /// The answer.
    pub verdict: verdict::Verdict,
    /// Where every byte went.
    pub ledger: LedgerReport,
    /// Histograms.
    pub sizes: Option<Sizes>,
    /// Over time.
    pub throughput: ThroughputReport,
    /// What software segmentation cost.
    pub cost: cost::Cost,
    /// Why super-packets of TCP were cut up by the CPU, by the kernel's own mask: the most bytes first. None where segmentation is
    /// not hooked.
    pub reasons: Option<Vec<reasons::Reason>>,
    /// The chain that TSO hangs on, link by link; the last is what this run's traffic showed. None where the machine could not
    /// be read.
    pub chain: Option<Vec<Link>>,
    /// Why TSO does not happen, or what else is the limit: what explains most first.
    pub causes: Option<Vec<Cause>>,
    /// What TSO would give at most.
    pub prediction: Option<serde_json::Value>,
    /// The identities, and what was missed.
    pub audit: Option<audit::Audit>,
    /// How packets were counted.
    pub probes: Probes,
    /// What the tool itself took.
    pub overhead: Overhead,
    /// The command, if there was one.
    pub benchmark: Option<Benchmark>,
    /// Rare events, in order of time.
    pub events: Vec<EventReport>,
    /// The device and the machine around it, as they were at the end. None where they could not be read.
    pub machine: Option<Machine>,
    /// Path of a null → why it was not measured.
    pub unmeasured: BTreeMap<String, String>,
}

/// The interface and the machine around it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Interface {
    /// Its name when the run began.
    pub name: String,
    /// Its index.
    pub ifindex: u32,
    /// Inode number of its network namespace, and the name it was asked for by.
    pub netns: Netns,
    /// Driver, or the link's kind (veth, vlan) where there is no driver.
    pub driver: Option<String>,
    /// MTU in bytes.
    pub mtu: u32,
    /// Transmit queues.
    pub queues: Option<u32>,
    /// Kernel release.
    pub kernel: String,
    /// False where the packets go on inside this machine (veth, lo, vlan, bond, bridge).
    pub terminal: bool,
    /// The root qdisc's kind.
    pub qdisc: Option<String>,
}

/// A network namespace.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Netns {
    /// As given to `--netns`.
    pub name: Option<String>,
    /// Inode number.
    pub inode: u64,
}

/// The window of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WindowInfo {
    /// RFC 3339.
    pub start: String,
    /// From the first sample to the last.
    pub duration_s: f64,
    /// What ended it.
    pub ended_by: RunEnding,
}

/// The ledgers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LedgerReport {
    /// TCP, both families, and each. None in `counters` mode.
    pub tcp: Option<ledger::Protocol>,
    /// UDP likewise; it has no part in the state.
    pub udp: Option<ledger::Protocol>,
    /// Everything else.
    pub other: Option<ledger::Other>,
}

/// A histogram's bucket: `lower` ≤ value < `upper`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Bucket {
    /// Inclusive.
    pub lower: u64,
    /// Exclusive.
    pub upper: u64,
    /// Packets.
    pub count: u64,
}

/// Sizes of TCP packets with payload. Empty buckets are left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Sizes {
    /// skb length in bytes at `net_dev_queue`: before the decision.
    pub queued: Vec<Bucket>,
    /// skb length in bytes at `net_dev_xmit`: after it. Where counting is light, of windows alone; null where there was none.
    pub driver: Option<Vec<Bucket>>,
    /// Wire segments per packet at `net_dev_queue`.
    pub segs: Vec<Bucket>,
    /// `gso_size` in bytes of super-packets at `net_dev_queue`.
    pub gso_size: Vec<Bucket>,
}

/// Throughput and what moved with it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ThroughputReport {
    /// Mean over the window: bytes on the wire with all headers from the link layer up (no preamble, no FCS).
    pub wire_gbps: Option<f64>,
    /// Mean over the window: TCP payload less retransmits.
    pub goodput_gbps: Option<f64>,
    /// What came in by the interface meanwhile, headers included.
    #[serde(default)]
    pub received_bytes: Option<u64>,
    /// One per interval.
    pub samples: Vec<throughput::Interval>,
    /// Against goodput.
    pub correlation: correlation::Correlations,
}

/// How packets were counted.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Probes {
    /// The rung.
    pub mode: sample::Mode,
    /// Which packets were counted.
    pub counting: sample::Counting,
    /// The part of the time in which every segment was: all of it where counting is exact, windows where it is light. 0 to 1.
    pub exact_share: f64,
    /// Why so: it was asked for, or the device's counters do not serve a light ledger.
    pub counting_reason: String,
    /// Why not a higher rung, if one was wanted.
    pub fell_because: Vec<String>,
    /// Hook by hook.
    pub hooks: Vec<HookReport>,
}

/// One hook.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HookReport {
    /// The kernel function or tracepoint.
    pub hook: String,
    /// `fentry`, `fexit`, `kprobe`, `kretprobe`, `tp_btf`, `raw_tp`, `perf_event`.
    pub kind: String,
    /// How it took part.
    pub state: hook::HookState,
    /// Times it ran, all interfaces; None where the kernel was not asked to count.
    pub events: Option<u64>,
    /// Time of one run of the program, the kernel's clock reads included; None where not asked for (`--overhead`).
    pub ns_per_event: Option<f64>,
    /// The same less what an empty program takes that runs beside it: without the clock reads, and the call.
    pub net_ns_per_event: Option<f64>,
    /// Instructions of the program as this kernel runs it, after what can never run was taken out.
    pub instructions: Option<u64>,
    /// Why it is not attached.
    pub reason: Option<String>,
}

/// How it is known what the programs took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ProgramsMethod {
    /// The kernel kept their run times all the time (`--overhead`).
    RunTimes,
    /// It kept them in the first window; the rest of the run is scaled from it by the packets that were queued.
    FirstWindow,
}

impl ProgramsMethod {
    /// To be put behind the share.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::RunTimes => ", as the kernel kept their run times",
            Self::FirstWindow => ", scaled from the first window by packets",
        }
    }
}

/// What the tool took.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Overhead {
    /// The programs' time over all CPUs' time, the kernel's clock reads (two for each run that was measured) included; None where the
    /// kernel kept no run times (BPF_ENABLE_STATS, Linux 5.8).
    pub cpu_share: Option<f64>,
    /// How that came about.
    #[serde(default)]
    pub cpu_share_method: Option<ProgramsMethod>,
    /// The user side's own CPU time over all CPUs' time.
    pub user_cpu_share: Option<f64>,
    /// Its resident set at the end.
    pub rss_bytes: Option<u64>,
}

/// The command that ran.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Benchmark {
    /// Words of the command line.
    pub command: Vec<String>,
    /// Its exit code; None when a signal ended it.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it printed, at most 64 KiB of it; None where its JSON was understood.
    pub stdout: Option<String>,
    /// `iperf3 --json`, understood.
    pub iperf3: Option<Iperf3>,
    /// netperf's result, understood.
    pub netperf: Option<Netperf>,
    /// `vmnet load client --json`, understood.
    pub load: Option<load::Summary>,
}

/// What iperf3 said of itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Iperf3 {
    /// Streams.
    pub streams: u32,
    /// Sent, all streams.
    pub sent_bytes: u64,
    /// Received, all streams.
    pub received_bytes: Option<u64>,
    /// Until the receiver had all that, seconds.
    pub received_seconds: Option<f64>,
    /// Seconds of the test.
    pub seconds: f64,
    /// Sender's rate.
    pub sent_gbps: f64,
    /// Retransmits, where it knows.
    pub retransmits: Option<u64>,
}

/// What netperf said of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Netperf {
    /// In its `units`.
    pub throughput: f64,
    /// In netperf's words: `10^6bits/s`, `MBytes/s` (of 2²⁰ bytes), `Trans/s`, …
    pub units: String,
    /// The same in 10⁹ bits per second; None of transactions.
    pub gbps: Option<f64>,
    /// The same where it is of requests with their answers.
    pub transactions_per_s: Option<f64>,
    /// Seconds of the test; None where it was not asked to tell.
    pub seconds: Option<f64>,
}

/// One rare event.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EventReport {
    /// Since the run began.
    pub t_s: f64,
    /// `features-changed`, `mtu-changed`, `segmentation-error`, `unmatched-exit`.
    pub kind: String,
    /// For people.
    pub text: String,
}
