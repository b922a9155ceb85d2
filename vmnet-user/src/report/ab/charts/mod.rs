//! Pictures of an experiment.

mod blocks;
mod effects;
mod marks;
mod prediction;
mod rows;
mod sizes;

use crate::report::ab::schema::AbReport;
use crate::report::kit::chart::Chart;

/// Every chart, in the order in which they tell the story.
pub const CHARTS: &[Chart<AbReport>] = &[
    Chart {
        name: "Effects, with their intervals",
        file: "ab-effects.svg",
        draw: effects::draw,
        table: effects::table,
    },
    Chart { name: "Block by block", file: "ab-blocks.svg", draw: blocks::draw, table: blocks::table },
    Chart {
        name: "Packet sizes to the driver, arm by arm",
        file: "ab-sizes.svg",
        draw: sizes::draw,
        table: sizes::table,
    },
    Chart {
        name: "Prediction against outcome",
        file: "ab-prediction.svg",
        draw: prediction::draw,
        table: prediction::table,
    },
];

#[cfg(test)]
mod tests;
