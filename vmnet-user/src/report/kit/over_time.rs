//! A run over time, as every chart of it needs it.

use crate::model::throughput::Interval;
use crate::report::kit::format;

/// Rows of a table beyond which nobody reads.
pub(in crate::report) const MOST_ROWS: usize = 120;

/// Without what each CPU and each queue did: of a day, that is most of it.
pub(in crate::report) fn slim(interval: &Interval) -> Interval {
    let Interval {
        t_s,
        duration_s,
        wire_gbps,
        goodput_gbps,
        hardware_gbps,
        software_gbps,
        unaggregated_gbps,
        small_gbps,
        software_share,
        segmentation_cpu,
        segmentation_ns_per_byte,
        retransmitted_bytes,
        mean_queued_bytes,
        mean_driver_bytes,
        segments_per_packet,
        rtt_us,
        merged,
        cpus: _,
        queues: _,
    } = interval;
    Interval {
        t_s: *t_s,
        duration_s: *duration_s,
        wire_gbps: wire_gbps.clone(),
        goodput_gbps: goodput_gbps.clone(),
        hardware_gbps: hardware_gbps.clone(),
        software_gbps: software_gbps.clone(),
        unaggregated_gbps: unaggregated_gbps.clone(),
        small_gbps: small_gbps.clone(),
        software_share: software_share.clone(),
        segmentation_cpu: segmentation_cpu.clone(),
        segmentation_ns_per_byte: segmentation_ns_per_byte.clone(),
        retransmitted_bytes: retransmitted_bytes.clone(),
        mean_queued_bytes: mean_queued_bytes.clone(),
        mean_driver_bytes: mean_driver_bytes.clone(),
        segments_per_packet: *segments_per_packet,
        rtt_us: *rtt_us,
        cpus: Vec::new(),
        queues: Vec::new(),
        merged: *merged,
    }
}

/// Whether its place in time makes sense.
pub(in crate::report) fn is_placed(interval: &Interval) -> bool {
    interval.t_s.is_finite() && interval.duration_s.is_finite() && interval.duration_s > 0.0
}

/// A cell of a table.
pub(in crate::report) fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "not measured".to_owned(), format::significant)
}
