//! Two runs on one screen: what it comes to, both answers, the chief effects, and what differs in the machines.

use std::path::PathBuf;

use super::schema::{CompareReport, RunSummary};
use super::text::{differences, gist, told_briefly};
use crate::model::comparison::EffectId;
use crate::report::kit::format;
use crate::report::kit::screen::Screen;
use crate::report::kit::style::{Style, Tone};
use crate::report::run::screen::answer_word;
use crate::report::run::text::confidence_word;

/// Effects that are told; the others by `-v`.
const TOLD: [EffectId; 3] = [EffectId::Goodput, EffectId::WireRate, EffectId::CpuPerByte];
/// Differences of the machines likewise.
const MOST_DIFFERENCES: usize = 3;
/// A line that is longer is told by `-v`.
const LONGEST: usize = 85;

/// The screen of a comparison. `files` are where the reports went.
#[must_use]
pub fn screen(report: &CompareReport, files: &[PathBuf], style: &Style) -> String {
    let (a, b) = (&report.runs.a, &report.runs.b);
    let word = if a.state == b.state {
        format!("BOTH {}", answer_word(a.state))
    } else {
        format!("{} → {}", answer_word(a.state), answer_word(b.state))
    };
    let tone = if report.same_run { Tone::Unsure } else { Tone::Heading };
    let mut screen = Screen::new(style, tone, &style.typeset(&word), &gist(report));
    screen.gap();
    screen.row("A", &said(a));
    screen.row("B", &said(b));
    let known = TOLD
        .iter()
        .filter_map(|id| report.comparison.effect(*id))
        .filter(|effect| effect.change_percent.is_some());
    for effect in known {
        screen.row("B/A", &format::shortened(&told_briefly(effect), LONGEST));
    }
    let differences = differences(report);
    for (index, line) in differences.iter().take(MOST_DIFFERENCES).enumerate() {
        screen.row(if index == 0 { "Differ" } else { "" }, &format::shortened(line, LONGEST));
    }
    if let Some(more) = differences.len().checked_sub(MOST_DIFFERENCES).filter(|more| *more > 0) {
        screen.row("", &format!("{more} more: -v"));
    }
    screen.row("Note", "two runs are no experiment: vmnet ab shows what causes what");
    match files.first() {
        Some(page) => screen.command("Report", &format!("{}   details: -v", page.display())),
        None => screen.row("Report", "none was written; details: -v"),
    }
    screen.finish()
}

fn said(run: &RunSummary) -> String {
    let moment = format::shortened(&format::moment(&run.start), 40);
    let said = format!("{} ({})", run.sentence, confidence_word(run.confidence));
    format!("{said}; {moment}, {}", format::duration(run.duration_s))
}
