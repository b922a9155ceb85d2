//! An experiment's result: `vmnet ab`.

pub mod absences;
pub mod charts;
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

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::output::{FilesError, Format, OutputDir};
use crate::report::ab::charts::CHARTS;
use crate::report::run::html::HtmlError;
use crate::report::run::json::JsonError;
use page::Drawn;
use schema::AbReport;

/// The page for people: what a person opens first.
pub const PAGE: &str = "ab.html";
/// All of it, for programs, and what the rest can be drawn from again.
pub const JSON: &str = "ab.json";
/// More than any experiment comes to: a thousand blocks of ten trials are a few megabytes.
const MOST_BYTES: u64 = 64 << 20;

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
    write_as(output, report, &[Format::Html, Format::Svg, Format::Json])
}

/// The same in these formats alone; there is no CSV of an experiment.
///
/// # Errors
/// As [`write`].
pub fn write_as(output: &OutputDir, report: &AbReport, formats: &[Format]) -> Result<Vec<PathBuf>, AbError> {
    let report = finite::finite(report)?;
    let mut charts = Vec::new();
    for chart in CHARTS {
        let svg = (chart.draw)(&report).map_err(|why| HtmlError::Chart { file: chart.file, why })?;
        charts.push(Drawn { name: chart.name, file: chart.file, svg, table: (chart.table)(&report) });
    }
    let page = page::page(&report, &charts)?;
    let json = as_json(&report)?;
    let mut files = Vec::new();
    if formats.contains(&Format::Html) {
        files.push((PAGE, page.as_str()));
    }
    if formats.contains(&Format::Json) {
        files.push((JSON, json.as_str()));
    }
    if formats.contains(&Format::Svg) {
        files.extend(charts.iter().map(|chart| (chart.file, chart.svg.as_str())));
    }
    Ok(output.write_all(&files)?)
}

/// Whether that is the result of an experiment: its directory, or its `ab.json` by whatever name. What cannot be read is none.
#[must_use]
pub fn is_experiment(path: &Path) -> bool {
    if path.is_dir() {
        return path.join(JSON).is_file();
    }
    let mut beginning = Vec::new();
    let read = File::open(path).and_then(|file| file.take(256).read_to_end(&mut beginning));
    // It is the first thing that is written.
    read.is_ok() && String::from_utf8_lossy(&beginning).contains(&format!("\"{}\"", schema::SCHEMA))
}

/// The result of an experiment, from its directory or its `ab.json`.
///
/// # Errors
/// In words, when it cannot be read or understood.
pub fn read(path: &Path) -> Result<AbReport, String> {
    let file = if path.is_dir() { path.join(JSON) } else { path.to_owned() };
    let failed = |why: &dyn std::fmt::Display| format!("cannot read {}: {why}", file.display());
    let mut bytes = Vec::new();
    let read = File::open(&file).and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes));
    read.map_err(|error| failed(&error))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(failed(&format!("it is longer than {MOST_BYTES} bytes")));
    }
    serde_json::from_slice(&bytes).map_err(|error| failed(&error))
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
