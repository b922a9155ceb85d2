//! An experiment's result: `vmnet ab`.

pub mod charts;
pub(in crate::report) mod foresight;
mod lines;
mod page;
mod plan;
mod progress;
pub(in crate::report) mod results;
pub mod schema;
pub mod screen;
pub(in crate::report) mod summary;
pub mod text;
pub(in crate::report) mod validity;
pub(in crate::report) mod words;

use std::fs::File;
use std::io::Read as _;

use std::borrow::Cow;
use std::path::Path;

use crate::report::kit::format::{capitalised, plural};
use charts::CHARTS;
use results::{headline, short};
use schema::AbReport;

use crate::model::absences::Reasons;
use crate::report::kit::budget::{MOST_BYTES, within_budget};
use crate::report::kit::chart::{Chart, Titled, Titles};
use crate::report::kit::document::{Document, PageError};
use crate::report::kit::json::{Explained, JsonError, indented};
use crate::report::kit::parts::Figures;

/// All of it, for programs, and what the rest can be drawn from again.
pub const JSON: &str = "ab.json";

impl Titled for AbReport {
    fn titles(&self) -> Titles {
        let (start, duration_s) = (&self.window.start, self.window.duration_s);
        let mut circumstances = Titles::circumstances(&self.interface, start, duration_s);
        circumstances.push(plural(self.blocks.whole as usize, "whole block"));
        circumstances.push(format!("seed {}", self.design.seed));
        Titles {
            answer: capitalised(&headline(self)),
            finding: capitalised(&short(self)),
            circumstances: circumstances.join(" · "),
        }
    }
}

impl Document for AbReport {
    const PAGE: &'static str = "ab.html";
    const JSON: &'static str = JSON;
    const CHARTS: &'static [Chart<Self>] = CHARTS;

    fn finite(&self) -> Result<Cow<'_, Self>, JsonError> {
        self.explained().map(Cow::Owned)
    }

    fn page(&self, figures: Figures) -> Result<String, PageError> {
        page::page(self, figures)
    }

    fn json(&self) -> Result<String, JsonError> {
        indented(self)
    }
}

impl Explained for AbReport {
    fn unmeasured(&mut self) -> &mut Reasons {
        &mut self.unmeasured
    }
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
    from_json(&bytes).map_err(|why| failed(&why))
}

/// An experiment's JSON, which anybody may have written.
pub(crate) fn from_json(bytes: &[u8]) -> Result<AbReport, String> {
    within_budget(bytes).map_err(|what| format!("it has {what}, more than any experiment"))?;
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
