//! Which trials and blocks count, and why others do not.

use std::collections::BTreeMap;

use super::schema::AbReport;
use crate::model::experiment::{Guard, Guards, Trial};
use crate::report::kit::format;
use crate::report::kit::format::plural;

/// An arm's trials.
#[derive(Default)]
pub(in crate::report) struct Tally {
    pub(in crate::report) trials: usize,
    pub(in crate::report) valid: usize,
    /// Of all of them, by what the ledger says.
    pub(in crate::report) states: BTreeMap<&'static str, usize>,
    /// Of those that count; None where no programs counted.
    pub(in crate::report) bytes: Option<Bytes>,
}

/// TCP payload.
#[derive(Clone, Copy, Default)]
pub(in crate::report) struct Bytes {
    pub(in crate::report) hardware: u64,
    pub(in crate::report) software: u64,
    pub(in crate::report) payload: u64,
}

/// Of the trials under one arm.
pub(in crate::report) fn tally(report: &AbReport, arm: usize) -> Tally {
    let mut tally = Tally::default();
    for trial in report.trials.iter().filter(|trial| trial.arm == arm) {
        tally.trials += 1;
        *tally.states.entry(trial.state.name()).or_default() += 1;
        if !trial.is_valid() {
            continue;
        }
        tally.valid += 1;
        if let (Some(hardware), Some(software)) = (trial.hardware_bytes, trial.software_bytes) {
            let bytes = tally.bytes.get_or_insert_default();
            bytes.hardware = bytes.hardware.saturating_add(hardware);
            bytes.software = bytes.software.saturating_add(software);
            bytes.payload = bytes.payload.saturating_add(trial.payload_bytes.unwrap_or_default());
        }
    }
    tally
}

impl Tally {
    /// `12 engaged, 1 inconclusive`.
    pub(in crate::report) fn states_said(&self) -> String {
        let said: Vec<String> = self.states.iter().map(|(state, count)| format!("{count} {state}")).collect();
        if said.is_empty() { "no trial".to_owned() } else { said.join(", ") }
    }
}

impl Bytes {
    /// `41.2 GB whole to the device, 12.0 MB segmented in software`.
    pub(in crate::report) fn said(self) -> String {
        format!(
            "{} whole to the device, {} segmented in software, of {} of payload",
            format::bytes(self.hardware),
            format::bytes(self.software),
            format::bytes(self.payload)
        )
    }
}

/// Where more of one arm's trials than of another's were left out for what the arms themselves may bring about (retransmits, drops): what is left is then
/// of their better trials alone. One line an arm that differs from the base.
pub(in crate::report) fn left_out_unevenly(report: &AbReport) -> Vec<String> {
    let of = |arm: usize| {
        let trials: Vec<&Trial> = report.trials.iter().filter(|trial| trial.arm == arm).collect();
        let brought_about = |trial: &&&Trial| {
            let by = |guard: &Guard| matches!(guard, Guard::Retransmits | Guard::QdiscDrops);
            trial.rejections.iter().any(|rejection| by(&rejection.guard))
        };
        (trials.iter().filter(brought_about).count(), trials.len())
    };
    let (of_base, all_of_base) = of(0);
    let arms = 1..report.design.arms.len();
    let differs = |arm: &usize| {
        let (left_out, all) = of(*arm);
        all > 0 && all_of_base > 0 && unlikely_by_chance([left_out, all], [of_base, all_of_base])
    };
    arms.filter(differs)
        .map(|arm| {
            let (left_out, all) = of(arm);
            format!(
                "retransmits or drops left out {left_out} of {all} trials of {}, and {of_base} of {all_of_base} of {}: what is told is of the better ones alone",
                arm_name(report, arm),
                arm_name(report, 0)
            )
        })
        .collect()
}

/// Whether two shares differ by more than chance in 1 of 20 would have them: Fisher's exact test, either way.
fn unlikely_by_chance([one, of_one]: [usize; 2], [other, of_other]: [usize; 2]) -> bool {
    let logarithm_of_choices =
        |n: usize, k: usize| (1..=k).map(|i| ((n - k + i) as f64 / i as f64).ln()).sum::<f64>();
    let (all, hits) = (of_one + of_other, one + other);
    let probability = |k: usize| {
        (logarithm_of_choices(of_one, k) + logarithm_of_choices(of_other, hits - k)
            - logarithm_of_choices(all, hits))
        .exp()
    };
    let possible = hits.saturating_sub(of_other)..=hits.min(of_one);
    let seen = probability(one) * (1.0 + 1e-9);
    possible.map(probability).filter(|probability| *probability <= seen).sum::<f64>() <= 0.05
}

