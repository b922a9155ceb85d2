//! The answer for people: interface by interface, the first in full.

use super::{ExplainReport, Explained, Symptom};
use crate::model::cause::CauseId;
use crate::model::chain::{LinkState, first_broken};
use crate::model::glossary::Word;
use crate::model::shell::{Place, quoted};
use crate::model::state::{Confidence, State};
use crate::report::doctor::mark;
use crate::report::kit::format;
use crate::report::kit::style::{Style, Tone};
use crate::report::run::why;

/// Interfaces told in full; the others in a line.
const TOLD: usize = 3;
/// Odd lines of an interface.
const LINES: usize = 12;

/// Everything.
#[must_use]
pub fn answer(report: &ExplainReport, style: &Style) -> String {
    let mut text = String::new();
    let is_alone = report.interfaces.len() == 1;
    let (mut full, mut short) = (Vec::new(), Vec::new());
    for interface in &report.interfaces {
        let is_told = full.len() < TOLD && (is_alone || !interface.chain.is_empty());
        if is_told {
            full.push(in_full(interface, style));
        } else if !interface.machine.device.loopback {
            short.push(headline(interface, style));
        }
    }
    text += &full.join("\n");
    if !short.is_empty() {
        text += &style.paragraph("", "\nalso, with less known of them:");
        text += &short.concat();
    }
    for line in &report.lines {
        text += &style.paragraph("      ", &style.data(&format!("{}: {}", line.line, line.means)));
    }
    for found in &report.symptoms {
        text += &symptom(found, style);
    }
    for problem in &report.not_read {
        text += &style.paragraph("not read: ", &style.data(problem));
    }
    text
}

fn headline(interface: &Explained, style: &Style) -> String {
    let device = &interface.machine.device;
    let is_broken = first_broken(&interface.chain).is_some_and(|link| link.state == LinkState::Broken);
    let (word, tone) = match interface.state {
        // No counter tells, and it cannot be happening all the same.
        State::Inconclusive if is_broken => ("NO", Tone::Bad),
        State::Engaged => ("ENGAGED", Tone::Good),
        State::Software => ("SOFTWARE", Tone::Bad),
        State::Partial => ("PARTIAL", Tone::Unsure),
        State::NotBuilt => ("NOT BUILT", Tone::Unsure),
        State::NothingToOffload => ("NOTHING TO OFFLOAD", Tone::Unsure),
        State::Inconclusive => ("NOT KNOWN", Tone::Unsure),
    };
    let confidence = match (interface.state, interface.confidence) {
        (State::Inconclusive, _) => "",
        (_, Confidence::Weak) => " (weak)",
        (_, Confidence::Supported | Confidence::Proven) => " (supported)",
    };
    let made = device.driver.as_deref().or(device.kind.as_deref());
    let about = made.map(|made| format!(", {made}")).unwrap_or_default();
    let first = format!("{}{}  ", style.data(&device.name), style.data(&about));
    style.paragraph(
        &first,
        &format!("{}{confidence}  {}", style.paint(tone, word), style.data(&interface.summary)),
    )
}

fn in_full(interface: &Explained, style: &Style) -> String {
    let mut text = headline(interface, style);
    let name = &interface.machine.device.name;
    let mut basis = vec![interface.basis.clone()];
    basis.extend(interface.counted.map(|counted| {
        let (packets, bytes) = (format::exact(counted.tx_packets), format::bytes(counted.tx_bytes));
        let segments = counted
            .qdisc_segments
            .map(|segments| format!(", {} segments by its qdisc", format::exact(segments)));
        format!("{bytes} in {packets} packets{}", segments.unwrap_or_default())
    }));
    text += &style.section("FROM", &basis);
    text += &style.section("CHAIN", &chain(interface));
    text += &style.section("WHY", &why::why(&interface.causes));
    text += &style.verbatim("FIX", &why::mend(Place { interface: name, netns: None }, &interface.causes));
    let lines: Vec<String> = interface
        .lines
        .iter()
        .take(LINES)
        .flat_map(|line| [line.line.clone(), format!("    {}", line.means)])
        .collect();
    text += &style.section("LINES", &lines);
    let mut ask =
        vec![format!("sudo vmnet check {}   (on that machine: a proof, in a second)", quoted(name))];
    if !interface.ask.is_empty() {
        ask.push(format!("or give me also: {}", interface.ask.join("; ")));
    }
    text + &style.verbatim("NEXT", &ask)
}

/// In a line or two: where it breaks, and what shows it.
fn chain(interface: &Explained) -> Vec<String> {
    let links = interface.chain.iter().filter(|link| link.state != LinkState::NotApplicable);
    let row: Vec<String> = links.map(|link| format!("{} {}", link.link.word(), mark(link.state).0)).collect();
    if row.is_empty() {
        return Vec::new();
    }
    let broken = first_broken(&interface.chain);
    let shown = broken.map(|link| format!("breaks first at {}: {}", link.link.word(), link.evidence));
    std::iter::once(row.join(" → ")).chain(shown).collect()
}

/// A string that people paste.
#[must_use]
pub fn symptom(found: &Symptom, style: &Style) -> String {
    let mut text = format!("{}\n", style.paint(Tone::Heading, &style.data(&found.pasted)));
    text += &style.paragraph("    ", &style.data(&found.means));
    text + &format!("    {}\n", style.data(&found.command))
}

/// A word of the glossary.
#[must_use]
pub fn word(word: &Word, style: &Style) -> String {
    let name = word.names.first().copied().unwrap_or_default();
    let mut text = style.paragraph(&format!("{}  ", style.paint(Tone::Heading, name)), word.means);
    let others: Vec<&str> = word.names.iter().skip(1).copied().collect();
    if !others.is_empty() {
        text += &style.paragraph("  also: ", &others.join(", "));
    }
    text
}

/// A cause.
#[must_use]
pub fn cause(id: CauseId, style: &Style) -> String {
    style.paragraph(&format!("{}  ", style.paint(Tone::Heading, id.name())), id.meaning())
}
