//! Pictures of a run: SVG by plotters. Each stands alone: it says what it shows, of what, and the answer.
//!
//! A chart is one file here and one line in [`CHARTS`].

mod chain;
mod cost;
mod flow;
mod heat;
pub(in crate::report) mod histogram;
pub(in crate::report::run) mod probes;
mod reasons;
mod rtt;
mod sizes;
pub(in crate::report) mod throughput;

use crate::report::kit::chart::Chart;
use crate::report::run::schema::RunReport;

/// Every chart, in the order in which they tell the story.
pub const CHARTS: &[Chart<RunReport>] = &[
    Chart { name: "Throughput by path", file: "throughput.svg", of: throughput::of },
    Chart { name: "Where the bytes went", file: "flow.svg", of: flow::of },
    Chart { name: "The chain of causes", file: "chain.svg", of: chain::of },
    Chart { name: "Why super-packets were segmented", file: "reasons.svg", of: reasons::of },
    Chart { name: "Packet sizes before and after", file: "sizes.svg", of: sizes::of },
    Chart { name: "CPU cost against throughput", file: "cost.svg", of: cost::of },
    Chart { name: "Round trip over time", file: "rtt.svg", of: rtt::of },
    Chart { name: "Queues and CPUs over time", file: "heat.svg", of: heat::of },
    Chart { name: "What the probes cost", file: "probes.svg", of: probes::of },
];

/// Why a null of the report is one, or what to say where it has no reason.
fn reason<'a>(report: &'a RunReport, path: &str, otherwise: &'a str) -> &'a str {
    report.unmeasured.get(path).map_or(otherwise, String::as_str)
}

#[cfg(test)]
mod tests;
