//! Pictures of two runs, A above B, on the same scales.

mod forest;
mod sizes;
mod throughput;

use super::Pair;
use crate::report::kit::chart::Chart;

/// Every chart, in the order in which they tell the story.
pub const CHARTS: &[Chart<Pair>] = &[
    Chart { name: "Effects, with their intervals", file: "compare-effects.svg", of: forest::of },
    Chart { name: "Throughput by path, A above B", file: "compare-throughput.svg", of: throughput::of },
    Chart { name: "Packet sizes to the driver, A above B", file: "compare-sizes.svg", of: sizes::of },
];

#[cfg(test)]
mod tests;
