//! The experiment for a terminal: what it comes to, then every effect, the placebo, what counts, what was foreseen, and what was set.

use std::path::PathBuf;

use super::foresight::{foreseen, why_no_prediction};
use super::lines::{section, verbatim};
use super::results::{how_it_ended, results};
use super::schema::{AbReport, EndedBy};
use super::summary::with_role;
use super::validity::{arm_name, blocks_said, left_out_unevenly, place, tally, why_rejected};
use super::words::{Amount, chance, figures, judgement, judgement_of_placebo, smallest_visible};
use crate::model::experiment::{ArmEffects, Effect, Role};
use crate::model::shell::command_line;
use crate::report::kit::format;
use crate::report::kit::format::plural;
use crate::report::kit::style::Style;
use crate::report::run::why;

pub use super::plan::plan;
pub use super::progress::{so_far, trial_line};
pub use super::summary::summary;

/// Trials that do not count are told up to here; the others are in ab.json and on the page.
const MOST_REJECTED: usize = 8;
/// A command that is longer is cut: the whole one is in ab.json.
const LONGEST_COMMAND: usize = 400;

/// All that an experiment says to a person. `files` are where the reports went.
#[must_use]
pub fn answer(report: &AbReport, files: &[PathBuf], style: &Style) -> String {
    let mut text = String::new();
    for said in results(report) {
        let first = format!("{}  ", style.paint(said.outcome.tone(), said.outcome.word()));
        text += &style.paragraph(&first, &style.data(&said.line));
    }
    text += &section(style, "BUT", &left_out_unevenly(report));
    text += &section(style, "ENDED", &ended(report));
    text += &section(style, "RESULT", &effects(report, Role::Treatment, told));
    text += &section(style, "PLACEBO", &effects(report, Role::Placebo, told_of_placebo));
    text += &section(style, "VALID", &valid(report));
    text += &section(style, "PREDICT", &predicted(report));
    text += &verbatim(style, "SET", &commands(report));
    text += &section(style, "AFTER", &after(report));
    text += &section(style, "WHY", &why::why(&report.causes));
    text += &verbatim(style, "FIX", &why::mend(report.interface.place(), &report.causes));
    text += &section(style, "NOTE", &report.notes);
    let again = [format::shortened(&command_line(&report.repeat.command), LONGEST_COMMAND)];
    text += &verbatim(style, "AGAIN", &again);
    for file in files {
        text += &style.paragraph("         ", &style.data(&file.to_string_lossy()));
    }
    text
}

/// Only where it did not end as planned.
fn ended(report: &AbReport) -> Vec<String> {
    let mut lines = Vec::new();
    if report.window.ended_by != EndedBy::Plan {
        lines.push(how_it_ended(report));
    }
    // Where nothing else can be said, the headline has it.
    lines.extend(report.window.problem.clone().filter(|_| !report.summary.is_empty()));
    lines
}

/// Each arm of that role, metric by metric.
fn effects(report: &AbReport, role: Role, told: fn(&Effect) -> String) -> Vec<String> {
    let base = arm_name(report, 0);
    let mut lines = Vec::new();
    // The headline says that, and why.
    if report.blocks.whole == 0 {
        return lines;
    }
    for arm in with_role(&report.design, &report.effects, role) {
        let ArmEffects { name, effects, .. } = arm;
        lines.push(format!("{name} against {base}"));
        lines.extend(effects.iter().map(|effect| format!("  {}", told(effect))));
        if effects.is_empty() {
            lines.push("  nothing was measured".to_owned());
        }
    }
    lines
}

fn told(effect: &Effect) -> String {
    if is_nothing(effect) {
        return format!("{}: none in any block, under either", effect.name);
    }
    let mut line = format!("{}: {}", effect.name, figures(effect));
    if let Some(amount) = Amount::of(effect) {
        line += &format!(", {}", amount.said());
    }
    line += &format!("; {}", judgement(effect));
    if let Some(chance) = chance(effect) {
        line += &format!("; p {chance}");
    }
    if let Some(smallest) = smallest_visible(effect) {
        line += &format!("; seen from {smallest} on");
    }
    line
}

