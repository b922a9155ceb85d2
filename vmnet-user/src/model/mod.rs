//! Pure functions of values: no kernel, no clock, no files.

pub mod audit;
pub mod correlation;
pub mod cost;
pub mod counters_only;
pub mod ledger;
pub mod sample;
pub mod throughput;
pub mod verdict;
