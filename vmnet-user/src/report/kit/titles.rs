//! The words above a chart.

/// The three lines above every chart.
pub(crate) struct Titles {
    pub(crate) answer: String,
    pub(crate) finding: String,
    pub(crate) circumstances: String,
}

/// Whatever has charts.
pub(crate) trait Titled {
    /// The three lines above every chart.
    fn titles(&self) -> Titles;
}
