//! A document: charts, a page that holds them, and its data. Each of them is complete under its name or not there.

use std::borrow::Cow;
use std::path::PathBuf;

use super::chart::{Chart, Titled};
use super::json::JsonError;
use super::parts::{Figure, Figures};
use super::sheet::ChartError;
use crate::output::{FilesError, OutputDir};

/// How a document can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// report.html: one page with everything
    Html,
    /// Each chart as a picture
    Svg,
    /// run.json: all of it, for programs (vmnet.run/1)
    Json,
    /// samples.csv: each interval, for a spreadsheet
    Csv,
}

impl Format {
    /// What is written unless something else is asked for.
    pub const USUAL: [Self; 3] = [Self::Json, Self::Svg, Self::Html];
}

/// A table could not be written.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    /// The writer's own.
    #[error("the table could not be written as CSV: {0}")]
    Write(#[from] csv::Error),
    /// What was written is no text; it is made of digits.
    #[error("the table as CSV is no text; please report this as a bug of vmnet")]
    NotText,
}

/// What is drawn, shown and kept of one answer.
pub(crate) trait Document: Titled + Clone + 'static {
    /// The page for people: what a person opens first.
    const PAGE: &'static str;
    /// All of it, for programs.
    const JSON: &'static str;
    /// Every chart, in the order in which they tell the story.
    const CHARTS: &'static [Chart<Self>];

    /// The same with null in place of what is no finite number, and its reason.
    ///
    /// # Errors
    /// A number that the document cannot do without is none.
    fn finite(&self) -> Result<Cow<'_, Self>, JsonError>;

    /// The page. `self` is [finite](Self::finite).
    ///
    /// # Errors
    /// When it cannot be filled in.
    fn page(&self, figures: Figures) -> Result<String, PageError>;

    /// The JSON, indented, with a newline at the end. `self` is [finite](Self::finite).
    ///
    /// # Errors
    /// serde's own.
    fn json(&self) -> Result<String, JsonError>;

    /// Name and text of the table for spreadsheets; None where the document has none.
    fn csv(&self) -> Option<(&'static str, Result<String, CsvError>)> {
        None
    }
}

/// A page could not be filled in.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The document could not be serialised into it.
    #[error("{0}")]
    Json(#[from] JsonError),
    /// The template's own.
    #[error("the page could not be filled in: {0}")]
    Template(#[from] askama::Error),
}

/// A document could not be made, or not be put where it should go. Each message is whole, so that there is no `source` that would say it
/// again.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// A chart could not be drawn.
    #[error("could not draw {file}: {why}")]
    Chart {
        /// The file that it was for.
        file: &'static str,
        /// What plotters said.
        why: ChartError,
    },
    /// It could not be serialised.
    #[error("could not write {file}: {why}")]
    Json {
        /// The file that it was for.
        file: &'static str,
        /// Why.
        why: JsonError,
    },
    /// It could not be written as CSV.
    #[error("could not write {file}: {why}")]
    Csv {
        /// The file that it was for.
        file: &'static str,
        /// Why.
        why: CsvError,
    },
    /// The page could not be made.
    #[error("could not make {file}: {why}")]
    Page {
        /// The file that it was for.
        file: &'static str,
        /// Why.
        why: PageError,
    },
    /// A file could not be written.
    #[error(transparent)]
    Files(#[from] FilesError),
}

/// Writes a document in these formats, and returns the files' paths, the page's first: it is what a person opens. On the disk it comes last,
/// because all others can be made into it again.
///
/// # Errors
/// The first file that could not be made or written; an error of writing has those that were.
pub(crate) fn write<D: Document>(
    output: &OutputDir,
    document: &D,
    formats: &[Format],
) -> Result<Vec<PathBuf>, DocumentError> {
    let document = document.finite().map_err(|why| DocumentError::Json { file: D::JSON, why })?;
    let wanted = |format| formats.contains(&format);
    let mut files = output.files();
    if wanted(Format::Json) {
        let text = document.json().map_err(|why| DocumentError::Json { file: D::JSON, why })?;
        files.write(D::JSON, &text)?;
    }
    if wanted(Format::Csv)
        && let Some((file, text)) = document.csv()
    {
        files.write(file, &text.map_err(|why| DocumentError::Csv { file, why })?)?;
    }
    if !wanted(Format::Svg) && !wanted(Format::Html) {
        return Ok(files.written());
    }
    let figures = draw(document.as_ref(), |file, svg| match svg {
        Some(svg) if wanted(Format::Svg) => Ok(files.write(file, &svg)?),
        // Nor one of an earlier time.
        None => {
            output.remove(file);
            Ok(())
        }
        Some(_) => Ok(()),
    })?;
    if wanted(Format::Html) {
        let page = document.page(figures).map_err(|why| DocumentError::Page { file: D::PAGE, why })?;
        files.write(D::PAGE, &page)?;
        return Ok(files.written_last_first());
    }
    Ok(files.written())
}

/// The page alone, as text.
///
/// # Errors
/// Where it cannot be made.
pub(crate) fn page<D: Document>(document: &D) -> Result<String, DocumentError> {
    let document = document.finite().map_err(|why| DocumentError::Json { file: D::JSON, why })?;
    let figures = draw(document.as_ref(), |_, _| Ok(()))?;
    document.page(figures).map_err(|why| DocumentError::Page { file: D::PAGE, why })
}

/// The charts of whatever there is to see, each shown to `drawn` as file and SVG; None where there is nothing.
fn draw<D: Document>(
    document: &D,
    mut drawn: impl FnMut(&str, Option<String>) -> Result<(), DocumentError>,
) -> Result<Figures, DocumentError> {
    let mut figures = Figures::default();
    for chart in D::CHARTS {
        let file = chart.file;
        match chart.drawn(document).map_err(|why| DocumentError::Chart { file, why })? {
            Ok(picture) => {
                drawn(file, Some(picture.alone()))?;
                figures.drawn.push(Figure::new(chart, &picture));
            }
            Err(why) => {
                drawn(file, None)?;
                figures.absent.push((chart.name, why));
            }
        }
    }
    Ok(figures)
}
