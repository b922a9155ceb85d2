//! The identities a run audits itself with, and what it missed.

use serde::{Deserialize, Serialize};

/// The audit of a window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Audit {
    /// Every measured identity holds within its slack, and nothing was missed.
    pub ok: bool,
    /// Traffic came to rest before the last sample.
    pub drained: bool,
    /// The identities, in the order of KERNEL numbering.
    pub identities: Vec<Identity>,
    /// What was missed.
    pub missed: Missed,
}

/// Two counts from different sources that must agree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// Stable name in kebab-case.
    pub name: String,
    /// None where it could not be measured.
    pub left: Option<u64>,
    /// What counted it.
    pub left_source: String,
    /// None where it could not be measured.
    pub right: Option<u64>,
    /// What counted it.
    pub right_source: String,
    /// left − right.
    pub residual: Option<i64>,
    /// How much residual the edges of the window explain.
    pub slack: Option<u64>,
    /// |residual| ≤ slack; None where unmeasured.
    pub ok: Option<bool>,
    /// `segments`, `packets`, `bytes`, `calls`.
    pub unit: String,
    /// Why it is unmeasured, or what a residual here means.
    pub note: String,
}

/// What was missed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missed {
    /// Entries that found the pairing stack full.
    pub stack_overflows: Option<u64>,
    /// Exits without their entry.
    pub unmatched_exits: Option<u64>,
    /// `net_dev_xmit` without its start, and the other way round.
    pub unmatched_xmits: Option<u64>,
    /// Packets whose headers could not be read.
    pub unreadable_packets: Option<u64>,
    /// Calls whose segments the formula cannot count.
    pub uncountable_calls: Option<u64>,
    /// Ring-buffer events lost.
    pub events_lost: Option<u64>,
    /// Program runs that the kernel skipped.
    pub recursion_misses: Option<u64>,
    /// kprobe hits that the kernel skipped.
    pub kprobe_misses: Option<u64>,
}
