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

use crate::report::kit::chart::{Chart, ChartError};
use crate::report::kit::table::Table;
use crate::report::run::schema::RunReport;

/// Every chart, in the order in which they tell the story.
pub const CHARTS: &[Chart<RunReport>] = &[
    Chart {
        name: "Throughput by path",
        file: "throughput.svg",
        draw: throughput::draw,
        table: throughput::table,
    },
    Chart { name: "Where the bytes went", file: "flow.svg", draw: flow::draw, table: flow::table },
    Chart { name: "The chain of causes", file: "chain.svg", draw: chain::draw, table: chain::table },
    Chart {
        name: "Why super-packets were segmented",
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

/// Why a null of the report is one, or what to say where it has no reason.
fn reason<'a>(report: &'a RunReport, path: &str, otherwise: &'a str) -> &'a str {
    report.unmeasured.get(path).map_or(otherwise, String::as_str)
}

#[cfg(test)]
mod tests;
