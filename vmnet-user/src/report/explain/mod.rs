//! `vmnet.explain/1`: what pasted output, a directory of it or a sosreport says about each interface, and what it cannot say.

mod text;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::text::{answer, cause, symptom, word};
use super::kit::json;
use crate::model::absences::Reasons;
use crate::model::answer::Verdict;
use crate::model::cause::Cause;
use crate::model::chain::Link;
use crate::model::fact::Why;
use crate::model::machine::Machine;
use crate::model::null_because;
use crate::model::offload::Offload;
use crate::model::state::{Confidence, State};

null_because! {
    no_counters: Why::is("no `ip -s link` was given");
    no_qdisc: Why::is("no `tc -s qdisc` was given");
}

/// The schema's name.
pub const SCHEMA: &str = "vmnet.explain/1";

/// Everything that was understood.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ExplainReport {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The one that is most likely meant first.
    pub interfaces: Vec<Explained>,
    /// Odd lines that are of no interface.
    pub lines: Vec<Line>,
    /// Strings that people paste, found in it.
    pub symptoms: Vec<Symptom>,
    /// What could not be read.
    pub not_read: Vec<String>,
    /// Path of a null → why it was not measured.
    pub unmeasured: BTreeMap<String, String>,
}

/// An interface.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Explained {
    /// By its counters since boot; `inconclusive` where they do not tell, or were not given.
    pub state: State,
    /// Never `proven`.
    pub confidence: Confidence,
    /// One sentence.
    pub summary: String,
    /// What the state is inferred from, or why it is not known.
    pub basis: String,
    /// Link by link, by its flags; empty where they were not given.
    pub chain: Vec<Link>,
    /// What breaks it.
    pub causes: Vec<Cause>,
    /// What was counted.
    #[serde(serialize_with = "no_counters")]
    pub counted: Option<Counted>,
    /// Odd lines, in words.
    pub lines: Vec<Line>,
    /// Commands whose output would tell more.
    pub ask: Vec<String>,
    /// What was understood.
    pub machine: Machine,
}

/// Sent since the interface was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Counted {
    /// As the driver counts.
    pub tx_packets: u64,
    /// Bytes of those.
    pub tx_bytes: u64,
    /// Wire segments that the first qdisc counted.
    #[serde(serialize_with = "no_qdisc")]
    pub qdisc_segments: Option<u64>,
}

/// A line, and what it means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Line {
    /// As it was.
    pub line: String,
    /// In words.
    pub means: String,
}

/// A string that people paste.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Symptom {
    /// The string.
    pub pasted: String,
    /// In words.
    pub means: String,
    /// The one command.
    pub command: String,
}

impl ExplainReport {
    /// From what was found.
    #[must_use]
    pub fn new(
        interfaces: Vec<Explained>,
        lines: Vec<Line>,
        symptoms: Vec<Symptom>,
        not_read: Vec<String>,
    ) -> Self {
        Self { schema: SCHEMA.to_owned(), interfaces, lines, symptoms, not_read, unmeasured: BTreeMap::new() }
    }

    /// Whether nothing of it was understood.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.interfaces.is_empty() && self.lines.is_empty() && self.symptoms.is_empty()
    }
}

impl json::Explained for ExplainReport {
    fn unmeasured(&mut self) -> &mut Reasons {
        &mut self.unmeasured
    }
}

impl Explained {
    /// From what was found.
    #[must_use]
    pub fn new(
        verdict: Option<Verdict>,
        chain: Vec<Link>,
        causes: Vec<Cause>,
        counted: Option<Counted>,
        lines: Vec<Line>,
        ask: Vec<String>,
        machine: Machine,
    ) -> Self {
        let name = &machine.device.name;
        let basis = match verdict.as_ref().and_then(|verdict| verdict.basis.as_ref()) {
            Some(basis) => format!("counters since it was made: {basis}"),
            None => "no counters were given".to_owned(),
        };
        let (state, confidence, summary) = match verdict {
            Some(verdict) if verdict.state != State::Inconclusive => {
                (verdict.state, verdict.confidence, verdict.summary)
            }
            _ => (State::Inconclusive, Confidence::Weak, by_flags(name, &machine)),
        };
        Self { state, confidence, summary, basis, chain, causes, counted, lines, ask, machine }
    }
}

/// What flags alone allow to be said.
fn by_flags(name: &str, machine: &Machine) -> String {
    let [ipv4, ipv6] = Offload::tso(&machine.device.features).map(|tso| tso.ok().map(Offload::active));
    match (ipv4, ipv6) {
        (Some(false), Some(false) | None) => {
            format!(
                "TSO cannot be happening on {name}: it is off, and the kernel segments every super-packet in software"
            )
        }
        (Some(true), Some(false)) => format!("TSO is on for IPv4 on {name}, and off for IPv6"),
        (Some(false), Some(true)) => format!("TSO is on for IPv6 on {name}, and off for IPv4"),
        (Some(true), Some(true) | None) => {
            format!("TSO is granted on {name}; whether packets get it cannot be told from what was given")
        }
        (None, _) => format!("whether TSO is happening on {name} cannot be told from what was given"),
    }
}
