//! A run: `RunReport` (schema `vmnet.run/1`), and what is drawn from it alone.

pub mod absences;
pub mod charts;
pub mod csv;
mod document;
pub mod html;
pub mod json;
pub(in crate::report) mod machine;
pub mod schema;
pub mod text;
pub mod why;

#[cfg(test)]
pub(crate) mod fixture;
