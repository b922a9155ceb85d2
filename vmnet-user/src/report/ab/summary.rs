//! The result in one line a treatment.

use super::schema::BlockCount;
use super::words::{Amount, label, reason, smallest_visible};
use crate::model::experiment::{ArmEffects, Design, Effect, Judgement, MetricId, Role};
use crate::report::kit::format::plural;

/// What one line tells beside each other: how fast, and at what cost.
const TOLD: [MetricId; 3] = [MetricId::ThroughputGbps, MetricId::TransactionsPerS, MetricId::CpuNsPerByte];

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

/// Whether nothing is tried, and only noise is looked for.
pub(super) fn is_of_identical_arms(design: &Design) -> bool {
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
pub(super) fn told(arm: &ArmEffects) -> Vec<&Effect> {
    let known: Vec<&Effect> = TOLD.iter().filter_map(|metric| arm.effect(*metric)).collect();
    // Where none of them was measured, whatever was.
    if known.is_empty() { arm.effects.first().into_iter().collect() } else { known }
}

/// What the result is told by.
pub(in crate::report) fn chief(arm: &ArmEffects) -> Option<&Effect> {
    told(arm).into_iter().next()
}

/// `TSO: +87 % throughput [80, 95], −61 % CPU per byte [−66, −57]`.
pub(super) fn result(label: &str, arm: &ArmEffects) -> String {
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
