//! An experiment's result: `vmnet ab`.

pub mod absences;
mod finite;
pub(in crate::report) mod foresight;
mod lines;
mod page;
mod plan;
mod progress;
pub(in crate::report) mod results;
pub mod schema;
pub(in crate::report) mod summary;
pub mod text;
pub(in crate::report) mod validity;
pub(in crate::report) mod words;

use std::path::PathBuf;

use crate::report::charts::ab::CHARTS;
use crate::report::files::{FilesError, OutputDir};
use crate::report::html::HtmlError;
use crate::report::json::JsonError;
use page::Drawn;
use schema::AbReport;

/// The page for people: what a person opens first.
pub const PAGE: &str = "ab.html";

/// An experiment's report could not be put where it should go.
#[derive(Debug, thiserror::Error)]
pub enum AbError {
    /// A chart could not be drawn, or the page not be made.
    #[error("could not make {PAGE}: {0}")]
    Html(#[from] HtmlError),
    /// It could not be serialised.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A file could not be written.
    #[error(transparent)]
    Files(#[from] FilesError),
}

/// As JSON: indented, in the schema's order, with a newline at the end. What is no finite number is null, and says so.
///
/// # Errors
/// serde's own, or a number that the report cannot do without.
pub fn to_text(report: &AbReport) -> Result<String, JsonError> {
    as_json(&finite::finite(report)?)
}

fn as_json(report: &AbReport) -> Result<String, JsonError> {
    let mut text = serde_json::to_string_pretty(report).map_err(JsonError::Serialize)?;
    text.push('\n');
    Ok(text)
}

/// Writes `ab.html`, `ab.json` and every chart. Returns their paths, the page's first.
///
/// # Errors
/// Which file it failed at, and why.
pub fn write(output: &OutputDir, report: &AbReport) -> Result<Vec<PathBuf>, AbError> {
    let report = finite::finite(report)?;
    let mut charts = Vec::new();
    for chart in CHARTS {
        let svg = (chart.draw)(&report).map_err(|why| HtmlError::Chart { file: chart.file, why })?;
        charts.push(Drawn { name: chart.name, file: chart.file, svg, table: (chart.table)(&report) });
    }
    let page = page::page(&report, &charts)?;
    let json = as_json(&report)?;
    let mut files = vec![(PAGE, page.as_str()), ("ab.json", json.as_str())];
    files.extend(charts.iter().map(|chart| (chart.file, chart.svg.as_str())));
    Ok(output.write_all(&files)?)
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
