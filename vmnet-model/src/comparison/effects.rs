//! What differs in what was measured, with intervals.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Sides;
use crate::fact::{Known as _, Why};
use crate::null_because;
use crate::stats::{self, NoInterval};
use crate::throughput::Interval;

/// The same recordings give the same intervals.
const SEED: u64 = 0x766d_6e65_7401;

/// How the intervals are made, for people.
pub const METHOD: &str = "ratio of sums over the intervals of each run; 95 % interval by a circular block bootstrap of neighbouring intervals, \
                          widened for autocorrelation and for few blocks (Student's t)";

null_because! {
    see_reason: Why::is("the effect's own reason says why");
}

/// What can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum EffectId {
    /// TCP payload less retransmits, over time.
    Goodput,
    /// All bytes on the wire, over time.
    WireRate,
    /// Busy time of all CPUs per byte of TCP payload.
    CpuPerByte,
    /// Time inside segmentation per byte of payload sent, whether segmented or not.
    SegmentationPerByte,
    /// CPUs busy segmenting.
    SegmentationCores,
    /// Of TCP payload.
    RetransmittedShare,
    /// Mean length of TCP packets with payload that the driver got.
    PacketToDriver,
}

/// Which way is the better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Better {
    /// The more the better.
    More,
    /// The less the better.
    Less,
}

/// One quantity in both runs, over the intervals that are compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Effect {
    /// Which.
    pub id: EffectId,
    /// In people's words.
    pub name: String,
    /// Of `a` and `b`: `Gbit/s`, `ns/byte`, `CPUs`, `share`, `bytes`.
    pub unit: String,
    /// Which way is the better one.
    pub better: Better,
    /// The first run's; None where it was not measured.
    #[serde(serialize_with = "see_reason")]
    pub a: Option<f64>,
    /// The second run's.
    #[serde(serialize_with = "see_reason")]
    pub b: Option<f64>,
    /// B against A: (B / A − 1) · 100. None where either is not known, or A is 0.
    #[serde(serialize_with = "see_reason")]
    pub change_percent: Option<f64>,
    /// Its 95 % interval.
    #[serde(serialize_with = "see_reason")]
    pub interval_percent: Option<[f64; 2]>,
    /// Intervals that the figure is made of, of each run.
    pub intervals: Sides<usize>,
    /// How many neighbours were drawn together, of each run; None without an interval.
    pub block_lengths: Option<Sides<usize>>,
    /// Why there is no figure, no change or no interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Effect {
    /// Whether the interval leaves out 0: None where there is none.
    #[must_use]
    pub fn is_clear(&self) -> Option<bool> {
        self.interval_percent.map(|[low, high]| low > 0.0 || high < 0.0)
    }

    /// Whether B does better than A, where the interval leaves out 0.
    #[must_use]
    pub fn is_improvement(&self) -> Option<bool> {
        let change = self.change_percent.filter(|_| self.is_clear() == Some(true))?;
        Some((change > 0.0) == (self.better == Better::More))
    }
}

/// A quantity as a ratio of two sums.
struct Quantity {
    id: EffectId,
    name: &'static str,
    unit: &'static str,
    better: Better,
    /// Of one interval; None where it was not measured.
    pair: fn(&Interval) -> Option<(f64, f64)>,
    /// Where the report says why it was not.
    path: &'static str,
}

const QUANTITIES: [Quantity; 7] = [
    Quantity {
        id: EffectId::Goodput,
        name: "goodput",
        unit: "Gbit/s",
        better: Better::More,
        pair: |interval| Some((interval.goodput_gbps.known()? * interval.duration_s, interval.duration_s)),
        path: "throughput.samples[].goodput_gbps",
    },
    Quantity {
        id: EffectId::WireRate,
        name: "wire rate",
        unit: "Gbit/s",
        better: Better::More,
        pair: |interval| Some((interval.wire_gbps.known()? * interval.duration_s, interval.duration_s)),
        path: "throughput.samples[].wire_gbps",
    },
    Quantity {
        id: EffectId::CpuPerByte,
        name: "busy CPU per byte",
        unit: "ns/byte",
        better: Better::Less,
        pair: |interval| {
            let busy: f64 = interval.cpus.iter().map(|cpu| cpu.busy).sum();
            (!interval.cpus.is_empty()).then_some(())?;
            Some((busy * interval.duration_s * 1e9, payload_bytes(interval)?))
        },
        path: "throughput.samples[].cpus",
    },
    Quantity {
        id: EffectId::SegmentationPerByte,
        name: "segmenting per byte sent",
        unit: "ns/byte",
        better: Better::Less,
        pair: |interval| {
            let bytes = payload_bytes(interval)?;
            // In an interval without bytes there is nothing to weigh.
            let ns_per_byte = if bytes > 0.0 { interval.segmentation_ns_per_byte.known()? } else { 0.0 };
            Some((ns_per_byte * bytes, bytes))
        },
        path: "throughput.samples[].segmentation_cpu",
    },
    Quantity {
        id: EffectId::SegmentationCores,
        name: "CPUs segmenting",
        unit: "CPUs",
        better: Better::Less,
        pair: |interval| {
            Some((interval.segmentation_cpu.known()? * interval.duration_s, interval.duration_s))
        },
        path: "throughput.samples[].segmentation_cpu",
    },
    Quantity {
        id: EffectId::RetransmittedShare,
        name: "retransmitted",
        unit: "share",
        better: Better::Less,
        pair: |interval| Some((interval.retransmitted_bytes.known()? as f64, payload_bytes(interval)?)),
        path: "throughput.samples[].retransmitted_bytes",
    },
    Quantity {
        id: EffectId::PacketToDriver,
        name: "mean packet to the driver",
        unit: "bytes",
        better: Better::More,
        // Packets are to bytes as 1 to their mean length.
        pair: |interval| {
            let bytes = payload_bytes(interval)?;
            let mean = interval.mean_driver_bytes.known().filter(|mean| *mean > 0.0)?;
            Some((bytes, bytes / mean))
        },
        path: "throughput.samples[].mean_driver_bytes",
    },
];

