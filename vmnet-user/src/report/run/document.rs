//! A run as a document.

use std::borrow::Cow;

use super::charts::CHARTS;
use super::schema::RunReport;
use super::text::{confidence_word, gist, state_sentence};
use super::{csv, html};
use crate::model::absences::Reasons;
use crate::report::kit::chart::{Chart, Titled, Titles};
use crate::report::kit::document::{CsvError, Document, PageError};
use crate::report::kit::format;
use crate::report::kit::json::{Explained, JsonError, indented};
use crate::report::kit::parts::Figures;

impl Titled for RunReport {
    fn titles(&self) -> Titles {
        let confidence = confidence_word(self.verdict.confidence);
        let finding = gist(self).unwrap_or_else(|| self.verdict.summary.clone());
        Titles {
            answer: format::capitalised(&format!("{} ({confidence})", state_sentence(self))),
            finding: format::capitalised(&finding),
            circumstances: Titles::circumstances(&self.interface, &self.window.start, self.window.duration_s)
                .join(" · "),
        }
    }
}

impl Document for RunReport {
    const PAGE: &'static str = "report.html";
    const JSON: &'static str = "run.json";
    const CHARTS: &'static [Chart<Self>] = CHARTS;

    fn finite(&self) -> Result<Cow<'_, Self>, JsonError> {
        self.explained().map(Cow::Owned)
    }

    fn page(&self, figures: Figures) -> Result<String, PageError> {
        html::page(self, figures)
    }

    fn json(&self) -> Result<String, JsonError> {
        indented(self)
    }

    fn csv(&self) -> Option<(&'static str, Result<String, CsvError>)> {
        Some(("samples.csv", csv::samples(self)))
    }
}

impl Explained for RunReport {
    fn unmeasured(&mut self) -> &mut Reasons {
        &mut self.unmeasured
    }
}
