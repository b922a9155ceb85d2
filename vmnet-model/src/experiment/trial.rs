//! One run of the benchmark under one arm.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::guard::Rejection;
use super::metric::MetricId;
use crate::fact::Why;
use crate::null_because;
use crate::state::{Confidence, State};

null_because! {
    not_timed: Why::is("segmentation was not timed");
    not_expected: Why::is("the arm sets nothing that segmentation depends on, or the trial was not run");
    no_ledger: Why::is("without programs there is no ledger, or the trial was not run");
    not_compared: Why::is("the CPUs of its intervals could not be compared, or it was not run");
    not_recorded: Why::is("it could not be written, or the trial was not run");
}

/// What was measured in a trial; what is not in it was not measured.
pub type Figures = BTreeMap<MetricId, f64>;

/// The CPU that was busiest while a trial was measured: mean shares of its time, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BusiestCpu {
    /// All but idle, iowait and steal.
    pub busy: f64,
    /// The part inside `__skb_gso_segment`; None where it cannot be timed.
    #[serde(serialize_with = "not_timed")]
    pub segmenting: Option<f64>,
}

/// One run of the benchmark under one arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Trial {
    /// In order of time, from 1.
    pub number: u32,
    /// From 0.
    pub block: u32,
    /// Within the block, from 0.
    pub place: u32,
    /// Index into the arms.
    pub arm: usize,
    /// When it began, since the experiment did.
    pub t_s: f64,
    /// From its first sample to its last.
    pub duration_s: f64,
    /// How much of that the figures are made of.
    pub measured_s: f64,
    /// What was measured.
    pub figures: Figures,
    /// What the ledger says of it.
    pub state: State,
    /// How far to trust that.
    pub confidence: Confidence,
    /// What the ledger has to say for the treatment to have happened; None where nothing of it follows from the arm.
    #[serde(serialize_with = "not_expected")]
    pub expected: Option<State>,
    /// TCP payload that left in super-packets; None without programs.
    #[serde(serialize_with = "no_ledger")]
    pub hardware_bytes: Option<u64>,
    /// TCP payload that the CPU segmented.
    #[serde(serialize_with = "no_ledger")]
    pub software_bytes: Option<u64>,
    /// All TCP payload.
    #[serde(serialize_with = "no_ledger")]
    pub payload_bytes: Option<u64>,
    /// The CPU that was busiest; None where CPUs could not be compared.
    #[serde(serialize_with = "not_compared")]
    pub busiest_cpu: Option<BusiestCpu>,
    /// Why it does not count; empty where it does.
    pub rejections: Vec<Rejection>,
    /// Its recording, beside the report; None where it could not be written.
    #[serde(serialize_with = "not_recorded")]
    pub recording: Option<String>,
}

impl Trial {
    /// Whether it counts.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.rejections.is_empty()
    }
}
