//! `vmnet.run/1`: the result of a run as one value. JSON, text and charts are all drawn from it and from nothing
//! else, so that they cannot contradict each other. Units are in the names; what was not measured is `None` (null) and
//! `unmeasured` maps its path to the reason.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::benchmark::Benchmark;
use crate::model::event::EventKind;
use crate::model::fact::{self, Fact, Why};
use crate::model::null_because;
use crate::model::{
    audit,
    cause::Cause,
    chain::Link,
    correlation, cost,
    ending::RunEnding,
    hook::{HookReport, ProgramsMethod},
    interface::Interface,
    ledger,
    machine::Machine,
    reasons, sample, slow, throughput, verdict,
};

null_because! {
    not_asked: Why::is("the document is from before it was asked");
    not_predicted: Why::is("this version does not predict");
    not_audited: Why::is("no programs ran, and one source alone cannot be audited");
    not_received: Why::is(
        "the interface could not be read at both ends of the run, or the recording is from before it was kept"
    );
    no_share: Why::is("the share is not known");
    no_window: Why::is("there was no window in which every segment was counted");
}

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
    #[serde(serialize_with = "fact::no_programs")]
    pub sizes: Option<Sizes>,
    /// Over time.
    pub throughput: ThroughputReport,
    /// What software segmentation cost.
    pub cost: cost::Cost,
    /// Why super-packets of TCP were segmented in software, by the kernel's own mask: the most bytes first. None where segmentation is
    /// not hooked.
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(test, schemars(with = "Option<Vec<reasons::Reason>>"))]
    pub reasons: Fact<Vec<reasons::Reason>>,
    /// The chain that TSO depends on, link by link; the last is what this run's traffic showed. None where the machine could not
    /// be read.
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(test, schemars(with = "Option<Vec<Link>>"))]
    pub chain: Fact<Vec<Link>>,
    /// Why TSO does not happen, or what else is the limit: what explains most first.
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(test, schemars(with = "Option<Vec<Cause>>"))]
    pub causes: Fact<Vec<Cause>>,
    /// Whether it is for want of TSO that it was not faster, and what else was seen to be a limit. None in documents of before.
    #[serde(default, serialize_with = "not_asked")]
    pub slow: Option<slow::Slow>,
    /// What TSO would give at most.
    #[serde(serialize_with = "not_predicted")]
    pub prediction: Option<serde_json::Value>,
    /// The identities, and what was missed.
    #[serde(serialize_with = "not_audited")]
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
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(test, schemars(with = "Option<Machine>"))]
    pub machine: Fact<Machine>,
    /// Path of a null → why it was not measured.
    pub unmeasured: BTreeMap<String, String>,
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
    #[serde(serialize_with = "fact::no_programs")]
    pub tcp: Option<ledger::Protocol>,
    /// UDP likewise; it has no part in the state.
    #[serde(serialize_with = "fact::no_programs")]
    pub udp: Option<ledger::Protocol>,
    /// Everything else.
    #[serde(serialize_with = "fact::no_programs")]
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
    #[serde(serialize_with = "no_window")]
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
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub wire_gbps: Fact<f64>,
    /// Mean over the window: TCP payload less retransmits.
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub goodput_gbps: Fact<f64>,
    /// What came in by the interface meanwhile, headers included.
    #[serde(default, serialize_with = "not_received")]
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

/// What the tool took.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Overhead {
    /// The programs' time over all CPUs' time, the kernel's clock reads (two for each run that was measured) included; None where the
    /// kernel kept no run times (BPF_ENABLE_STATS, Linux 5.8).
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub cpu_share: Fact<f64>,
    /// How that came about.
    #[serde(default, serialize_with = "no_share")]
    pub cpu_share_method: Option<ProgramsMethod>,
    /// The user side's own CPU time over all CPUs' time.
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub user_cpu_share: Fact<f64>,
    /// Its resident set at the end.
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(test, schemars(with = "Option<u64>"))]
    pub rss_bytes: Fact<u64>,
}

/// One rare event.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EventReport {
    /// Since the run began.
    pub t_s: f64,
    /// What kind of thing.
    pub kind: EventKind,
    /// For people.
    pub text: String,
}
