//! vmnet proves whether TCP segmentation offload is happening on a network interface.
//!
//! One direction, no loops: hooks → counters → snapshot → sample → window → verdict → report.

pub mod benchmark;
pub mod check;
pub mod cli;
pub mod device;
pub mod doctor;
pub mod experiment;
pub mod explain;
pub mod fix;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod kernel;
pub mod list;
pub mod live;
pub mod load;
pub mod output;
pub mod path;
pub mod probes;
pub mod recording;
pub mod report;
pub mod session;

#[cfg(test)]
mod map;

pub use vmnet_model::{self as model, stats, units};
