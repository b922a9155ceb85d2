//! Pictures of an experiment.

mod blocks;
mod effects;
mod prediction;
mod shapes;
mod sizes;

use crate::report::ab::schema::AbReport;
use crate::report::kit::chart::Chart;

/// Every chart, in the order in which they tell the story.
pub const CHARTS: &[Chart<AbReport>] = &[
    Chart { name: "Effects, with their intervals", file: "ab-effects.svg", of: effects::of },
    Chart { name: "Block by block", file: "ab-blocks.svg", of: blocks::of },
    Chart { name: "Packet sizes to the driver, arm by arm", file: "ab-sizes.svg", of: sizes::of },
    Chart { name: "Prediction against outcome", file: "ab-prediction.svg", of: prediction::of },
];

#[cfg(test)]
mod tests;
