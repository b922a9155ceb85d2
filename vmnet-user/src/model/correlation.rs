//! What moved together.

use serde::{Deserialize, Serialize};

/// Against goodput, over the intervals of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Correlations {
    /// Share of built bytes that the CPU segmented. None where it, or goodput, does not vary.
    pub software_share: Option<Correlation>,
    /// Segmentation time per byte of payload. None likewise.
    pub segmentation_ns_per_byte: Option<Correlation>,
}

/// A Pearson correlation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Correlation {
    /// −1 to 1.
    pub r: f64,
    /// 95 % interval.
    pub interval: [f64; 2],
    /// How the interval was made.
    pub method: String,
    /// Intervals used.
    pub n: usize,
}
