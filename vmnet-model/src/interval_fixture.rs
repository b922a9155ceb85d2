//! Intervals of a run, for tests of what is made of them.

#![allow(
    clippy::unwrap_used,
    clippy::new_without_default,
    missing_docs,
    reason = "tests call it, and it fails as they do"
)]

use super::throughput::{CpuShare, Interval, QueueRate};

/// One second in which `gbps` of payload left, `software` of it segmented in software.
pub fn second(t_s: f64, gbps: f64, software: f64) -> Interval {
    let unaggregated = gbps * 0.002;
    let small = gbps * 0.000_5;
    let built = gbps - unaggregated - small;
    Interval {
        t_s,
        duration_s: 1.0,
        wire_gbps: Some(gbps * 1.046),
        goodput_gbps: Some(gbps),
        hardware_gbps: Some(built * (1.0 - software)),
        software_gbps: Some(built * software),
        unaggregated_gbps: Some(unaggregated),
        small_gbps: Some(small),
        software_share: (gbps > 0.0).then_some(software),
        segmentation_cpu: Some(1.31 * software),
        segmentation_ns_per_byte: (gbps > 0.0).then_some(0.95 * software),
        retransmitted_bytes: Some(1448),
        mean_queued_bytes: (gbps > 0.0).then_some(43_214.0),
        mean_driver_bytes: (gbps > 0.0).then_some(1514.0 * software + 43_214.0 * (1.0 - software)),
        segments_per_packet: Some(1.0 + 28.5 * (1.0 - software)),
        rtt_us: (gbps > 0.0).then_some(420.0),
        cpus: (0..8_u32)
            .map(|cpu| CpuShare {
                busy: 0.2 + 0.1 * f64::from(cpu % 8),
                softirq: 0.1 + 0.05 * f64::from(cpu % 8),
                steal: 0.01,
                segmenting: Some(software * 0.04 * f64::from(cpu)),
                tcp_gbps: Some(gbps * f64::from(cpu) / 28.0),
            })
            .collect(),
        queues: (0..8_u32)
            .map(|queue| QueueRate {
                gbps: Some(gbps * f64::from(queue) / 28.0),
                packets_per_s: Some(gbps * f64::from(queue) * 1000.0),
            })
            .collect(),
        merged: None,
    }
}

/// A second of which nothing is known.
pub fn unknown(t_s: f64) -> Interval {
    Interval {
        t_s,
        duration_s: 1.0,
        wire_gbps: None,
        goodput_gbps: None,
        hardware_gbps: None,
        software_gbps: None,
        unaggregated_gbps: None,
        small_gbps: None,
        software_share: None,
        segmentation_cpu: None,
        segmentation_ns_per_byte: None,
        retransmitted_bytes: None,
        mean_queued_bytes: None,
        mean_driver_bytes: None,
        segments_per_packet: None,
        rtt_us: None,
        cpus: Vec::new(),
        queues: Vec::new(),
        merged: None,
    }
}