/// What became of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::report) enum Fate {
    /// Every trial is there and counts.
    Whole,
    /// A trial does not count.
    Void,
    /// It was not finished.
    Unfinished,
}

impl Fate {
    pub(in crate::report) fn word(self) -> &'static str {
        match self {
            Self::Whole => "counts",
            Self::Void => "void",
            Self::Unfinished => "not finished",
        }
    }
}

/// Every block that was begun, with its trials, in order.
pub(in crate::report) fn blocks(report: &AbReport) -> Vec<(u32, Vec<&Trial>, Fate)> {
    let mut blocks: BTreeMap<u32, Vec<&Trial>> = BTreeMap::new();
    for trial in &report.trials {
        blocks.entry(trial.block).or_default().push(trial);
    }
    let fate = |trials: &[&Trial]| match trials.iter().all(|trial| trial.is_valid()) {
        false => Fate::Void,
        true if trials.len() < report.design.trials_per_block() => Fate::Unfinished,
        true => Fate::Whole,
    };
    blocks
        .into_iter()
        .map(|(block, trials)| (block, fate(&trials), trials))
        .map(|(block, fate, trials)| (block, trials, fate))
        .collect()
}

/// `10 of 11 blocks count, 1 is void; 10 were planned`.
pub(in crate::report) fn blocks_said(report: &AbReport) -> String {
    let count = report.blocks;
    let mut said =
        format!("{} of {} that were begun", plural(count.whole as usize, "whole block"), count.begun);
    if count.void > 0 {
        said += &format!(", {} void", count.void);
    }
    said + &format!("; {} planned", count.planned)
}

/// The place of a trial in words: `trial 7, block 2, tso=on`.
pub(in crate::report) fn place(report: &AbReport, trial: &Trial) -> String {
    format!(
        "trial {}, block {}, {}",
        trial.number,
        trial.block.saturating_add(1),
        arm_name(report, trial.arm)
    )
}

/// An arm's name.
pub(in crate::report) fn arm_name(report: &AbReport, arm: usize) -> &str {
    report.design.arms.get(arm).map_or("an arm that is not known", |arm| arm.name.as_str())
}

/// Why a trial does not count, in one line; empty where it does.
pub(in crate::report) fn why_rejected(trial: &Trial) -> String {
    trial.rejections.iter().map(|rejection| rejection.detail.as_str()).collect::<Vec<_>>().join("; ")
}

/// How many trials each guard rejected, in the order of the guards.
pub(in crate::report) fn by_guard(report: &AbReport) -> BTreeMap<Guard, usize> {
    let mut counts = BTreeMap::new();
    for rejection in report.trials.iter().flat_map(|trial| &trial.rejections) {
        *counts.entry(rejection.guard).or_default() += 1;
    }
    counts
}

/// Every guard, what it rejects, and its limit where it has one.
pub(in crate::report) fn guards(limits: &Guards) -> [(Guard, &'static str, &'static str, Option<String>); 8] {
    let share = |share: f64| Some(format::percent(share));
    [
        (
            Guard::Treatment,
            "treatment",
            "the ledger does not show what the arm should have brought about",
            None,
        ),
        (Guard::Settings, "settings", "somebody else changed the device meanwhile", None),
        (
            Guard::Audit,
            "audit",
            "an identity that the counting is audited by leaves something unexplained",
            share(limits.most_unaccounted_share),
        ),
        (Guard::Steal, "steal", "CPU time was taken by the hypervisor", share(limits.most_steal_share)),
        (
            Guard::Retransmits,
            "retransmits",
            "payload was retransmitted",
            share(limits.most_retransmitted_share),
        ),
        (
            Guard::QdiscDrops,
            "qdisc drops",
            "packets were dropped by the queueing discipline",
            share(limits.most_qdisc_drop_share),
        ),
        (Guard::Benchmark, "benchmark", "the benchmark failed", None),
        (Guard::Figures, "figures", "a figure that the other trials have is not there", None),
    ]
}

#[cfg(test)]
mod tests {
    use super::unlikely_by_chance;

    #[test]
    fn shares_of_trials_differ_where_chance_would_not_have_them_so() {
        // By R's fisher.test: 0.0373, 0.0932, 1.
        assert!(unlikely_by_chance([5, 12], [0, 12]));
        assert!(!unlikely_by_chance([4, 12], [0, 12]));
        assert!(!unlikely_by_chance([3, 12], [3, 12]));
        assert!(!unlikely_by_chance([0, 12], [0, 12]));
        assert!(unlikely_by_chance([0, 12], [6, 12]));
    }
}
