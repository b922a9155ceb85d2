//! Pictures of a run: SVG by plotters. Each stands alone: it says what it shows, of what, and the answer.
//!
//! A chart is one file here and one line in [`CHARTS`].

mod chain;
mod cost;
mod flow;
mod heat;
mod probes;
mod reasons;
pub(in crate::report) mod sizes;
pub(in crate::report) mod throughput;

pub use crate::report::kit::table::Table;

use crate::report::run::schema::RunReport;

/// One picture of a run.
pub struct Chart {
    /// What it shows, as a heading.
    pub name: &'static str,
    /// The file it is written to.
    pub file: &'static str,
    /// The whole SVG document.
    pub draw: fn(&RunReport) -> Result<String, ChartError>,
    /// The same in numbers, for those who cannot see it or want to know exactly.
    pub table: fn(&RunReport) -> Table,
}

/// Every chart, in the order in which they tell the story.
pub const CHARTS: &[Chart] = &[
    Chart {
        name: "Throughput by path",
        file: "throughput.svg",
        draw: throughput::draw,
        table: throughput::table,
    },
    Chart { name: "Where the bytes went", file: "flow.svg", draw: flow::draw, table: flow::table },
    Chart { name: "The chain of causes", file: "chain.svg", draw: chain::draw, table: chain::table },
    Chart {
        name: "Why super-packets were cut up",
        file: "reasons.svg",
        draw: reasons::draw,
        table: reasons::table,
    },
    Chart {
        name: "Packet sizes before and after",
        file: "sizes.svg",
        draw: sizes::draw,
        table: sizes::table,
    },
    Chart { name: "CPU cost against throughput", file: "cost.svg", draw: cost::draw, table: cost::table },
    Chart { name: "Queues and CPUs over time", file: "heat.svg", draw: heat::draw, table: heat::table },
    Chart { name: "What the probes cost", file: "probes.svg", draw: probes::draw, table: probes::table },
];

/// plotters could not draw.
#[derive(Debug, thiserror::Error)]
#[error("plotters: {0}")]
pub struct ChartError(String);

impl<E: std::error::Error + Send + Sync> From<plotters::drawing::DrawingAreaErrorKind<E>> for ChartError {
    fn from(error: plotters::drawing::DrawingAreaErrorKind<E>) -> Self {
        Self(error.to_string())
    }
}

#[cfg(test)]
mod tests;
