//! vmnet proves whether TCP segmentation offload is happening on a network interface.
//!
//! One direction, no loops: hooks → counters → snapshot → sample → window → verdict → report.

pub mod device;
pub mod live;
pub mod load;
pub mod model;
pub mod report;
pub mod stats;
