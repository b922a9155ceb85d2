//! `report.html`: a run as one page that needs nothing but itself. No request leaves it, its script is for comfort alone, and
//! whatever it shows is data: see `report/kit/escape.rs`.
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
use crate::report::kit::parts::{Figures, Part, Tile};
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
    tiles: Vec<Tile>,
    why: Why,
    figures: Figures,
    /// Without traffic all is folded but the answer.
    is_quiet: bool,
    /// Said where intervals were merged.
    merged: Option<String>,
    parts: Vec<Part>,
}

/// A run as one page. `report` is finite, and `figures` are drawn from it.
///
/// # Errors
/// When the template cannot be filled in.
pub(super) fn page(report: &RunReport, figures: Figures) -> Result<String, PageError> {
    let mut report = report.clone();
    let merged = merge(&mut report);
    let json = Part::new("json", "Raw JSON", "schema vmnet.run/1, as in run.json");
    let json = merged.iter().fold(json, Part::note);
    let page = Page {
        style: STYLE,
        script: SCRIPT,
        answer: Answer::of(&report),
        tiles: answer::tiles(&report),
        why: Why::of(report.interface.place(), report.causes.as_deref().map_err(ToString::to_string)),
        is_quiet: !figures.drawn.iter().any(|figure| figure.id == "throughput"),
        figures,
        parts: vec![
            ledger::part(&report),
            proof::witnesses(&report),
            proof::probes(&report),
            machine::part(&report),
            command(&report),
            limits(&report),
            Part::of_unmeasured(&report.unmeasured),
            json.long("The whole report as JSON", raw::json(&report)?),
        ],
        merged,
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

fn command(report: &RunReport) -> Part {
    let part = |gist: &str| Part::new("command", "Command", gist);
    let Some(benchmark) = &report.benchmark else {
        return part("none was given: what ran meanwhile is not known");
    };
    let line = benchmark.command.join(" ");
    let part =
        part(&format::shortened(&line, 60)).copy(line).said(format::sentence(&text::how_it_ended(benchmark)));
    let part =
        text::what_it_said(benchmark).into_iter().fold(part, |part, said| part.said(format!("{said}.")));
    let output = benchmark.stdout.as_deref().unwrap_or_default().trim_end();
    if output.is_empty() {
        return part;
    }
    let is_shortened = output.chars().count() > MOST_OUTPUT;
    let note =
        if is_shortened { "What it printed (the beginning; run.json has more):" } else { "What it printed:" };
    part.note(note).long("What the command printed", format::shortened(output, MOST_OUTPUT))
}

fn limits(report: &RunReport) -> Part {
    const ALWAYS: [&str; 3] = [
        "Counted is what this machine’s kernel hands to the device’s driver. What the device, or a host behind it, makes of that cannot be \
         seen from here: it may still segment",
        "The answer is about this run: its traffic, its peers, and the settings that held meanwhile",
        "Bytes are TCP payload, headers excluded and retransmits included, unless a number says otherwise",
    ];
    let mut limits = text::limits(report);
    // What a figure of the cost leaves out.
    limits.extend(text::cost(report).iter().filter_map(|said| Some(said.split_once("; ")?.1.to_owned())));
    let gist = limits.first().cloned().unwrap_or_default();
    Part::new("limits", "Limits of the proof", gist).list(limits.into_iter().chain(ALWAYS.map(str::to_owned)))
}

#[cfg(test)]
mod tests;
