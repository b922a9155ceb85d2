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
use crate::model::fact::Fact;
use crate::model::merging::merged;
use crate::report::kit::document::PageError;
use crate::report::kit::format;
use crate::report::kit::json::Explained as _;
use crate::report::kit::parts::{Cell, Facts, Figures, Grid};
use crate::report::run::schema::RunReport;
use crate::report::run::text;

/// A longer run has its intervals merged, as nobody reads more rows, and few programs like to show them.
const MOST_INTERVALS: usize = 600;
/// Of what COMMAND printed, in characters: the rest is in run.json.
const MOST_OUTPUT: usize = 20_000;

pub(in crate::report) const STYLE: &str = include_str!("../../../templates/page.css");
pub(in crate::report) const SCRIPT: &str = include_str!("../../../templates/page.js");

/// The whole page.
#[derive(Template)]
#[template(path = "page.html")]
struct Page {
    style: &'static str,
    script: &'static str,
    answer: Answer,
    why: Why,
    figures: Figures,
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

/// A run as one page. `report` is finite, and `figures` are drawn from it.
///
/// # Errors
/// When the template cannot be filled in.
pub(super) fn page(report: &RunReport, figures: Figures) -> Result<String, PageError> {
    let mut report = report.clone();
    let merged = merge(&mut report);
    let page = Page {
        style: STYLE,
        script: SCRIPT,
        answer: Answer::of(&report),
        why: Why::of(&report),
        figures,
        merged,
        ledger: ledger::grids(&report),
        ledger_unknown: report.unmeasured.get("ledger.tcp").cloned().unwrap_or_default(),
        other: ledger::other(&report),
        reasons: ledger::reasons(&report),
        reasons_unknown: unknown(&report.reasons),
        chain: proof::chain(&report),
        audit: report.audit.as_ref().map(|audit| (proof::identities(audit), proof::missed(&report, audit))),
        hooks: (!report.probes.hooks.is_empty()).then(|| proof::hooks(&report)),
        fell_because: report.probes.fell_because.clone(),
        overhead: proof::overhead(&report),
        events: proof::events(&report),
        run: machine::run(&report),
        machine: report.machine.as_ref().map(machine::parts).unwrap_or_default(),
        machine_unknown: unknown(&report.machine),
        command: command(&report),
        unmeasured: unmeasured(&report),
        json: raw::json(&report)?,
    };
    Ok(page.render()?)
}

/// Why it is not known; empty where it is.
fn unknown<T>(fact: &Fact<T>) -> String {
    fact.as_ref().err().map(ToString::to_string).unwrap_or_default()
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
    report.explain();
    Some(said)
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
