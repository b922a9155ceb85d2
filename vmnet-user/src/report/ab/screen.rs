//! An experiment on one screen: what it comes to, each arm's runs, how sure that is, and what to do. Before and while it runs: a line.

use std::path::PathBuf;

use super::plan::least_seen;
use super::results::{Outcome, Said, feature_word, headline, how_it_ended, outcome, results};
use super::schema::{AbReport, EndedBy};
use super::summary::{chief, with_role};
use super::validity::left_out_unevenly;
use super::words::{Amount, chance, in_unit, judgement_of_placebo};
use crate::model::experiment::{Design, Effect, Judgement, MetricId, Role, Trial};
use crate::model::shell::command_line;
use crate::report::kit::format;
use crate::report::kit::format::plural;
use crate::report::kit::screen::Screen;
use crate::report::kit::style::{Style, Tone};
use crate::report::kit::typed::Typed;
use crate::report::run::remedy;

/// The screen of an experiment. `files` are where the reports went.
#[must_use]
pub fn screen(report: &AbReport, files: &[PathBuf], typed: &Typed, style: &Style) -> String {
    if report.is_of_failed_benchmark() {
        return failed(report, files, typed, style);
    }
    let outcome = outcome(report);
    let (tone, word) = word(outcome);
    let mut screen = Screen::new(style, tone, word, &sentence(report, outcome));
    screen.gap();
    let effect = with_role(&report.design, &report.effects, Role::Treatment).find_map(chief);
    if report.blocks.whole != 0 && table(&mut screen, report) {
        screen.gap();
    }
    if let Some(effect) = effect {
        screen.row("Sure?", &sure(report, effect));
    }
    screen.row("CPU", &cpu(report));
    for line in left_out_unevenly(report).iter().take(1) {
        screen.row("But", line);
    }
    if report.window.ended_by != EndedBy::Plan {
        let problem = report.window.problem.as_ref().map(|why| format!(": {why}"));
        screen.row("Ended", &format!("{}{}", how_it_ended(report), problem.unwrap_or_default()));
    }
    let name = &report.interface.name;
    remedy::rows(&mut screen, name, &report.causes, typed);
    now(&mut screen, report, outcome, typed);
    if let Some(page) = files.first() {
        screen.command("Report", &page.display().to_string());
    }
    screen.command("Again", &again(report, typed));
    screen.finish()
}

/// What was typed, with the seed.
fn again(report: &AbReport, typed: &Typed) -> String {
    let again = command_line(&report.repeat.command);
    if typed.sudo { format!("sudo {again}") } else { again }
}

/// There is nothing to tell but why.
fn failed(report: &AbReport, files: &[PathBuf], typed: &Typed, style: &Style) -> String {
    let why = report.window.problem.as_deref().unwrap_or("it does not say why");
    let mut screen = Screen::new(style, Tone::Bad, "FAILED", "the benchmark failed: nothing was measured");
    screen.gap();
    screen.row("Why", why);
    now(&mut screen, report, Outcome::NotKnown, typed);
    screen.command("Again", &again(report, typed));
    if let Some(file) = files.first() {
        screen.command("Report", &format!("{}   details: -v", file.display()));
    }
    screen.finish()
}

/// Whether it is worth it, in a word that the p-value bears out: better and worse are said of findings alone.
fn word(outcome: Outcome) -> (Tone, &'static str) {
    match outcome {
        Outcome::Better => (Tone::Good, "YES"),
        Outcome::Worse => (Tone::Bad, "WORSE"),
        Outcome::Mixed => (Tone::Unsure, "BOTH WAYS"),
        Outcome::NoClearEffect => (Tone::Unsure, "NO"),
        Outcome::NotKnown => (Tone::Unsure, "NOT KNOWN"),
        Outcome::Noise => (Tone::Heading, "NOISE"),
    }
}

