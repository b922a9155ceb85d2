//! A run: `RunReport` (schema `vmnet.run/1`), and what is drawn from it alone.

pub mod charts;
pub mod csv;
mod document;
pub mod html;
pub mod json;
pub(in crate::report) mod remedy;
pub mod schema;
pub mod screen;
pub mod text;
pub mod why;

use schema::RunReport;

use super::kit::document::{self as kit, DocumentError};

/// The page of a run, with all of its charts.
///
/// # Errors
/// When it has a number without which there is no page, or a chart cannot be drawn.
pub fn page(report: &RunReport) -> Result<String, DocumentError> {
    kit::page(report)
}

#[cfg(test)]
pub(crate) mod fixture;
