//! `vmnet.ab/1`: an experiment as one value. Text, page and charts are drawn from it and from nothing else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use crate::model::cause::Cause;
use crate::model::experiment::{ArmEffects, Design, Guards, MetricId, Prediction, Role, Trial};
use crate::model::fact::{OrNull, Why};
use crate::model::fix::Followed;
use crate::model::interface::Interface;
use crate::model::null_because;
use crate::report::run::schema::Sizes;

null_because! {
    not_predicted: Why::is(
        "made only where the base segments in software and an arm switches TSO on, from trials that count"
    );
    not_read_again: Why::is("the interface cannot be read any more");
}

fn sizes_of_arms<S: Serializer>(sizes: &[Option<Sizes>], to: S) -> Result<S::Ok, S::Error> {
    static NONE_COUNTED: Why = Why::is("no trial of the arm counted, or none had programs");
    to.collect_seq(sizes.iter().map(|sizes| OrNull(sizes, &NONE_COUNTED)))
}

/// The schema's name.
pub const SCHEMA: &str = "vmnet.ab/1";

/// A whole experiment.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AbReport {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// What it was done to.
    pub interface: Interface,
    /// When, and how it ended.
    pub window: WindowInfo,
    /// The result in words: one line for each treatment.
    pub summary: Vec<String>,
    /// What was switched: `tso`, `gso_max_segs`, …; `none` where identical arms were held against each other.
    pub feature: String,
    /// Arms, number of blocks, seed.
    pub design: Design,
    /// Limits beyond which a trial does not count.
    pub guards: Guards,
    /// What is left out at the beginning of each trial, in words.
    pub warm_up_rule: String,
    /// Where throughput was taken from.
    pub throughput_from: ThroughputFrom,
    /// Every arm but the base, held against the base.
    pub effects: Vec<ArmEffects>,
    /// How intervals were made.
    pub method: String,
    /// What the base alone let one expect of TSO.
    #[serde(serialize_with = "not_predicted")]
    pub prediction: Option<Prediction>,
    /// How many blocks counted.
    pub blocks: BlockCount,
    /// Every trial, those that do not count included.
    pub trials: Vec<Trial>,
    /// Packet sizes under each arm, valid trials together; in the order of the arms. None without programs.
    #[serde(serialize_with = "sizes_of_arms")]
    pub sizes: Vec<Option<Sizes>>,
    /// What was set, and whether it was put back.
    pub settings: Settings,
    /// Why the treatment did not take, where it did not.
    pub causes: Vec<Cause>,
    /// What it takes to do it again.
    pub repeat: Repeat,
    /// What has to be borne in mind.
    pub notes: Vec<String>,
    /// Path of a null → why it is not known.
    pub unmeasured: BTreeMap<String, String>,
}

/// When, and how it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WindowInfo {
    /// RFC 3339.
    pub start: String,
    /// From the first look at the device until everything was put back.
    pub duration_s: f64,
    /// How it ended.
    pub ended_by: EndedBy,
    /// What went wrong, if anything did that `ended_by` does not tell.
    pub problem: Option<String>,
}

/// How an experiment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum EndedBy {
    /// As many whole blocks as planned.
    Plan,
    /// As many blocks as may be begun, and fewer whole ones than planned.
    TooManyRejected,
    /// Ctrl-C, SIGTERM, SIGHUP.
    Interrupt,
    /// The treatment did not take, and nothing was measured.
    TreatmentNotTaken,
    /// The benchmark failed, or hung.
    BenchmarkFailed,
    /// The interface went away.
    InterfaceGone,
    /// Something else.
    Problem,
}

/// Where throughput was taken from, the same in every trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ThroughputFrom {
    /// What the benchmark says of itself.
    Benchmark,
    /// TCP payload by the ledger, less retransmits as far as they are known, over the time that is measured.
    Ledger,
    /// Bytes on the wire by the device's and its queueing discipline's counters.
    Counters,
}

/// Blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BlockCount {
    /// Whole ones that were wanted.
    pub planned: u32,
    /// Begun.
    pub begun: u32,
    /// Whole, and made use of.
    pub whole: u32,
    /// With a trial that was rejected.
    pub void: u32,
}

/// What was set, and whether it was put back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Settings {
    /// For each arm, the commands that a person would type to come from the device as it was found to that arm.
    pub commands: Vec<Vec<String>>,
    /// What changed with the settings of an arm and was not named, arm by arm: what the kernel couples to them.
    pub followed: Vec<Vec<Followed>>,
    /// Whether every feature, limit and queue is as it was before; None where it could not be read.
    #[serde(serialize_with = "not_read_again")]
    pub restored: Option<bool>,
    /// What is not as it was.
    pub not_as_before: Vec<String>,
    /// The journal, where it is still needed: `vmnet restore` puts back what it says. None where there is nothing to put back.
    pub journal: Option<String>,
}

/// What it takes to do it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Repeat {
    /// vmnet's own command line, the seed included.
    pub command: Vec<String>,
    /// The benchmark's.
    pub benchmark: Vec<String>,
    /// vmnet's version.
    pub vmnet: String,
    /// How packets were counted under the base: `fentry`, `kprobe`, `tracepoint`, `counters`.
    pub mode: String,
    /// What else is the same under every arm and may matter: `mtu`, `qdisc`, `cpus`, `congestion_control`, ….
    pub surroundings: BTreeMap<String, String>,
}

impl AbReport {
    /// The metric that the result is told by: the first one that was measured.
    #[must_use]
    pub fn chief_metric(&self) -> MetricId {
        let measured = self.effects.iter().flat_map(|arm| &arm.effects).find(|effect| effect.base.is_some());
        measured.map_or(MetricId::ThroughputGbps, |effect| effect.metric)
    }

    /// Whether the benchmark failed before anything was measured by it.
    #[must_use]
    pub fn is_of_failed_benchmark(&self) -> bool {
        self.window.ended_by == EndedBy::BenchmarkFailed && self.trials.iter().all(|trial| !trial.is_valid())
    }

    /// Whether an arm is the base once more under another name.
    #[must_use]
    pub fn is_placebo(&self, arm: usize) -> bool {
        self.design.arms.get(arm).is_some_and(|arm| arm.role == Role::Placebo)
    }
}