/// `TSO makes ens4 2.0 times as fast: 11.1 → 22.4 Gbit/s`.
fn sentence(report: &AbReport, outcome: Outcome) -> String {
    let name = format::shortened(&format::printable(&report.interface.name), 32);
    if outcome == Outcome::NotKnown {
        return results(report).into_iter().next().map_or_else(|| headline(report), |Said { line, .. }| line);
    }
    let treatments: Vec<_> = with_role(&report.design, &report.effects, Role::Treatment).collect();
    let [arm] = treatments.as_slice() else { return headline(report) };
    let Some(effect) = chief(arm) else { return headline(report) };
    let what = super::words::label(&report.feature, &report.design, arm.arm, &arm.name);
    let is_throughput = effect.metric == MetricId::ThroughputGbps;
    match (outcome, effect.base, effect.arm) {
        (Outcome::Better, Some(base), Some(with)) if is_throughput && with >= 1.2 * base => {
            let unit = effect.metric.metric().unit;
            let number = format::significant;
            format!(
                "{what} makes {name} {:.1} times as fast: {} → {} {unit}",
                with / base,
                number(base),
                number(with)
            )
        }
        (_, Some(_), Some(_)) => format!("{}: {}", headline(report), super::words::figures(effect)),
        _ => headline(report),
    }
}

/// Each arm's runs by the metric that the result is told by. Whether there was any.
fn table(screen: &mut Screen, report: &AbReport) -> bool {
    let metric = report.chief_metric();
    let unit = metric.metric().unit;
    let mut rows = Vec::new();
    for (index, arm) in report.design.arms.iter().enumerate() {
        let mut figures: Vec<f64> = report
            .trials
            .iter()
            .filter(|trial| trial.arm == index && trial.is_valid())
            .filter_map(|trial| trial.figures.get(&metric).copied().filter(|value| value.is_finite()))
            .collect();
        figures.sort_unstable_by(f64::total_cmp);
        let (Some(mean), [lowest, ..], [.., highest]) =
            (mean(report, index, metric), figures.as_slice(), figures.as_slice())
        else {
            continue;
        };
        let number = format::significant;
        let range = format!("{} – {}", number(*lowest), number(*highest));
        let control = if arm.role == Role::Placebo { control(report) } else { String::new() };
        rows.push(format!(
            "  {:<18}{:>9}{range:>20}{:>7}   {control}",
            format::shortened(&format::printable(&arm_said(report, index)), 17),
            number(mean),
            figures.len(),
        ));
    }
    if !rows.is_empty() {
        screen.line(&format!("  {unit:<18}{:>9}{:>20}{:>7}", "mean", "lowest – highest", "runs"));
    }
    let any = !rows.is_empty();
    rows.iter().for_each(|row| screen.line(row));
    any
}

/// An arm's mean as the effect has it, so that table and first line say the same.
fn mean(report: &AbReport, arm: usize, metric: MetricId) -> Option<f64> {
    if arm == 0 {
        return report.effects.iter().find_map(|effects| effects.effect(metric)?.base);
    }
    report.effects.iter().find(|effects| effects.arm == arm)?.effect(metric)?.arm
}

/// `TSO off`, `TSO on`, `TSO off again`; other arms by their names.
fn arm_said(report: &AbReport, index: usize) -> String {
    let Some(arm) = report.design.arms.get(index) else { return String::new() };
    let named = |name: &str| {
        name.strip_prefix("tso=").map_or_else(|| name.to_owned(), |level| format!("TSO {level}"))
    };
    match arm.role {
        Role::Placebo => {
            let base = report.design.arms.first().map_or("", |base| base.name.as_str());
            format!("{} again", named(base))
        }
        Role::Base | Role::Treatment => named(&arm.name),
    }
}

/// What the placebo shows.
fn control(report: &AbReport) -> String {
    let placebo = with_role(&report.design, &report.effects, Role::Placebo).find_map(chief);
    match placebo.and_then(Amount::of).and_then(|amount| amount.is_clear()) {
        Some(false) => "control: no change".to_owned(),
        Some(true) => "control: differs!".to_owned(),
        None => "control".to_owned(),
    }
}

fn sure(report: &AbReport, effect: &Effect) -> String {
    let Some(amount) = Amount::of(effect) else { return super::words::reason(effect).to_owned() };
    let mut said = amount.said();
    if let Some(chance) = chance(effect) {
        said += &format!(" (95 %), p {chance}");
    }
    if let Some(smallest) =
        super::words::smallest_visible(effect).filter(|_| effect.judgement == Judgement::NoClearEffect)
    {
        said += &format!("; an effect of {smallest} would have been seen");
    }
    let placebo = with_role(&report.design, &report.effects, Role::Placebo).find_map(chief);
    if let Some(placebo) =
        placebo.filter(|effect| Amount::of(effect).and_then(|amount| amount.is_clear()) == Some(true))
    {
        said += &format!("; the control {}: trust no difference of that size", judgement_of_placebo(placebo));
    }
    said
}

