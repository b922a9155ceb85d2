//! One picture of a document, and what it shows in numbers.

use super::table::Table;

/// One picture of a document.
pub struct Chart<D> {
    /// What it shows, as a heading.
    pub name: &'static str,
    /// The file it is written to.
    pub file: &'static str,
    /// The whole SVG document.
    pub draw: fn(&D) -> Result<String, ChartError>,
    /// The same in numbers, for those who cannot see it or want to know exactly.
    pub table: fn(&D) -> Table,
}

/// plotters could not draw.
#[derive(Debug, thiserror::Error)]
#[error("plotters: {0}")]
pub struct ChartError(String);

impl<E: std::error::Error + Send + Sync> From<plotters::drawing::DrawingAreaErrorKind<E>> for ChartError {
    fn from(error: plotters::drawing::DrawingAreaErrorKind<E>) -> Self {
        Self(error.to_string())
    }
}
