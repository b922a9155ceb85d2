//! `report.html`: a run as one page that needs nothing but itself. No request leaves it, its script is for comfort alone, and
//! whatever it shows is data: see [`escape`].
//!
//! The page is HTML and well-formed XML at once, so that a strict parser can be held against it.

mod answer;
pub(in crate::report) mod causes;
mod ledger;
mod machine;
mod proof;
mod raw;

use askama::Template;

use self::answer::Answer;
use self::causes::Why;
use crate::model::merging::merged;
use crate::report::kit::format;
use crate::report::kit::parts::{Cell, Facts, Figure, Grid};
use crate::report::run::charts::{CHARTS, ChartError};
use crate::report::run::json;
use crate::report::run::json::JsonError;
use crate::report::run::schema::RunReport;
use crate::report::run::{absences, text};

/// A longer run has its intervals merged, as nobody reads more rows, and few programs like to show them.
const MOST_INTERVALS: usize = 600;
/// Of what COMMAND printed, in characters: the rest is in run.json.
const MOST_OUTPUT: usize = 20_000;

pub(in crate::report) const STYLE: &str = include_str!("../../../templates/page.css");
pub(in crate::report) const SCRIPT: &str = include_str!("../../../templates/page.js");

/// A page could not be made.
#[derive(Debug, thiserror::Error)]
pub enum HtmlError {
    /// A chart could not be drawn.
    #[error("could not draw {file}: {why}")]
    Chart {
        /// The file that it has elsewhere.
        file: &'static str,
        /// What plotters said.
        why: ChartError,
    },
    /// The report could not be serialised.
    #[error("{0}")]
    Json(JsonError),
    /// The template could not be filled in.
    #[error("the page could not be filled in: {0}")]
    Template(askama::Error),
}

/// The whole page.
#[derive(Template)]
#[template(path = "page.html")]
struct Page {
    style: &'static str,
    script: &'static str,
    answer: Answer,
    why: Why,
    figures: Vec<Figure>,
    /// Said where intervals were merged.
    merged: Option<String>,
    ledger: Option<[Grid; 2]>,
    ledger_unknown: String,
    other: Option<String>,
    reasons: Option<Grid>,
    reasons_unknown: String,
    chain: Option<Grid>,
    audit: Option<(Grid, Facts)>,
    hooks: Option<Grid>,
    fell_because: Vec<String>,
    overhead: Facts,
    events: Option<Grid>,
    run: Facts,
    machine: Vec<machine::Part>,
    machine_unknown: String,
    command: Option<Command>,
    unmeasured: Grid,
    json: String,
}

/// The command that ran.
struct Command {
    line: String,
    ended: String,
    said: Option<String>,
    output: String,
    is_shortened: bool,
}

/// A run as one page.
///
/// # Errors
/// When a chart cannot be drawn, or the window has no finite length.
pub fn page(report: &RunReport) -> Result<String, HtmlError> {
    let mut report = json::finite(report).map_err(HtmlError::Json)?;
    let mut drawn = Vec::new();
    for chart in CHARTS {
        let svg = (chart.draw)(&report).map_err(|why| HtmlError::Chart { file: chart.file, why })?;
        drawn.push((chart, svg));
    }
    let merged = merge(&mut report);
    let figures = drawn
        .into_iter()
        .map(|(chart, svg)| Figure::new(chart.name, chart.file, &svg, (chart.table)(&report)))
        .collect();
    let why =
        |path: &str| report.unmeasured.get(path).cloned().unwrap_or_else(|| "it was not measured".to_owned());
    let page = Page {
        style: STYLE,
        script: SCRIPT,
        answer: Answer::of(&report),
        why: Why::of(&report),
        figures,
        merged,
        ledger: ledger::grids(&report),
        ledger_unknown: why("ledger.tcp"),
        other: ledger::other(&report),
        reasons: ledger::reasons(&report),
        reasons_unknown: why("reasons"),
        chain: proof::chain(&report),
        audit: report.audit.as_ref().map(|audit| (proof::identities(audit), proof::missed(&report, audit))),
        hooks: (!report.probes.hooks.is_empty()).then(|| proof::hooks(&report)),
        fell_because: report.probes.fell_because.clone(),
        overhead: proof::overhead(&report),
        events: proof::events(&report),
        run: machine::run(&report),
        machine: report.machine.as_ref().map(machine::parts).unwrap_or_default(),
        machine_unknown: why("machine"),
        command: command(&report),
        unmeasured: unmeasured(&report),
        json: raw::json(&report).map_err(HtmlError::Json)?,
    };
    page.render().map_err(HtmlError::Template)
}

/// Fewer intervals where there are too many, and what to say then.
fn merge(report: &mut RunReport) -> Option<String> {
    let intervals = report.throughput.samples.len();
    let few = merged(&report.throughput.samples, MOST_INTERVALS);
    if few.len() == intervals {
        return None;
    }
    let said = format!(
        "The run had {} intervals. On this page they are merged into {}: means, with the extremes beside them. run.json has \
         each of them.",
        format::exact(intervals as u64),
        format::exact(few.len() as u64)
    );
    report.throughput.samples = few;
    absences::explain(report);
    Some(said)
}

/// A document's root element: a page has no place for a prolog.
pub(in crate::report) fn element(svg: &str) -> &str {
    svg.find("<svg").and_then(|at| svg.get(at..)).unwrap_or_default()
}

fn command(report: &RunReport) -> Option<Command> {
    let benchmark = report.benchmark.as_ref()?;
    let output = benchmark.stdout.as_deref().unwrap_or_default().trim_end();
    Some(Command {
        line: benchmark.command.join(" "),
        ended: format::sentence(&text::how_it_ended(benchmark)),
        said: text::what_it_said(benchmark).map(|said| format!("{said}.")),
        output: format::shortened(output, MOST_OUTPUT),
        is_shortened: output.chars().count() > MOST_OUTPUT,
    })
}

fn unmeasured(report: &RunReport) -> Grid {
    let mut grid = Grid::new("What is null in the JSON, and why", ["Path", "Why"]);
    for (path, why) in &report.unmeasured {
        grid.row(path, vec![Cell::words(why)]);
    }
    grid
}

#[cfg(test)]
mod tests;
