//! Two runs side by side: what each says, what differs in what they measured, and what differs in the machines that they measured on.

mod effects;
mod facts;
mod names;
mod stretch;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

pub use effects::{Better, Effect, EffectId, METHOD};
pub use facts::Difference;
pub use stretch::{RULE, Stretch};

use super::fact::{OrNull, Why};
use super::ledger::{Entry, OFFLOADED, SEGMENTED, SINGLES, SMALL};
use super::throughput::Interval;
use crate::null_because;

null_because! {
    no_paths: Why::is("without programs it is not known which path bytes took");
}

fn shares<S: Serializer>(share: &Sides<Option<f64>>, to: S) -> Result<S::Ok, S::Error> {
    static NOTHING_SENT: Why = Why::is("the run sent no TCP payload");
    let Sides { a, b } = share;
    Sides { a: OrNull(a, &NOTHING_SENT), b: OrNull(b, &NOTHING_SENT) }.serialize(to)
}

/// What is compared of a run.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// TCP's ledger; None without programs.
    pub tcp: Option<&'a Entry>,
    /// In order of time.
    pub intervals: &'a [Interval],
    /// What is known of the machine, the interface and the way of measuring, as a tree.
    pub facts: &'a Value,
    /// Path of a null → why it was not measured.
    pub unmeasured: &'a BTreeMap<String, String>,
}

/// Two runs, compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Comparison {
    /// Which intervals of each run the effects are made of.
    pub stretches: Sides<Stretch>,
    /// TCP payload by the path that it took. None where one of the runs had no programs to tell.
    #[serde(serialize_with = "no_paths")]
    pub paths: Option<Vec<Path>>,
    /// What differs in what was measured.
    pub effects: Vec<Effect>,
    /// What differs in the machines and in how was measured: what matters for TSO first.
    pub differences: Vec<Difference>,
}

/// One of each run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sides<T> {
    /// The first run's.
    pub a: T,
    /// The second run's.
    pub b: T,
}

/// One row of the ledger, of both runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Path {
    /// `hardware`, `software`, `unaggregated`, `small`, `dropped`, `pending`.
    pub path: String,
    /// In people's words.
    pub name: String,
    /// Payload.
    pub bytes: Sides<u64>,
    /// Of the run's payload; None where there was none.
    #[serde(serialize_with = "shares")]
    pub share: Sides<Option<f64>>,
}

impl Comparison {
    /// B held against A.
    #[must_use]
    pub fn of(a: &Run<'_>, b: &Run<'_>) -> Self {
        let (a_stretch, b_stretch) = (Stretch::of(a.intervals), Stretch::of(b.intervals));
        let effects = effects::effects(
            Sides { a: a_stretch.kept(a.intervals), b: b_stretch.kept(b.intervals) },
            Sides { a: a.unmeasured, b: b.unmeasured },
        );
        Self {
            stretches: Sides { a: a_stretch, b: b_stretch },
            paths: a.tcp.zip(b.tcp).map(|(a, b)| paths(a, b)),
            effects,
            differences: facts::differences(a, b),
        }
    }

    /// One effect.
    #[must_use]
    pub fn effect(&self, id: EffectId) -> Option<&Effect> {
        self.effects.iter().find(|effect| effect.id == id)
    }
}

fn paths(a: &Entry, b: &Entry) -> Vec<Path> {
    type Bytes = fn(&Entry) -> u64;
    let rows: [(&str, &str, Bytes); 6] = [
        ("hardware", OFFLOADED, |entry| entry.hardware_bytes),
        ("software", SEGMENTED, |entry| entry.software_bytes),
        ("unaggregated", SINGLES, |entry| entry.unaggregated_bytes),
        ("small", SMALL, |entry| entry.small_bytes),
        ("dropped", "dropped before the wire", |entry| entry.dropped_bytes),
        ("pending", "still queued", |entry| entry.pending_bytes),
    ];
    rows.into_iter()
        .map(|(path, name, of)| {
            let share = |entry: &Entry| {
                (entry.payload_bytes > 0).then(|| of(entry) as f64 / entry.payload_bytes as f64)
            };
            Path {
                path: path.to_owned(),
                name: name.to_owned(),
                bytes: Sides { a: of(a), b: of(b) },
                share: Sides { a: share(a), b: share(b) },
            }
        })
        .collect()
}

#[cfg(test)]
mod tests;
