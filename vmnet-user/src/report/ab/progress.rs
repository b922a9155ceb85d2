//! What is said while an experiment runs: a line when a trial has ended, another when a block has.

use super::words::{Amount, in_unit, reason};
use crate::model::experiment::{ArmEffects, Design, MetricId, Trial};
use crate::report::kit::format;
use crate::report::kit::format::plural;
use crate::report::kit::style::{Style, Tone};

/// One trial: `block 2 of 6  tso=on   9.41 Gbit/s  engaged   0.520 ns/byte  3 min 10 s left`. One that does not count says why, below.
#[must_use]
pub fn trial_line(trial: &Trial, design: &Design, left_s: Option<f64>, style: &Style) -> String {
    const LONGEST_NAME: usize = 24;
    let name = |name: &str| format::shortened(&format::printable(name), LONGEST_NAME);
    let width = design.arms.iter().map(|arm| name(&arm.name).chars().count()).max().unwrap_or_default();
    let arm = design.arms.get(trial.arm).map(|arm| name(&arm.name)).unwrap_or_default();
    let figure = |metric: MetricId| {
        let value = trial.figures.get(&metric).filter(|value| value.is_finite())?;
        Some(in_unit(*value, metric.metric().unit))
    };
    let rate = figure(MetricId::ThroughputGbps).or_else(|| figure(MetricId::TransactionsPerS));
    let cost = figure(MetricId::CpuNsPerByte);
    // A block that makes up for a void one comes after those that were planned.
    let block = trial.block.saturating_add(1);
    let of = if block > design.blocks { String::new() } else { format!(" of {}", design.blocks) };
    let mut line = format!(
        "block {:<9} {arm:<width$}  {:>12}  {:<12}  {:>13}",
        format!("{block}{of}"),
        rate.unwrap_or_else(|| "–".to_owned()),
        trial.state.name(),
        cost.unwrap_or_else(|| "–".to_owned())
    );
    if let Some(left) = left_s.filter(|left| left.is_finite() && *left >= 0.0) {
        line += &format!("  {} left", format::duration(left));
    }
    let mut text = style.typeset(&line) + "\n";
    for rejection in &trial.rejections {
        let first = format!("  {}: ", style.paint(Tone::Unsure, "does not count"));
        text += &style.paragraph(&first, &style.data(&rejection.detail));
    }
    text
}

/// After each block: `so far, 3 of 6 blocks: tso=on +85 % throughput [60, 112]; placebo +0.3 % throughput [−4.0, 5.1]`. How many blocks there
/// are was fixed beforehand, so that looking changes nothing.
#[must_use]
pub fn so_far(effects: &[ArmEffects], whole: u32, planned: u32, style: &Style) -> String {
    let said: Vec<String> = effects
        .iter()
        .filter_map(|arm| {
            let effect = arm.effects.first()?;
            let name = &arm.name;
            Some(match Amount::of(effect) {
                Some(amount) => format!("{name} {} {}{}", amount.change(), effect.name, amount.range()),
                None => format!("{name} not known: {}", reason(effect)),
            })
        })
        .collect();
    let count = format!("{whole} of {}", plural(planned as usize, "block"));
    let line = if whole == 0 || said.is_empty() {
        format!("so far, {count}: nothing to be said yet")
    } else {
        format!("so far, {count}: {}", said.join("; "))
    };
    style.paragraph("  ", &style.data(&line))
}
