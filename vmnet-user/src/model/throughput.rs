//! A run, interval by interval.

use serde::{Deserialize, Serialize};

/// One interval of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Its end, since the run began.
    pub t_s: f64,
    /// Its length.
    pub duration_s: f64,
    /// Bytes on the wire, all headers from the link layer up.
    pub wire_gbps: Option<f64>,
    /// TCP payload less retransmits.
    pub goodput_gbps: Option<f64>,
    /// TCP payload that left in super-packets.
    pub hardware_gbps: Option<f64>,
    /// TCP payload segmented by the CPU.
    pub software_gbps: Option<f64>,
    /// TCP payload in full-size singles.
    pub unaggregated_gbps: Option<f64>,
    /// TCP payload in small singles.
    pub small_gbps: Option<f64>,
    /// software / (hardware + software); None where nothing was built.
    pub software_share: Option<f64>,
    /// CPUs busy segmenting.
    pub segmentation_cpu: Option<f64>,
    /// Segmentation time per byte of TCP and UDP payload sent.
    pub segmentation_ns_per_byte: Option<f64>,
    /// Retransmitted TCP payload.
    pub retransmitted_bytes: Option<u64>,
    /// Mean length of TCP packets with payload, before the decision.
    pub mean_queued_bytes: Option<f64>,
    /// And after it.
    pub mean_driver_bytes: Option<f64>,
    /// Wire segments per packet that the device counted, from kernel counters alone.
    pub segments_per_packet: Option<f64>,
    /// One per CPU.
    pub cpus: Vec<CpuShare>,
}

/// Shares of one CPU's time, 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CpuShare {
    /// All but idle, iowait and steal.
    pub busy: f64,
    /// The part in softirq.
    pub softirq: f64,
    /// Taken by the hypervisor.
    pub steal: f64,
}
