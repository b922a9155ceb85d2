//! What documents are made of: the sheet of a chart, parts of a page, words for numbers. It knows no document.

pub(in crate::report) mod axes;
pub(crate) mod budget;
pub(in crate::report) mod canvas;
pub(in crate::report) mod changes;
pub mod chart;
pub(in crate::report) mod colours;
pub mod document;
pub(in crate::report) mod escape;
pub mod format;
pub(in crate::report) mod hover;
pub mod json;
pub(in crate::report) mod lettering;
pub(in crate::report) mod over_time;
pub(in crate::report) mod parts;
pub mod screen;
pub(in crate::report) mod sheet;
pub mod style;
pub(in crate::report) mod table;
pub(crate) mod titles;
pub mod typed;
