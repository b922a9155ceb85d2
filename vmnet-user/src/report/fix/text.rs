//! What a fix says to a person: the answer, each change as the kernel left it, and the way back.

use super::schema::{FixReport, NOT_PROVEN, RestoreReport, Restored};
use crate::model::fix::Change;
use crate::model::shell::Place;
use crate::report::kit::style::{Style, Tone};
use crate::report::run::why;

/// All of a fix, a newline at the end of each line.
#[must_use]
pub fn fix(report: &FixReport, style: &Style) -> String {
    let (tone, word, sentence) = headline(report);
    let mut text = style.paragraph(&format!("{}  ", style.paint(tone, word)), &style.data(&sentence));
    text += &changes(&report.changes, style);
    for followed in &report.followed {
        let line = format!("{}: {} → {} followed", followed.what, followed.before, followed.after);
        text += &style.paragraph("    ", &style.data(&line));
    }
    for line in &report.not_as_before {
        text += &style.paragraph("  ✗ ", &style.data(line));
    }
    text += &style.section("NOTE", &remarks(&report.changes));
    text += &style.section("PROOF", &proof(report));
    text += &style.section("FILES", &files(report));
    text += &style.section("WHY", &why::why(&report.beyond));
    text += &style.verbatim(
        "FIX",
        &why::mend(Place { interface: &report.interface.name, netns: None }, &report.beyond),
    );
    if report.dry_run {
        text += &style.verbatim("DO", &report.commands);
    }
    if !report.undone
        && let Some(journal) = &report.journal
    {
        text += &style.section(
            "UNDO",
            &[format!("vmnet fix {} --undo (journal: {})", report.interface.name, journal.display())],
        );
    } else if !report.files.is_empty() && !report.undone && !report.dry_run {
        text += &style.section("UNDO", &[format!("vmnet fix {} --undo", report.interface.name)]);
    } else if let Some(journal) = report.journal.as_ref().filter(|_| !report.dry_run) {
        text += &style.section("NEXT", &[format!("the journal is kept: {}", journal.display())]);
    }
    text
}

/// What the driver gets now.
pub(super) fn proof(report: &FixReport) -> Vec<String> {
    match &report.proof {
        Ok(proof) => vec![proof.summary.clone()],
        Err(why) if *why == NOT_PROVEN => Vec::new(),
        Err(why) => vec![format!("none: {why}")],
    }
}

/// What is kept for the next boot, or would be.
fn files(report: &FixReport) -> Vec<String> {
    let mut lines = Vec::new();
    for file in &report.files {
        let verb = match (report.dry_run, report.undone) {
            (true, _) => "would be written: ",
            (false, true) => "put back: ",
            (false, false) => "written: ",
        };
        let note = if file.note.is_empty() { String::new() } else { format!(" ({})", file.note) };
        lines.push(format!("{verb}{}{note}", file.path.display()));
        if report.dry_run {
            lines.extend(file.diff.lines().map(|line| format!("  {line}")));
        }
        if !file.reload.is_empty() {
            lines.push(format!("  to have it read before the next boot: {}", file.reload.join(" ")));
        }
    }
    lines.extend(report.left_out.iter().map(|left_out| format!("not kept: {left_out}")));
    lines
}

pub(super) fn headline(report: &FixReport) -> (Tone, &'static str, String) {
    let name = &report.interface.name;
    let done = report.changes.iter().filter(|change| change.ok == Some(true)).count();
    let failed = report.changes.iter().filter(|change| change.ok == Some(false)).count();
    if report.dry_run {
        let planned = report.changes.len() - failed;
        return match planned {
            0 if report.ok() && !report.files.is_empty() => (
                Tone::Unsure,
                "DRY RUN",
                format!("{name} is as it should be, and would be kept so; nothing was changed"),
            ),
            0 if report.ok() => (Tone::Good, "NOTHING TO DO", format!("{name} is as it should be")),
            0 => (Tone::Bad, "CANNOT FIX", format!("nothing inside this machine can help {name}")),
            _ => (
                Tone::Unsure,
                "DRY RUN",
                format!("{} on {name} would be changed; nothing was", things(planned)),
            ),
        };
    }
    if report.undone {
        return if report.ok() {
            (Tone::Good, "PUT BACK", format!("{name} is as it was before the fix, bit by bit"))
        } else {
            (Tone::Bad, "NOT ALL PUT BACK", format!("{name} is not in all as it was before the fix"))
        };
    }
    if report.interrupted {
        return (
            Tone::Unsure,
            "INTERRUPTED",
            format!("{} of {} on {name} were changed", done, done + failed),
        );
    }
    match (done, failed) {
        (0, 0) if report.tso_is_beyond() => (
            Tone::Bad,
            "CANNOT FIX",
            format!("nothing inside this machine can help {name}; nothing was changed{}", kept(report)),
        ),
        (0, 0) if report.proof_fails() => (
            Tone::Bad,
            "NOT MENDED",
            format!("nothing was found to change on {name}, and its driver gets segments"),
        ),
        (0, 0) if !report.files.is_empty() => {
            (Tone::Good, "KEPT", format!("{name} is as it should be, and will be after the next boot"))
        }
        (0, 0) => (Tone::Good, "NOTHING TO DO", format!("{name} is as it should be; nothing was changed")),
        (0, _) => (Tone::Bad, "NOT MENDED", format!("nothing was changed on {name}")),
        // What is beyond is said below, with who can fix it.
        _ if report.proof_fails() && !report.tso_is_beyond() => {
            (Tone::Bad, "NOT MENDED", format!("{name} was changed, and its driver still gets segments"))
        }
        (_, 0) if !report.tso_is_beyond() => {
            (Tone::Good, "CHANGED", format!("{} on {name}, read back from the kernel", things(done)))
        }
        _ => (Tone::Bad, "PARTLY CHANGED", format!("{} on {name}, and not all that is wanted", things(done))),
    }
}

