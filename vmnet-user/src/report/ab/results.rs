//! What an experiment comes to: in a word, in a sentence, and in one line a treatment.

use super::schema::{AbReport, BlockCount, EndedBy};
use super::words::{Amount, label, plural, reason, smallest_visible};
use crate::model::experiment::{ArmEffects, Design, Effect, Judgement, MetricId, Role};
use crate::report::format;
use crate::report::style::Tone;

/// What one line tells beside each other: how fast, and at what cost.
const TOLD: [MetricId; 3] = [MetricId::ThroughputGbps, MetricId::TransactionsPerS, MetricId::CpuNsPerByte];

/// A result in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::report) enum Outcome {
    Better,
    Worse,
    /// Faster at a higher cost, or slower at a lower one.
    Mixed,
    NoClearEffect,
    NotKnown,
    /// Identical arms were held against each other.
    Noise,
}

impl Outcome {
    pub(in crate::report) fn word(self) -> &'static str {
        match self {
            Self::Better => "BETTER",
            Self::Worse => "WORSE",
            Self::Mixed => "MIXED",
            Self::NoClearEffect => "NO CLEAR EFFECT",
            Self::NotKnown => "NOT KNOWN",
            Self::Noise => "NOISE",
        }
    }

    pub(in crate::report) fn tone(self) -> Tone {
        match self {
            Self::Better => Tone::Good,
            Self::Worse => Tone::Bad,
            Self::Mixed | Self::NoClearEffect | Self::NotKnown => Tone::Unsure,
            Self::Noise => Tone::Heading,
        }
    }

    fn of(told: &[&Effect]) -> Self {
        let any = |judgement| told.iter().any(|effect| effect.judgement == judgement);
        match (any(Judgement::Better), any(Judgement::Worse)) {
            (true, true) => Self::Mixed,
            (true, false) => Self::Better,
            (false, true) => Self::Worse,
            (false, false) if any(Judgement::NoClearEffect) => Self::NoClearEffect,
            (false, false) => Self::NotKnown,
        }
    }
}

/// One line of the result.
pub(in crate::report) struct Said {
    pub(in crate::report) outcome: Outcome,
    pub(in crate::report) line: String,
}

/// Each line of the summary with its word; there is at least one.
pub(in crate::report) fn results(report: &AbReport) -> Vec<Said> {
    let mut outcomes: Vec<Outcome> = with_role(&report.design, &report.effects, Role::Treatment)
        .map(|arm| Outcome::of(&told(arm)))
        .collect();
    if outcomes.is_empty() && is_of_identical_arms(&report.design) {
        outcomes = vec![Outcome::Noise; usize::from(!report.effects.is_empty())];
    }
    if report.summary.is_empty() {
        return vec![Said { outcome: Outcome::NotKnown, line: why_nothing(report) }];
    }
    let outcomes = outcomes.into_iter().chain(std::iter::repeat(Outcome::NotKnown));
    report.summary.iter().zip(outcomes).map(|(line, outcome)| Said { outcome, line: line.clone() }).collect()
}

/// Why there is no result at all.
fn why_nothing(report: &AbReport) -> String {
    match &report.window.problem {
        Some(problem) => format!("nothing can be said: {problem}"),
        None => format!("nothing can be said: {}", how_it_ended(report)),
    }
}

/// `ended by the plan, after 6 whole blocks of 6`.
pub(in crate::report) fn how_it_ended(report: &AbReport) -> String {
    let BlockCount { planned, whole, .. } = report.blocks;
    let after = format!("after {} of {planned}", plural(whole as usize, "whole block"));
    match report.window.ended_by {
        EndedBy::Plan => format!("ended as planned, {after}"),
        EndedBy::TooManyRejected => {
            format!("ended because too many trials did not count, {after}")
        }
        EndedBy::Interrupt => format!("interrupted {after}"),
        EndedBy::TreatmentNotTaken => format!("ended because the treatment did not take, {after}"),
        EndedBy::BenchmarkFailed => format!("ended because the benchmark failed, {after}"),
        EndedBy::InterfaceGone => format!("ended because the interface went away, {after}"),
        EndedBy::Problem => format!("ended by a problem, {after}"),
    }
}

