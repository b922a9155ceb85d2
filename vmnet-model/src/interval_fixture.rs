//! Intervals of a run, for tests of what is made of them.

#![allow(
    clippy::unwrap_used,
    clippy::new_without_default,
    missing_docs,
    reason = "tests call it, and it fails as they do"
)]

use super::fact::Why;
use super::throughput::{CpuShare, Interval, NOTHING_SENT as IDLE, QueueRate};

/// One second in which `gbps` of payload left, `software` of it segmented in software.
pub fn second(t_s: f64, gbps: f64, software: f64) -> Interval {
    let unaggregated = gbps * 0.002;
    let small = gbps * 0.000_5;
    let built = gbps - unaggregated - small;
    Interval {
        t_s,
        duration_s: 1.0,
        wire_gbps: Ok(gbps * 1.046),
        goodput_gbps: Ok(gbps),
        hardware_gbps: Ok(built * (1.0 - software)),
        software_gbps: Ok(built * software),
        unaggregated_gbps: Ok(unaggregated),
        small_gbps: Ok(small),
        software_share: (gbps > 0.0).then_some(software).ok_or(IDLE),
        segmentation_cpu: Ok(1.31 * software),
        segmentation_ns_per_byte: (gbps > 0.0).then_some(0.95 * software).ok_or(IDLE),
        retransmitted_bytes: Ok(1448),
        mean_queued_bytes: (gbps > 0.0).then_some(43_214.0).ok_or(IDLE),
        mean_driver_bytes: (gbps > 0.0)
            .then_some(1514.0 * software + 43_214.0 * (1.0 - software))
            .ok_or(IDLE),
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
        wire_gbps: Err(Why::NoPrograms),
        goodput_gbps: Err(Why::NoPrograms),
        hardware_gbps: Err(Why::NoPrograms),
        software_gbps: Err(Why::NoPrograms),
        unaggregated_gbps: Err(Why::NoPrograms),
        small_gbps: Err(Why::NoPrograms),
        software_share: Err(Why::NoPrograms),
        segmentation_cpu: Err(Why::NoPrograms),
        segmentation_ns_per_byte: Err(Why::NoPrograms),
        retransmitted_bytes: Err(Why::NoPrograms),
        mean_queued_bytes: Err(Why::NoPrograms),
        mean_driver_bytes: Err(Why::NoPrograms),
        segments_per_packet: None,
        rtt_us: None,
        cpus: Vec::new(),
        queues: Vec::new(),
        merged: None,
    }
}