fn cpu(report: &AbReport) -> String {
    let arm = with_role(&report.design, &report.effects, Role::Treatment).next();
    let Some(effect) = arm.and_then(|arm| arm.effect(MetricId::CpuNsPerByte)) else { return String::new() };
    let Some(amount) = Amount::of(effect) else { return String::new() };
    match effect.judgement {
        Judgement::NoClearEffect | Judgement::NotKnown => {
            format!("no clear change per byte: {}", amount.said())
        }
        Judgement::Better | Judgement::Worse => {
            format!("{} per byte ({})", amount.said(), super::words::figures(effect))
        }
    }
}

/// What the device is like now, and how to keep what helped.
fn now(screen: &mut Screen, report: &AbReport, outcome: Outcome, typed: &Typed) {
    let name = &report.interface.name;
    if report.settings.restored != Some(true) {
        let what = report.settings.not_as_before.first().map_or("it could not be read again", String::as_str);
        screen.row("Now", &format!("NOT all is as it was before: {what}"));
        screen.command("Put back", if typed.sudo { "sudo vmnet restore" } else { "vmnet restore" });
        return;
    }
    let is_off = report.settings.commands.get(1).is_some_and(|commands| !commands.is_empty());
    if report.feature == "tso" && outcome == Outcome::Better && is_off {
        screen.row("Now", "settings are as before: TSO is off. To keep it on:");
        screen.command("", &typed.vmnet("fix", name, ""));
    } else {
        screen.row("Now", "settings are as before");
    }
}

/// Before the first run: how many there are, how long that takes, and what they can show.
#[must_use]
pub fn before(
    interface: &str,
    feature: &str,
    design: &Design,
    trial_s: Option<f64>,
    style: &Style,
) -> String {
    let runs = u64::from(design.blocks).saturating_mul(design.trials_per_block() as u64);
    let name = format::shortened(&format::printable(interface), 32);
    let what = if feature == "tso" {
        format!("TSO off and on at {name}")
    } else {
        format!("{} at {name}", feature_word(feature))
    };
    let time = match trial_s.filter(|seconds| seconds.is_finite() && *seconds > 0.0) {
        Some(seconds) if seconds * (runs as f64) < 60.0 => format!(", about {:.0} s", seconds * runs as f64),
        Some(seconds) => format!(", about {}", format::duration(seconds * runs as f64)),
        None => "; how long is known after the first".to_owned(),
    };
    let mut text = style.paragraph(
        "",
        &style.data(&format!("{what}: {}{time}. All is put back; Ctrl-C is safe.", plural(runs, "run"))),
    );
    text += &style.paragraph("", &least_seen(design.blocks));
    text
}

/// While it runs: `18/36   off 11.1   on 22.3   Gbit/s   2 min left`, the last figure of each arm.
#[must_use]
pub fn progress(trials: &[Trial], design: &Design, left_s: Option<f64>) -> String {
    let runs = u64::from(design.blocks).saturating_mul(design.trials_per_block() as u64);
    let mut line = format!("  {}/{runs} ", trials.len());
    let metric = MetricId::ThroughputGbps;
    let rate = |trial: &Trial| trial.figures.get(&metric).copied().filter(|value| value.is_finite());
    for (index, arm) in design.arms.iter().enumerate() {
        let last = trials.iter().rev().filter(|trial| trial.arm == index && trial.is_valid()).find_map(rate);
        let name =
            format::shortened(&format::printable(arm.name.strip_prefix("tso=").unwrap_or(&arm.name)), 14);
        line += &format!("  {name} {}", last.map_or_else(|| "–".to_owned(), |rate| in_unit(rate, "Gbit/s")));
    }
    let void = trials.iter().filter(|trial| !trial.is_valid()).count();
    if void > 0 {
        line += &format!("  {void} not counted");
    }
    if let Some(left) = left_s.filter(|left| left.is_finite() && *left >= 0.0) {
        line += &format!("  {} left", format::duration(left));
    }
    line
}
