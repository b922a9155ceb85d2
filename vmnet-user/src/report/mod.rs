//! What a run says, to people and to programs.

pub mod ab;
pub mod absences;
pub mod benchmarks;
pub mod charts;
pub mod check;
pub mod compare;
pub mod csv;
pub mod doctor;
pub mod files;
pub mod format;
pub mod html;
mod iperf3;
pub mod json;
mod load;
mod machine;
mod netperf;
pub mod schema;
pub mod style;
pub mod text;
pub mod why;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod schemas;
