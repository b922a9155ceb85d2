//! What is measured in every trial.

use serde::{Deserialize, Serialize};

use crate::comparison::Better;

/// What is measured. The unit is in the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum MetricId {
    /// Payload that arrived, or was sent for the first time, over time.
    ThroughputGbps,
    /// Where the benchmark counts transactions.
    TransactionsPerS,
    /// Busy time of all CPUs per byte of payload.
    CpuNsPerByte,
    /// Time inside segmentation per byte of payload sent.
    SegmentationNsPerByte,
    /// Retransmitted payload per million bytes of payload.
    RetransmittedPpm,
    /// The sockets' own smoothed round trip while they send, queues on the way included.
    RttUs,
    /// Mean length of TCP packets with payload that the driver got.
    PacketToDriverBytes,
}

/// How two arms are held against each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// By the logarithm of their ratio: a change in percent.
    Ratio,
    /// By their difference, in the metric's own unit: for what may be 0.
    Difference,
}

/// One thing that is measured.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Which.
    pub id: MetricId,
    /// In people's words.
    pub name: &'static str,
    /// `Gbit/s`, `ns/byte`, …
    pub unit: &'static str,
    /// Which way is the better one.
    pub better: Better,
    /// How arms are compared.
    pub scale: Scale,
}

/// All of them, the ones that matter most first.
pub const METRICS: [Metric; 7] = [
    Metric {
        id: MetricId::ThroughputGbps,
        name: "throughput",
        unit: "Gbit/s",
        better: Better::More,
        scale: Scale::Ratio,
    },
    Metric {
        id: MetricId::TransactionsPerS,
        name: "transactions",
        unit: "/s",
        better: Better::More,
        scale: Scale::Ratio,
    },
    Metric {
        id: MetricId::CpuNsPerByte,
        name: "CPU per byte",
        unit: "ns/byte",
        better: Better::Less,
        scale: Scale::Ratio,
    },
    Metric {
        id: MetricId::RttUs,
        name: "round trip under load",
        unit: "µs",
        better: Better::Less,
        scale: Scale::Ratio,
    },
    Metric {
        id: MetricId::RetransmittedPpm,
        name: "retransmitted",
        unit: "ppm",
        better: Better::Less,
        scale: Scale::Difference,
    },
    Metric {
        id: MetricId::SegmentationNsPerByte,
        name: "segmenting per byte",
        unit: "ns/byte",
        better: Better::Less,
        scale: Scale::Difference,
    },
    Metric {
        id: MetricId::PacketToDriverBytes,
        name: "mean packet to the driver",
        unit: "bytes",
        better: Better::More,
        scale: Scale::Ratio,
    },
];

impl MetricId {
    /// What is known of it.
    #[must_use]
    pub fn metric(self) -> &'static Metric {
        // Every id is in the table, which a test sees to.
        METRICS.iter().find(|metric| metric.id == self).unwrap_or(&METRICS[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_found_by_its_id() {
        for metric in METRICS {
            assert_eq!(metric.id.metric().name, metric.name);
        }
    }
}