/// What was done for the next boot, where nothing was for this one.
fn kept(report: &FixReport) -> &'static str {
    if report.files.is_empty() { "" } else { " but files for the next boot" }
}

fn things(count: usize) -> String {
    if count == 1 { "1 thing".to_owned() } else { format!("{count} things") }
}

fn changes(changes: &[Change], style: &Style) -> String {
    let mut text = String::new();
    for change in changes {
        let mark = match change.ok {
            Some(true) => "  ✓ ",
            Some(false) => "  ✗ ",
            None => "    ",
        };
        let mut line = from_to(change);
        if change.ok != Some(true)
            && let Some(note) = &change.note
        {
            line += "; ";
            line += note;
        }
        text += &style.paragraph(mark, &style.data(&line));
    }
    text
}

/// `ens4 tx-tcp-segmentation: off → on`, as the kernel left it.
pub(super) fn from_to(change: &Change) -> String {
    let to = match (&change.after, change.ok) {
        (Some(after), Some(true)) => after.clone(),
        (Some(after), _) => format!("{after} (wanted: {})", change.requested),
        (None, _) => change.requested.clone(),
    };
    format!("{} {}: {} → {to}", change.interface, change.what, change.before)
}

/// What to know about changes that were made, each remark once.
fn remarks(changes: &[Change]) -> Vec<String> {
    let mut remarks: Vec<String> = Vec::new();
    for note in
        changes.iter().filter(|change| change.ok == Some(true)).filter_map(|change| change.note.as_ref())
    {
        if !remarks.contains(note) {
            remarks.push(note.clone());
        }
    }
    remarks
}

/// All of a restore.
#[must_use]
pub fn restore(report: &RestoreReport, style: &Style) -> String {
    if report.devices.is_empty() {
        let line = format!("no journal is left in {}", report.directory.display());
        return style
            .paragraph(&format!("{}  ", style.paint(Tone::Good, "NOTHING TO DO")), &style.data(&line));
    }
    let mut text: String = report.devices.iter().map(|device| restored(device, style)).collect();
    if !report.fixes_kept.is_empty() {
        let kept: Vec<String> = report.fixes_kept.iter().map(|path| path.display().to_string()).collect();
        let line = format!(
            "what fixes changed is left as it is ({}): `vmnet fix IFACE --undo` puts back one, another `vmnet restore` all of them",
            kept.join(", ")
        );
        text += &style.paragraph(&style.paint(Tone::Heading, "KEPT  "), &style.data(&line));
    }
    text
}

fn restored(device: &Restored, style: &Style) -> String {
    let name = device.interface.as_ref().map_or_else(
        || device.journal.display().to_string(),
        |interface| format!("{} (index {})", interface.name, interface.ifindex),
    );
    let (tone, word, sentence) = match (&device.problem, &device.note) {
        (Some(problem), _) => (Tone::Bad, "NOT PUT BACK", format!("{name}: {problem}")),
        (None, Some(note)) => (Tone::Unsure, "DROPPED", format!("{name}: {note}")),
        (None, None) => (Tone::Good, "PUT BACK", format!("{name} is as it was, bit by bit")),
    };
    let mut text = style.paragraph(&format!("{}  ", style.paint(tone, word)), &style.data(&sentence));
    text += &changes(&device.changes, style);
    for line in &device.not_as_before {
        text += &style.paragraph("  ✗ ", &style.data(line));
    }
    if !device.removed {
        let line = format!(
            "the journal is kept: {}; `vmnet restore --forget` removes it where nothing is to be put back any more",
            device.journal.display()
        );
        text += &style.paragraph(&style.paint(Tone::Heading, "NEXT  "), &style.data(&line));
    }
    text
}
