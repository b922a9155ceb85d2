//! Two runs side by side: `vmnet compare`.

pub mod charts;
mod html;
pub mod schema;
pub mod text;
pub(in crate::report) mod words;

use std::path::PathBuf;

use crate::output::{FilesError, OutputDir};
use crate::report::compare::charts::{CHARTS, Chart, Pair};
use crate::report::kit::parts::Figure;
use crate::report::run::html::HtmlError;
use crate::report::run::json::JsonError;
use crate::report::run::schema::RunReport;
use schema::CompareReport;

/// The page for people: what a person opens first.
pub const PAGE: &str = "compare.html";

/// A comparison could not be put where it should go.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
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

/// As JSON: indented, in the schema's order, with a newline at the end.
///
/// # Errors
/// serde's own.
pub fn to_text(report: &CompareReport) -> Result<String, JsonError> {
    let mut text = serde_json::to_string_pretty(report).map_err(JsonError::Serialize)?;
    text.push('\n');
    Ok(text)
}

/// Writes `compare.html`, `compare.json` and every chart. Returns their paths.
///
/// # Errors
/// Which file it failed at, and why.
pub fn write(
    output: &OutputDir,
    report: &CompareReport,
    a: &RunReport,
    b: &RunReport,
) -> Result<Vec<PathBuf>, CompareError> {
    let pair = Pair { report, a, b };
    let mut charts = Vec::new();
    for chart in CHARTS {
        let svg = (chart.draw)(&pair).map_err(|why| HtmlError::Chart { file: chart.file, why })?;
        charts.push((chart, svg));
    }
    let figure =
        |(chart, svg): &(&Chart, String)| Figure::new(chart.name, chart.file, svg, (chart.table)(&pair));
    let page = html::page(report, charts.iter().map(figure).collect())?;
    let json = to_text(report)?;
    let mut files = vec![(PAGE, page.as_str()), ("compare.json", json.as_str())];
    files.extend(charts.iter().map(|(chart, svg)| (chart.file, svg.as_str())));
    Ok(output.write_all(&files)?)
}

#[cfg(test)]
mod tests;
