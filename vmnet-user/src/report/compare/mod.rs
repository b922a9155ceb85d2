//! Two runs side by side: `vmnet compare`.

pub mod charts;
mod html;
pub mod schema;
mod screen;
pub mod text;
pub(in crate::report) mod words;

use std::borrow::Cow;

pub use self::screen::screen;
use charts::CHARTS;
use schema::{CompareReport, RunSummary};
use text::gist;
use words::answer;

use crate::report::kit::chart::{Chart, Titled, Titles};
use crate::report::kit::document::{Document, PageError};
use crate::report::kit::format;
use crate::report::kit::json::{Explained as _, JsonError, indented};
use crate::report::kit::parts::Figures;
use crate::report::run::schema::RunReport;
use crate::report::run::text::confidence_word;

/// Two runs and how they compare.
#[derive(Clone)]
pub struct Pair {
    /// The comparison.
    pub report: CompareReport,
    /// The first run.
    pub a: RunReport,
    /// The second run.
    pub b: RunReport,
}

impl Titled for Pair {
    fn titles(&self) -> Titles {
        let runs = &self.report.runs;
        Titles {
            answer: answer(&runs.a, &runs.b),
            finding: format::capitalised(&gist(&self.report)),
            circumstances: format!("A: {} · B: {}", circumstances(&runs.a), circumstances(&runs.b)),
        }
    }
}

impl Document for Pair {
    const PAGE: &'static str = "compare.html";
    const JSON: &'static str = "compare.json";
    const CHARTS: &'static [Chart<Self>] = CHARTS;

    fn finite(&self) -> Result<Cow<'_, Self>, JsonError> {
        Ok(Cow::Owned(Self { report: self.report.explained()?, ..self.clone() }))
    }

    fn page(&self, figures: Figures) -> Result<String, PageError> {
        html::page(&self.report, figures)
    }

    fn json(&self) -> Result<String, JsonError> {
        indented(&self.report)
    }
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
