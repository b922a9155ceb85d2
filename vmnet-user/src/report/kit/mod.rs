//! What documents are made of: the sheet of a chart, parts of a page, words for numbers. It knows no document.

pub(crate) mod budget;
pub mod chart;
pub(in crate::report) mod colours;
pub mod document;
pub(in crate::report) mod escape;
pub(in crate::report) mod forest;
pub mod format;
pub mod json;
pub(in crate::report) mod lettering;
pub(in crate::report) mod marks;
pub(in crate::report) mod over_time;
pub(in crate::report) mod parts;
pub(in crate::report) mod plot;
pub(crate) mod private;
pub mod screen;
pub(in crate::report) mod sheet;
pub mod style;
#[cfg(test)]
pub(in crate::report) mod testing;
pub mod typed;