/// 0 throughout: no retransmit, no segmentation.
fn is_nothing(effect: &Effect) -> bool {
    (effect.base, effect.arm) == (Some(0.0), Some(0.0)) && effect.by_block.iter().all(|block| *block == 0.0)
}

/// What it differs by is what matters.
fn told_of_placebo(effect: &Effect) -> String {
    if is_nothing(effect) {
        return format!("{}: none in any block", effect.name);
    }
    let change = Amount::of(effect).map_or_else(|| "not known".to_owned(), |amount| amount.said());
    format!("{}: {change}; {}", effect.name, judgement_of_placebo(effect))
}

fn valid(report: &AbReport) -> Vec<String> {
    let mut lines = vec![blocks_said(report)];
    for (index, arm) in report.design.arms.iter().enumerate() {
        let tally = tally(report, index);
        if tally.trials == 0 {
            lines.push(format!("{}: no trial", arm.name));
            continue;
        }
        let mut line = format!("{}: {} of {} count", arm.name, tally.valid, plural(tally.trials, "trial"));
        line += &match (arm.is_profiled(), tally.bytes) {
            (false, _) => "; without programs nothing is known of the packets".to_owned(),
            (true, None) => format!("; by the ledger {}", tally.states_said()),
            (true, Some(bytes)) => format!("; by the ledger {}: {}", tally.states_said(), bytes.said()),
        };
        lines.push(line);
    }
    let rejected: Vec<String> = report
        .trials
        .iter()
        .filter(|trial| !trial.is_valid())
        .map(|trial| format!("{} does not count: {}", place(report, trial), why_rejected(trial)))
        .collect();
    let more = rejected.len().saturating_sub(MOST_REJECTED);
    lines.extend(rejected.into_iter().take(MOST_REJECTED));
    if more > 0 {
        lines.push(format!("and {more} more, in ab.json"));
    }
    lines
}

fn predicted(report: &AbReport) -> Vec<String> {
    if report.blocks.whole == 0 {
        return Vec::new();
    }
    let Some(prediction) = &report.prediction else {
        // Where it is about something else than TSO, nobody misses it.
        let is_due = report.feature == "tso";
        return is_due.then(|| format!("none: {}", why_no_prediction(report))).into_iter().collect();
    };
    let mut lines: Vec<String> = foreseen(report, prediction)
        .iter()
        .map(|foreseen| format!("{}: {}", foreseen.metric, foreseen.said()))
        .collect();
    if lines.is_empty() {
        lines.push(format!("none from {} about {}", prediction.from, prediction.about));
    }
    lines.extend(prediction.notes.iter().cloned());
    lines
}

/// Each arm with what a person would type to come to it.
fn commands(report: &AbReport) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, arm) in report.design.arms.iter().enumerate() {
        let commands = report.settings.commands.get(index).map(Vec::as_slice).unwrap_or_default();
        lines.extend(told_commands(&arm.name, commands));
    }
    lines
}

/// `tso=on: ethtool -K ens4 tx-tcp-segmentation on`.
pub(super) fn told_commands(name: &str, commands: &[String]) -> Vec<String> {
    if commands.is_empty() {
        return vec![format!("{name}: as it was found")];
    }
    commands.iter().map(|command| format!("{name}: {command}")).collect()
}

/// What followed, and whether all is as it was.
fn after(report: &AbReport) -> Vec<String> {
    let mut lines = Vec::new();
    for (arm, followed) in report.design.arms.iter().zip(&report.settings.followed) {
        for change in followed {
            lines.push(format!(
                "with {} followed on {}: {} {} → {}",
                arm.name, change.interface, change.what, change.before, change.after
            ));
        }
    }
    lines.extend(restored(report));
    lines
}

/// Whether all is as it was, and what puts back the rest.
pub(super) fn restored(report: &AbReport) -> Vec<String> {
    let settings = &report.settings;
    let mut lines = vec![match settings.restored {
        Some(true) => "every feature, limit and queue is as it was before".to_owned(),
        Some(false) => format!("not as it was before: {}", settings.not_as_before.join("; ")),
        None => "whether all is as it was before could not be read".to_owned(),
    }];
    if let Some(journal) = &settings.journal {
        lines.push(format!("`vmnet restore` puts back what {journal} says"));
    }
    lines
}
