//! A fix on one screen: what came of it, each change, whether the driver bears it out, and the way back.

use super::schema::FixReport;
use super::text::{from_to, headline, proof};
use crate::model::fix::Change;
use crate::model::shell::inside;
use crate::report::kit::screen::Screen;
use crate::report::kit::style::Style;
use crate::report::kit::typed::Typed;
use crate::report::run::remedy;

/// Changes that are told; the others by `-v`.
const MOST_CHANGES: usize = 6;

/// The screen of a fix.
#[must_use]
pub fn screen(report: &FixReport, typed: &Typed, style: &Style) -> String {
    let (tone, word, sentence) = headline(report);
    let mut screen = Screen::new(style, tone, word, &sentence);
    screen.gap();
    for change in report.changes.iter().take(MOST_CHANGES) {
        screen.row(mark(change), &told(change));
    }
    if let Some(more) = report.changes.len().checked_sub(MOST_CHANGES).filter(|more| *more > 0) {
        screen.row("", &format!("{more} more: -v"));
    }
    for line in report.not_as_before.iter().take(MOST_CHANGES) {
        screen.row("✗", line);
    }
    let name = &report.interface.name;
    for line in proof(report) {
        screen.row("Proof", &line);
    }
    if report.dry_run {
        for (index, command) in report.commands.iter().enumerate().take(MOST_CHANGES) {
            let command = inside(typed.netns.as_deref(), command);
            screen.command(if index == 0 { "Same as" } else { "" }, &command);
        }
    }
    match report.files.as_slice() {
        [] => {}
        [file] if report.undone => screen.command("File", &format!("{}   put back", file.path.display())),
        [file] => screen.command("File", &format!("{}   what is in it: -v", file.path.display())),
        [file, rest @ ..] => {
            screen.command("Files", &format!("{} and {} more: -v", file.path.display(), rest.len()));
        }
    }
    for left_out in report.left_out.iter().take(2) {
        screen.row("Not kept", left_out);
    }
    remedy::rows(&mut screen, name, &report.beyond, typed);
    let can_be_undone = report.journal.is_some() || !report.files.is_empty();
    if report.dry_run && !report.undone && (!report.changes.is_empty() || !report.files.is_empty()) {
        screen.command("Do it", &typed.vmnet("fix", name, typed.keep.as_deref().unwrap_or_default()));
    } else if can_be_undone && !report.undone && !report.dry_run {
        screen.command("Undo", &typed.vmnet("fix", name, "--undo"));
        if typed.netns.is_some() {
            screen.row("Lasts", "until the device is recreated, by a boot or by what created it");
        } else if report.files.is_empty() {
            screen.row("Reboot", "it lasts until the next boot; --persist keeps it (vmnet fix --help)");
        }
    } else if let Some(journal) = report.journal.as_ref().filter(|_| report.undone && !report.dry_run) {
        screen.row("Journal", &format!("is kept: {}", journal.display()));
    }
    screen.finish()
}

fn mark(change: &Change) -> &'static str {
    match change.ok {
        Some(true) => "✓",
        Some(false) => "✗",
        None => "",
    }
}

fn told(change: &Change) -> String {
    let note = change.note.as_ref().filter(|_| change.ok == Some(false));
    from_to(change) + &note.map(|note| format!("; {note}")).unwrap_or_default()
}