/// What it comes to, in one short sentence with the interface in it.
pub(in crate::report) fn headline(report: &AbReport) -> String {
    let name = format::shortened(&format::printable(&report.interface.name), 32);
    let arms: Vec<(&str, Option<&Effect>)> = with_role(&report.design, &report.effects, Role::Treatment)
        .map(|arm| (label(&report.feature, &report.design, arm.arm, &arm.name), told(arm).first().copied()))
        .collect();
    match arms.as_slice() {
        [] if is_of_identical_arms(&report.design) => {
            let effect = with_role(&report.design, &report.effects, Role::Placebo).find_map(chief);
            match effect.and_then(|effect| Some((Amount::of(effect)?, &effect.name))) {
                Some((amount, metric)) => {
                    format!("identical arms on {name} differ by {} {metric}", amount.change())
                }
                None => format!("how much identical arms on {name} differ is not known"),
            }
        }
        [(arm, effect)] => match effect.and_then(|effect| Some((effect, Amount::of(effect)?))) {
            Some((effect, amount)) => match effect.judgement {
                Judgement::Better | Judgement::Worse => {
                    format!("{arm} causes {} {} on {name}", amount.change(), effect.name)
                }
                Judgement::NoClearEffect => format!("{arm} has no clear effect on {} on {name}", effect.name),
                Judgement::NotKnown => format!("what {arm} causes on {name} is not known"),
            },
            None => format!("what {arm} causes on {name} is not known"),
        },
        [] => format!("what {} causes on {name} is not known", feature_word(&report.feature)),
        several => {
            let base = report.design.arms.first().map_or("the base", |arm| arm.name.as_str());
            let each: Vec<String> = several
                .iter()
                .map(|(arm, effect)| {
                    let amount = effect.and_then(Amount::of);
                    let change = amount.map_or_else(|| "not known".to_owned(), |amount| amount.change());
                    format!("{arm} {change}")
                })
                .collect();
            let metric = several.iter().find_map(|(_, effect)| effect.map(|effect| effect.name.as_str()));
            format!("{} on {name} against {base}: {}", metric.unwrap_or("effects"), each.join(", "))
        }
    }
}

/// The first treatment's effects alone: what fits into a line.
pub(in crate::report) fn short(report: &AbReport) -> String {
    match with_role(&report.design, &report.effects, Role::Treatment).next() {
        Some(arm) => result(label(&report.feature, &report.design, arm.arm, &arm.name), arm),
        None => results(report).into_iter().next().map(|said| said.line).unwrap_or_default(),
    }
}

/// A feature in people's words.
pub(in crate::report) fn feature_word(feature: &str) -> &str {
    if feature == "tso" { "TSO" } else { feature }
}

/// One line a treatment, or, where there is none, what noise there is.
#[must_use]
pub fn summary(feature: &str, design: &Design, effects: &[ArmEffects], blocks: BlockCount) -> Vec<String> {
    let placebo = with_role(design, effects, Role::Placebo).next();
    if is_of_identical_arms(design) {
        return placebo.map(|arm| noise(arm, blocks)).into_iter().collect();
    }
    with_role(design, effects, Role::Treatment)
        .map(|arm| {
            let mut line = result(label(feature, design, arm.arm, &arm.name), arm);
            let count = chief(arm).map_or(blocks.whole, |effect| effect.blocks);
            line += &format!(", {}", plural(count as usize, "block"));
            if let Some(placebo) = placebo.and_then(said_of_placebo) {
                line += &format!(", {placebo}");
            }
            line
        })
        .collect()
}

fn is_of_identical_arms(design: &Design) -> bool {
    !design.arms.iter().any(|arm| arm.role == Role::Treatment)
}

/// The arms of a role that were held against the base.
pub(in crate::report) fn with_role<'a>(
    design: &'a Design,
    effects: &'a [ArmEffects],
    role: Role,
) -> impl Iterator<Item = &'a ArmEffects> {
    effects.iter().filter(move |arm| design.arms.get(arm.arm).is_some_and(|known| known.role == role))
}

