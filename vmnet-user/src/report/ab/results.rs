//! What an experiment comes to: in a word, and in a sentence.

use super::schema::{AbReport, BlockCount, EndedBy};
use super::summary::{chief, is_of_identical_arms, result, told, with_role};
use super::words::{Amount, label};
use crate::model::experiment::{Effect, Judgement, MOST_CHANCE, Role};
use crate::report::kit::format;
use crate::report::kit::format::plural;
use crate::report::kit::style::Tone;

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
        let found = findings(told);
        let any = |judgement| found.iter().any(|effect| effect.judgement == judgement);
        match (any(Judgement::Better), any(Judgement::Worse)) {
            (true, true) => Self::Mixed,
            (true, false) => Self::Better,
            (false, true) => Self::Worse,
            (false, false) if told.iter().any(|effect| effect.judgement == Judgement::NoClearEffect) => {
                Self::NoClearEffect
            }
            (false, false) => Self::NotKnown,
        }
    }
}

/// Those that stand as findings of one experiment that is told by several metrics: each of them would raise a false alarm in 1 of 20, and all of them
/// together may in no more. Hochberg's step-up procedure (1988), for metrics that do not work against each other: of n, the k that are the likeliest
/// by chance must be no likelier than 5 % / (n − k + 1).
fn findings<'a>(told: &[&'a Effect]) -> Vec<&'a Effect> {
    let mut found: Vec<(&Effect, f64)> = told
        .iter()
        .filter(|effect| matches!(effect.judgement, Judgement::Better | Judgement::Worse))
        .filter_map(|effect| Some((*effect, effect.chance?)))
        .collect();
    found.sort_by(|left, right| left.1.total_cmp(&right.1));
    let tested = told.iter().filter(|effect| effect.chance.is_some()).count();
    while let Some((_, chance)) = found.last() {
        let more_likely = tested.saturating_sub(found.len());
        if *chance <= MOST_CHANCE / (more_likely as f64 + 1.0) {
            break;
        }
        found.pop();
    }
    let stands = |effect: &Effect| found.iter().any(|(found, _)| found.metric == effect.metric);
    told.iter().copied().filter(|effect| stands(effect)).collect()
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

/// The first treatment's word; with none, the noise's.
pub(in crate::report) fn outcome(report: &AbReport) -> Outcome {
    results(report).first().map_or(Outcome::NotKnown, |said| said.outcome)
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
    let arms: Vec<(&str, Vec<&Effect>)> = with_role(&report.design, &report.effects, Role::Treatment)
        .map(|arm| (label(&report.feature, &report.design, arm.arm, &arm.name), told(arm)))
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
        [(arm, told)] => of_one(arm, told, &name),
        [] => format!("what {} causes on {name} is not known", feature_word(&report.feature)),
        several => {
            let base = report.design.arms.first().map_or("the base", |arm| arm.name.as_str());
            let each: Vec<String> = several
                .iter()
                .map(|(arm, told)| {
                    let amount = told.first().and_then(|effect| Amount::of(effect));
                    let change = amount.map_or_else(|| "not known".to_owned(), |amount| amount.change());
                    format!("{arm} {change}")
                })
                .collect();
            let metric = several.iter().find_map(|(_, told)| told.first().map(|effect| effect.name.as_str()));
            format!("{} on {name} against {base}: {}", metric.unwrap_or("effects"), each.join(", "))
        }
    }
}

/// `TSO causes +87 % throughput on ens4`: what is clear, and what is not where the result is told by it.
fn of_one(arm: &str, told: &[&Effect], interface: &str) -> String {
    let clear: Vec<(&Effect, Amount<'_>)> =
        findings(told).into_iter().filter_map(|effect| Some((effect, Amount::of(effect)?))).collect();
    let unclear = told.first().filter(|effect| effect.judgement == Judgement::NoClearEffect);
    match (clear.as_slice(), unclear) {
        ([], None) => format!("what {arm} causes on {interface} is not known"),
        ([], Some(effect)) => format!("{arm} has no clear effect on {} on {interface}", effect.name),
        ([(first, amount), rest @ ..], unclear) => {
            let mut said = format!("{arm} causes {} {} on {interface}", amount.change(), first.name);
            // What is as good as the first is in the line below.
            for (effect, amount) in rest.iter().filter(|(effect, _)| effect.judgement != first.judgement) {
                said += &format!(", and {} {}", amount.change(), effect.name);
            }
            if let Some(effect) = unclear {
                said += &format!(", and no clear effect on {}", effect.name);
            }
            said
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::ab::fixture;

    fn told(chances: [(Judgement, f64); 2]) -> Vec<Effect> {
        let report = fixture::helps();
        let arm = with_role(&report.design, &report.effects, Role::Treatment).next().unwrap();
        let both = super::told(arm).into_iter().cloned().zip(chances);
        both.map(|(effect, (judgement, chance))| Effect { judgement, chance: Some(chance), ..effect })
            .collect()
    }

    #[test]
    fn two_metrics_together_raise_a_false_alarm_no_more_often_than_one() {
        use Judgement::{Better, NoClearEffect, Worse};
        for (chances, outcome) in [
            // Six blocks, and each as clear as six blocks can be.
            ([(Better, 0.031), (Better, 0.031)], Outcome::Better),
            ([(Better, 0.031), (Worse, 0.031)], Outcome::Mixed),
            // One of two alone would be said in 1 of 10 experiments.
            ([(Better, 0.031), (NoClearEffect, 0.4)], Outcome::NoClearEffect),
            ([(Better, 0.016), (NoClearEffect, 0.4)], Outcome::Better),
            ([(NoClearEffect, 0.4), (Worse, 0.016)], Outcome::Worse),
            ([(NoClearEffect, 0.4), (NoClearEffect, 0.2)], Outcome::NoClearEffect),
        ] {
            let effects = told(chances);
            assert_eq!(Outcome::of(&effects.iter().collect::<Vec<_>>()), outcome, "{chances:?}");
        }
    }
}
