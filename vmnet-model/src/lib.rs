//! Pure functions of values: no kernel, no clock, no files.

pub mod absences;
pub mod answer;
pub mod audit;
pub mod audited;
pub mod bound;
pub mod breaks;
pub mod cause;
pub mod chain;
pub mod changes;
pub mod checked;
pub mod checklist;
pub mod comparison;
pub mod correlation;
pub mod cost;
pub mod counters_only;
pub mod delta;
pub mod driver_semantics;
pub mod ending;
pub mod event;
pub mod experiment;
pub mod fact;
pub mod features;
pub mod fix;
mod frees;
pub mod hook;
mod identities;
pub mod identity;
pub mod interface;
#[cfg(any(test, feature = "testing"))]
pub mod interval_fixture;
pub mod ledger;
pub mod ledgers;
pub mod light;
pub mod link_counters;
pub mod machine;
#[cfg(any(test, feature = "testing"))]
pub mod machine_fixture;
pub mod merging;
pub mod reasons;
pub mod sample;
pub mod senders;
pub mod shell;
mod slack;
pub mod slow;
pub mod state;
pub mod stats;
mod tally;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod throughput;
pub mod timeline;
mod unexplained;
pub mod units;
pub mod uso;
pub mod verdict;
mod window;
mod witness;
