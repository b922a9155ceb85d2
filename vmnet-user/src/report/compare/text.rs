//! The comparison for a terminal: what it comes to, then the two answers, the effects, and what differs in the machines.

use std::path::PathBuf;

use super::schema::{CompareReport, RunSummary};
use super::words::{change, figure, judgement};
use crate::model::comparison::{Effect, EffectId};
use crate::model::verdict::State;
use crate::report::kit::format;
use crate::report::kit::style::{Style, Tone};
use crate::report::run::text::confidence_word;

/// Beyond these, differences are told in compare.json and on the page.
const MOST_DIFFERENCES: usize = 25;
/// A value that is longer is cut.
const LONGEST_VALUE: usize = 60;

/// All that a comparison says to a person. `files` are where the reports went.
#[must_use]
pub fn answer(report: &CompareReport, files: &[PathBuf], style: &Style) -> String {
    let mut text = headline(report, style);
    text += &run("A", &report.runs.a, style);
    text += &run("B", &report.runs.b, style);
    text += &style.section("PATHS", &paths(report));
    text += &style.section("B/A", &effects(report));
    text += &style.section("USED", &used(report));
    text += &style.section("DIFF", &differences(report));
    text += &style.section("LIMIT", &report.notes);
    for file in files {
        text += &style.paragraph("      ", &style.data(&file.to_string_lossy()));
    }
    text
}

/// What it comes to, in one sentence: goodput, or what comes nearest to it.
#[must_use]
pub fn gist(report: &CompareReport) -> String {
    if report.same_run {
        return "A and B are the same run".to_owned();
    }
    let comparison = &report.comparison;
    let known = [EffectId::Goodput, EffectId::WireRate]
        .into_iter()
        .filter_map(|id| comparison.effect(id))
        .find(|effect| effect.change_percent.is_some());
    let mut said = match known {
        None => "how much faster or slower B is cannot be determined".to_owned(),
        Some(effect) => format!("in B, {}", told(effect)),
    };
    if let Some(cpu) = comparison.effect(EffectId::CpuPerByte).filter(|cpu| cpu.is_clear() == Some(true)) {
        said += &format!("; {} {}", cpu.name, change(cpu));
    }
    said
}

fn told(effect: &Effect) -> String {
    let Effect { name, .. } = effect;
    match effect.is_clear() {
        Some(true) => format!("{name} is {}", change(effect)),
        Some(false) => format!("{name} is not clearly different: {}", change(effect)),
        None => format!("{name} is {}", change(effect)),
    }
}

fn headline(report: &CompareReport, style: &Style) -> String {
    let word = |run: &RunSummary| style.paint(tone(run.state), &run.state_word);
    let (a, b) = (&report.runs.a, &report.runs.b);
    let first = if a.state_word == b.state_word {
        format!("BOTH {}  ", word(a))
    } else {
        format!("A {}, B {}  ", word(a), word(b))
    };
    style.paragraph(&first, &style.data(&gist(report)))
}

pub(super) fn tone(state: State) -> Tone {
    match state {
        State::Engaged => Tone::Good,
        State::Software | State::NotBuilt => Tone::Bad,
        State::Partial | State::NothingToOffload | State::Inconclusive => Tone::Unsure,
    }
}

fn run(side: &str, run: &RunSummary, style: &Style) -> String {
    let mut lines = vec![format!("{} ({})", run.sentence, confidence_word(run.confidence))];
    if !run.summary.is_empty() {
        lines.push(run.summary.clone());
    }
    let mut from = format!(
        "{}, {}, kernel {}",
        format::moment(&run.start),
        format::duration(run.duration_s),
        format::shortened(&run.kernel, 40)
    );
    if let Some(command) = &run.command {
        from += &format!(": {}", format::shortened(&command.join(" "), 120));
    }
    lines.push(from);
    lines.push(run.source.clone());
    style.section(side, &lines)
}

fn paths(report: &CompareReport) -> Vec<String> {
    let Some(paths) = &report.comparison.paths else {
        return vec!["not known in both runs: without programs there is no ledger".to_owned()];
    };
    let share = |share: Option<f64>| share.map_or_else(|| "none sent".to_owned(), format::percent);
    paths
        .iter()
        .filter(|path| path.bytes.a > 0 || path.bytes.b > 0)
        .map(|path| format!("{}: {} → {}", path.name, share(path.share.a), share(path.share.b)))
        .collect()
}

pub(super) fn effects(report: &CompareReport) -> Vec<String> {
    report
        .comparison
        .effects
        .iter()
        .map(|effect| {
            let mut line = format!("{}: ", effect.name);
            match (effect.a, effect.b) {
                (None, None) => line += "not measured",
                (a, b) => line += &format!("{} → {}", figure(effect, a), figure(effect, b)),
            }
            if effect.change_percent.is_some() {
                line += &format!(", {}", change(effect));
            }
            for more in [judgement(effect), effect.reason.as_deref().unwrap_or_default()] {
                if !more.is_empty() {
                    line += &format!("; {more}");
                }
            }
            line
        })
        .collect()
}

/// An effect without what may be judged of it beyond its interval.
pub(super) fn told_briefly(effect: &Effect) -> String {
    format!(
        "{}: {} → {}, {}",
        effect.name,
        figure(effect, effect.a),
        figure(effect, effect.b),
        change(effect)
    )
}

/// Only where something was left out.
fn used(report: &CompareReport) -> Vec<String> {
    let stretches = &report.comparison.stretches;
    let (a, b) = (stretches.a, stretches.b);
    if a.compared() == a.intervals && b.compared() == b.intervals {
        return Vec::new();
    }
    vec![format!(
        "{} of A's {} intervals and {} of B's {}; {}",
        a.compared(),
        a.intervals,
        b.compared(),
        b.intervals,
        report.left_out_rule
    )]
}

pub(super) fn differences(report: &CompareReport) -> Vec<String> {
    let differences = &report.comparison.differences;
    if differences.is_empty() {
        return vec!["nothing that is known of the machines and of how was measured".to_owned()];
    }
    let value = |text: &str| format::shortened(text, LONGEST_VALUE);
    let mut lines: Vec<String> = differences
        .iter()
        .take(MOST_DIFFERENCES)
        .map(|row| format!("{}: {} → {}", format::shortened(&row.what, 80), value(&row.a), value(&row.b)))
        .collect();
    if differences.len() > MOST_DIFFERENCES {
        lines.push(format!("and {} more, in compare.json", differences.len() - MOST_DIFFERENCES));
    }
    lines
}