/// The effects that a line tells; the first is what the result is told by.
fn told(arm: &ArmEffects) -> Vec<&Effect> {
    let known: Vec<&Effect> = TOLD.iter().filter_map(|metric| arm.effect(*metric)).collect();
    // Where none of them was measured, whatever was.
    if known.is_empty() { arm.effects.first().into_iter().collect() } else { known }
}

/// What the result is told by.
pub(in crate::report) fn chief(arm: &ArmEffects) -> Option<&Effect> {
    told(arm).into_iter().next()
}

/// `TSO: +87 % throughput [80, 95], −61 % CPU per byte [−66, −57]`.
fn result(label: &str, arm: &ArmEffects) -> String {
    let told = told(arm);
    let Some((first, rest)) = told.split_first() else {
        return format!("{label}: not known: nothing was measured");
    };
    let is_worse = first.judgement == Judgement::Worse;
    let mut line = if is_worse { format!("worse with {label}: ") } else { format!("{label}: ") };
    let is_known = told.iter().any(|effect| effect.judgement != Judgement::NotKnown);
    if !is_known && Amount::of(first).is_none() {
        return line + &format!("not known: {}", reason(first));
    }
    line += &phrase(first);
    for effect in rest {
        // What goes the other way says so: it would be taken for the same.
        let turn = match (is_worse, effect.judgement) {
            (true, Judgement::Better) => "better: ",
            (false, Judgement::Worse) => "worse: ",
            _ => "",
        };
        line += &format!(", {turn}{}", phrase(effect));
    }
    line
}

/// One effect: `+87 % throughput [80, 95]`, `no effect on throughput larger than 1.9 % [−1.1, 1.9]`.
fn phrase(effect: &Effect) -> String {
    let name = &effect.name;
    let Some(amount) = Amount::of(effect) else { return format!("{name} not known: {}", reason(effect)) };
    match (effect.judgement, amount.at_most()) {
        (Judgement::NoClearEffect, Some(most)) => {
            format!("no effect on {name} larger than {most}{}", amount.range())
        }
        _ => format!("{} {name}{}", amount.change(), amount.range()),
    }
}

/// `placebo +0.4 % [−1.1, 1.9]`, and what follows where its interval leaves out 0. None where nothing is known of it.
fn said_of_placebo(arm: &ArmEffects) -> Option<String> {
    let told = told(arm);
    let (first, rest) = told.split_first()?;
    let is_clear = |effect: &&&Effect| Amount::of(effect).and_then(|amount| amount.is_clear()) == Some(true);
    let mut parts = vec![Amount::of(first)?.said()];
    // The others only where they warn.
    for effect in rest.iter().filter(is_clear) {
        let amount = Amount::of(effect)?;
        parts.push(format!("{} {}{}", amount.change(), effect.name, amount.range()));
    }
    let mut said = format!("placebo {}", parts.join(" and "));
    if told.iter().any(|effect| is_clear(&effect)) {
        said += ", which leaves out 0: do not trust differences of that size (a placebo shows one by chance in 1 of 20 experiments)";
    }
    Some(said)
}

/// What identical arms differ by.
fn noise(arm: &ArmEffects, blocks: BlockCount) -> String {
    let told = told(arm);
    if told.iter().all(|effect| Amount::of(effect).is_none()) {
        let why = told.first().map_or("nothing was measured", |effect| reason(effect));
        return format!("noise between identical arms: not known: {why}");
    }
    let parts: Vec<String> = told
        .iter()
        .map(|effect| match Amount::of(effect) {
            None => format!("{} not known: {}", effect.name, reason(effect)),
            Some(amount) => {
                let smallest = smallest_visible(effect);
                let smallest = smallest
                    .map_or_else(String::new, |least| format!(" (an effect would be seen from {least} on)"));
                format!("{} {}{}{smallest}", amount.change(), effect.name, amount.range())
            }
        })
        .collect();
    let count = told.first().map_or(blocks.whole, |effect| effect.blocks);
    let mut said =
        format!("noise between identical arms: {}, {}", parts.join(", "), plural(count as usize, "block"));
    if told.iter().any(|effect| Amount::of(effect).and_then(|amount| amount.is_clear()) == Some(true)) {
        said += "; an interval leaves out 0, and nothing differs: by chance in 1 of 20 experiments, or something is at fault";
    }
    said
}
