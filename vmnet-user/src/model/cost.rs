//! What software segmentation cost.

use serde::{Deserialize, Serialize};

/// What software segmentation cost in the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// `fexit`, `kretprobe`, `sampling` or `none`.
    pub method: String,
    /// Calls of `__skb_gso_segment` that segmented, for this device.
    pub segmentation_calls: Option<u64>,
    /// Time inside them (`sampling`: estimated).
    pub segmentation_ns: Option<u64>,
    /// Time inside `skb_segment` alone.
    pub skb_segment_ns: Option<u64>,
    /// Per byte of payload segmented.
    pub ns_per_byte: Option<f64>,
    /// 95 % interval of `ns_per_byte`, over intervals of the run.
    pub ns_per_byte_interval: Option<[f64; 2]>,
    /// CPUs kept busy by it, on average.
    pub cores: Option<f64>,
}
