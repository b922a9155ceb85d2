//! The answer.

use serde::{Deserialize, Serialize};

/// Is TSO happening?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// The device got at least 95 % of the bytes that were built as super-packets in super-packets.
    Engaged,
    /// The CPU segmented at least 95 % of them.
    Software,
    /// Some of each, or too few were built.
    Partial,
    /// TCP built full-size singles, no super-packets.
    NotBuilt,
    /// Too little bulk to judge by.
    NothingToOffload,
    /// What is unexplained could change the answer, or witnesses disagree.
    Inconclusive,
}

/// How far to trust the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// Inferred.
    Weak,
    /// One witness.
    Supported,
    /// Exact counting at both stages, every identity within its slack, slack ≤ 0.1 %, kernel counters agree.
    Proven,
}

/// One source of evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// `tracing`, `kernel-counters`, `device-statistics`.
    pub name: String,
    /// A state, `super-packets`, `no-super-packets`, `silent`.
    pub says: String,
    /// Its figures, or why it is silent.
    pub detail: String,
}

/// The answer, with its evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The answer.
    pub state: State,
    /// How far to trust it.
    pub confidence: Confidence,
    /// What it was inferred from, when the confidence is weak, or why it is not `proven`.
    pub basis: Option<String>,
    /// One sentence.
    pub summary: String,
    /// Super-packets of under 4 segments in the median.
    pub thin: bool,
    /// Sources of evidence.
    pub witnesses: Vec<Witness>,
}
