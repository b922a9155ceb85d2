//! The answer, with its evidence, and in a sentence.

use serde::{Deserialize, Serialize};

use super::bound::Bound;
use super::fact;
use super::state::{Confidence, State, Witness};
use super::uso::UdpVerdict;

/// The answer, with its evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Verdict {
    /// The answer.
    pub state: State,
    /// How far to trust it.
    pub confidence: Confidence,
    /// What it was inferred from, when the confidence is weak, or why it is not `proven`.
    pub basis: Option<String>,
    /// What holds though not every packet was seen. None where nothing is unexplained, and where what is unexplained
    /// cannot be bounded.
    pub bound: Option<Bound>,
    /// One sentence.
    pub summary: String,
    /// Super-packets of under 4 segments in the median.
    pub thin: bool,
    /// Sources of evidence.
    pub witnesses: Vec<Witness>,
    /// The same question for UDP. None where no programs counted, and in recordings of before.
    #[serde(default, serialize_with = "fact::no_programs")]
    pub udp: Option<UdpVerdict>,
}

/// The answer in one sentence.
pub(crate) fn summary(
    interface: &str,
    terminal: bool,
    state: State,
    thin: bool,
    shares: Option<&str>,
) -> String {
    let mut sentence = match state {
        State::Engaged if terminal => format!("TSO is happening on {interface}"),
        State::Engaged => left_whole("TCP super-packets", interface),
        State::Software => format!("TSO is not happening on {interface}"),
        State::Partial => format!("TSO is active for only part of the traffic on {interface}"),
        State::NotBuilt => {
            format!("TSO has nothing to do on {interface}: TCP builds no super-packets for it")
        }
        State::NothingToOffload => format!("too little bulk TCP left through {interface} to judge TSO by"),
        State::Inconclusive => format!("whether TSO is happening on {interface} could not be determined"),
    };
    if thin {
        sentence.push_str(", with thin super-packets of under 4 segments");
    }
    if let Some(shares) = shares {
        sentence.push_str(": ");
        sentence.push_str(shares);
    }
    sentence
}

/// What can be said where the device passes packets on inside this machine.
pub(crate) fn left_whole(what: &str, interface: &str) -> String {
    format!(
        "{what} left {interface} whole; it passes them on inside this machine, where they may still be segmented"
    )
}
