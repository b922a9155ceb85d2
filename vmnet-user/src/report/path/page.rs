//! `path.html`: one file, nothing fetched.

use askama::Template;

use super::text::{also, answer_word, called, confidence, fixes, here, notes, price, sent};
use super::{PathReport, StepReport};
use crate::model::path::{State, Unit};
use crate::report::kit::document::PageError;
use crate::report::kit::format;
use crate::report::kit::format::{capitalised, sentence};
use crate::report::kit::parts::{Cell, Figures, Grid, Mark};
use crate::report::run::html::SCRIPT;

const STYLE: &str =
    concat!(include_str!("../../../templates/page.css"), include_str!("../../../templates/compare.css"));

#[derive(Template)]
#[template(path = "path.html")]
struct Page {
    style: &'static str,
    script: &'static str,
    tone: &'static str,
    word: &'static str,
    confidence: &'static str,
    summary: String,
    circumstances: String,
    causes: Vec<Told>,
    price: Option<String>,
    also: Vec<String>,
    steps: Grid,
    audit: Grid,
    notes: Vec<String>,
    figures: Figures,
}

/// A cause at the step that the answer is about.
struct Told {
    title: String,
    id: &'static str,
    detail: String,
    remedies: Vec<String>,
}

/// The whole document.
///
/// # Errors
/// When the template cannot be filled in.
pub(super) fn page(report: &PathReport, figures: Figures) -> Result<String, PageError> {
    let verdict = &report.verdict;
    let culprit = verdict.step.and_then(|step| report.steps.get(step));
    let page = Page {
        style: STYLE,
        script: SCRIPT,
        tone: match verdict.state {
            State::Whole => "good",
            State::Segmented | State::Partial => "bad",
            State::Singles | State::Unknown => "unsure",
        },
        word: answer_word(verdict.state).1,
        confidence: confidence(verdict.confidence),
        summary: sentence(&verdict.summary),
        circumstances: circumstances(report),
        causes: culprit.map(causes).unwrap_or_default(),
        price: culprit.and_then(price).map(|price| sentence(&price)),
        also: beside(report, culprit),
        steps: steps(report),
        audit: audit(report),
        notes: notes(report).iter().map(|line| sentence(line)).collect(),
        figures,
    };
    Ok(page.render()?)
}

/// What else there is to say: of the devices behind a tunnel, of what was sent on purpose, of other devices.
fn beside(report: &PathReport, culprit: Option<&StepReport>) -> Vec<String> {
    let below = culprit.and_then(|step| step.offload_below.as_ref());
    let below = below.map(|below| {
        let how = if below.commands.is_empty() { "" } else { ": " };
        format!("{}{how}{}", below.text, below.commands.join("; "))
    });
    let sent = sent(report).map(|sent| format!("sent on purpose: {sent}"));
    below.into_iter().chain(sent).chain(also(report)).map(|line| sentence(&line)).collect()
}

/// Where to, when, and how it was counted.
pub(super) fn circumstances(report: &PathReport) -> String {
    let to = report.destination.as_ref().map_or_else(String::new, |to| format!("to {to}, "));
    format!(
        "{to}{}, {}, {} at {}",
        format::moment(&report.window.start),
        format::duration(report.window.duration_s),
        report.probes.queue,
        format::plural(u64::try_from(report.probes.devices).unwrap_or(0), "device"),
    )
}

fn causes(step: &StepReport) -> Vec<Told> {
    // What one command does for all of them stands with the first.
    let mut remedies = fixes(step);
    // What is copied is a command alone.
    for line in &mut remedies {
        if let Some((command, _)) = line.split_once("  (") {
            *line = command.to_owned();
        }
    }
    let told = |cause: &crate::model::cause::Cause| Told {
        title: capitalised(&cause.title),
        id: cause.id.name(),
        detail: sentence(&cause.detail),
        remedies: std::mem::take(&mut remedies),
    };
    step.causes.iter().map(told).collect()
}

fn steps(report: &PathReport) -> Grid {
    let mut grid = Grid::new(
        "Devices on the way",
        ["", "#queued", "#mean packet", "#sent", "#mean packet", "dropped", "here"],
    );
    for step in &report.steps {
        let queued = step.queued.map(|queued| queued.super_packets + queued.singles);
        let size =
            |mean: Option<f64>| mean.map_or(Cell::Unknown, |mean| Cell::Number(format::mean_bytes(mean)));
        let dropped = step.dropped.as_ref().ok().map_or(Cell::Unknown, |dropped| Cell::exact(*dropped));
        let cells = vec![
            Cell::exact(queued),
            size(step.mean_bytes_in),
            Cell::exact(step.driver_packets),
            size(step.mean_bytes_out),
            dropped,
            Cell::words(here(step)),
        ];
        grid.row(format!("{} · {}", called(report, step), step.kind), cells);
    }
    grid
}

fn audit(report: &PathReport) -> Grid {
    let head = ["", "of", "#the step before sent", "#queued here", "#difference", "#slack", ""];
    let mut grid = Grid::new("What one sent is what the next queued", head);
    for step in &report.steps {
        let Some(audit) = step.audit else { continue };
        let unit = match audit.unit {
            Unit::Packets => "packets",
            Unit::Segments => "wire segments",
        };
        grid.row(
            called(report, step),
            vec![
                Cell::words(unit),
                Cell::exact(audit.left),
                Cell::exact(audit.right),
                Cell::Number(audit.residual.to_string()),
                Cell::exact(audit.slack),
                Cell::Mark(if audit.ok { Mark::good("agrees") } else { Mark::bad("does not agree") }),
            ],
        );
    }
    grid
}