/// TCP payload that left. None unless all of it is known.
fn payload_bytes(interval: &Interval) -> Option<f64> {
    Some(interval.payload_gbps()? * interval.duration_s / 8.0 * 1e9)
}

pub(super) fn effects(runs: Sides<&[Interval]>, unmeasured: Sides<&BTreeMap<String, String>>) -> Vec<Effect> {
    QUANTITIES.iter().map(|quantity| quantity.effect(runs, unmeasured)).collect()
}

impl Quantity {
    fn effect(&self, runs: Sides<&[Interval]>, unmeasured: Sides<&BTreeMap<String, String>>) -> Effect {
        let (a_pairs, b_pairs) = (self.pairs(runs.a), self.pairs(runs.b));
        let (a, b) = (ratio_of_sums(&a_pairs), ratio_of_sums(&b_pairs));
        let mut effect = Effect {
            id: self.id,
            name: self.name.to_owned(),
            unit: self.unit.to_owned(),
            better: self.better,
            a,
            b,
            change_percent: None,
            interval_percent: None,
            intervals: Sides { a: a_pairs.len(), b: b_pairs.len() },
            block_lengths: None,
            reason: None,
        };
        effect.reason = match (a, b) {
            (None, _) => Some(self.why_unknown("A", runs.a, &a_pairs, unmeasured.a)),
            (_, None) => Some(self.why_unknown("B", runs.b, &b_pairs, unmeasured.b)),
            (Some(0.0), Some(0.0)) => Some("0 in both runs".to_owned()),
            (Some(0.0), Some(_)) => Some("0 in A, and nothing is a percentage of that".to_owned()),
            (Some(a), Some(b)) => effect.compare(a, b, &a_pairs, &b_pairs),
        };
        effect
    }

    fn pairs(&self, intervals: &[Interval]) -> Vec<(f64, f64)> {
        let sound = |number: f64| number.is_finite() && number >= 0.0;
        intervals
            .iter()
            .filter(|interval| interval.duration_s.is_finite() && interval.duration_s > 0.0)
            .filter_map(self.pair)
            .filter(|(numerator, denominator)| sound(*numerator) && sound(*denominator))
            .collect()
    }

    fn why_unknown(
        &self,
        run: &str,
        intervals: &[Interval],
        pairs: &[(f64, f64)],
        unmeasured: &BTreeMap<String, String>,
    ) -> String {
        if intervals.is_empty() {
            return format!("{run} has no interval to go by");
        }
        if !pairs.is_empty() {
            return format!("{run} sent no TCP payload");
        }
        // What is per byte of payload is not known either where payload is not.
        match unmeasured.get(self.path).or_else(|| unmeasured.get("throughput.samples[].hardware_gbps")) {
            Some(why) => format!("not measured in {run}: {why}"),
            None => format!("not measured in {run}"),
        }
    }
}

impl Effect {
    /// Fills in the change and its interval. Returns why there is not all of it.
    fn compare(&mut self, a: f64, b: f64, a_pairs: &[(f64, f64)], b_pairs: &[(f64, f64)]) -> Option<String> {
        let percent = |ratio: f64| (ratio - 1.0) * 100.0;
        let change = percent(b / a);
        if !change.is_finite() {
            return Some("the figures are too far apart to be compared".to_owned());
        }
        self.change_percent = Some(change);
        if b == 0.0 {
            return Some("0 throughout B: there is nothing to resample".to_owned());
        }
        match stats::block_bootstrap_ratio_interval(a_pairs, b_pairs, SEED) {
            Ok(found) => {
                self.interval_percent = Some(found.interval.map(percent));
                let [a, b] = found.block_lengths;
                self.block_lengths = Some(Sides { a, b });
                None
            }
            Err(NoInterval::TooFew) => Some(format!(
                "no interval: {} and {} intervals, and it takes {} of each run",
                a_pairs.len(),
                b_pairs.len(),
                stats::FEWEST_PAIRS
            )),
            Err(why) => Some(format!("no interval: {why}")),
        }
    }
}

/// None where the denominators add up to 0.
fn ratio_of_sums(pairs: &[(f64, f64)]) -> Option<f64> {
    let (numerators, denominators) = pairs
        .iter()
        .fold((0.0, 0.0), |(numerators, denominators), (n, d)| (numerators + n, denominators + d));
    let ratio: f64 = numerators / denominators;
    ratio.is_finite().then_some(ratio)
}
