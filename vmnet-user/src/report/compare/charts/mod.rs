//! Pictures of two runs, A above B, on the same scales.

mod forest;
mod sizes;
mod throughput;

use crate::report::compare::schema::{CompareReport, RunSummary};
use crate::report::compare::text::gist;
use crate::report::compare::words::answer;
use crate::report::kit::colours::FAINT;
use crate::report::kit::format;
use crate::report::kit::hover::Hovers;
use crate::report::kit::lettering::{Lettering, write_lines};
use crate::report::kit::page::{Area, BODY_TOP, HEIGHT, LEFT, RIGHT, Titles, Topic, document};
use crate::report::run::charts::{ChartError, Table};
use crate::report::run::schema::RunReport;
use crate::report::run::text::confidence_word;

/// Two runs and how they compare.
#[derive(Clone, Copy)]
pub struct Pair<'a> {
    /// The comparison.
    pub report: &'a CompareReport,
    /// The first run.
    pub a: &'a RunReport,
    /// The second run.
    pub b: &'a RunReport,
}

/// One picture of two runs.
pub struct Chart {
    /// What it shows, as a heading.
    pub name: &'static str,
    /// The file it is written to.
    pub file: &'static str,
    /// The whole SVG document.
    pub draw: fn(&Pair<'_>) -> Result<String, ChartError>,
    /// The same in numbers.
    pub table: fn(&Pair<'_>) -> Table,
}

/// Every chart, in the order in which they tell the story.
pub const CHARTS: &[Chart] = &[
    Chart {
        name: "Effects, with their intervals",
        file: "compare-effects.svg",
        draw: forest::draw,
        table: forest::table,
    },
    Chart {
        name: "Throughput by path, A above B",
        file: "compare-throughput.svg",
        draw: throughput::draw,
        table: throughput::table,
    },
    Chart {
        name: "Packet sizes to the driver, A above B",
        file: "compare-sizes.svg",
        draw: sizes::draw,
        table: sizes::table,
    },
];

/// A whole document, its body drawn by `body`.
fn sheet(
    pair: &Pair<'_>,
    topic: Topic,
    description: &str,
    body: impl FnOnce(&Area<'_>, &mut Hovers) -> Result<(), ChartError>,
) -> Result<String, ChartError> {
    let runs = &pair.report.runs;
    let answer = answer(&runs.a, &runs.b);
    let circumstances = format!("A: {} · B: {}", circumstances(&runs.a), circumstances(&runs.b));
    let titles = Titles { answer, finding: format::capitalised(&gist(pair.report)), circumstances };
    document(topic, &titles, description, body)
}

/// A document that says why there is nothing to see.
fn empty_sheet(pair: &Pair<'_>, topic: Topic, why: &str) -> Result<String, ChartError> {
    let sentence = format!("{}: {why}", topic.subject);
    sheet(pair, topic, &sentence, |area, _| {
        let at = (LEFT, (HEIGHT + BODY_TOP) / 2 - 40);
        write_lines(area, &sentence, at, (RIGHT - LEFT, 8), &Lettering::new(20, FAINT))?;
        Ok(())
    })
}

fn circumstances(run: &RunSummary) -> String {
    format!(
        "{} ({}), {}, {}",
        format::shortened(&run.interface, 16),
        confidence_word(run.confidence),
        format::shortened(&format::moment(&run.start), 40),
        format::duration(run.duration_s)
    )
}

#[cfg(test)]
mod tests;
