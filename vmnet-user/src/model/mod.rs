//! Pure functions of values: no kernel, no clock, no files.

pub mod audit;
pub mod cause;
pub mod correlation;
pub mod cost;
pub mod counters_only;
pub mod delta;
pub mod features;
pub mod fix;
mod identities;
pub mod ledger;
pub mod machine;
pub mod sample;
mod slack;
mod tally;
#[cfg(test)]
pub(crate) mod testing;
pub mod throughput;
mod unexplained;
pub mod verdict;
mod witness;
