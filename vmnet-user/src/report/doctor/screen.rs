//! A diagnosis on one screen: whether TSO can happen, the chain in a line, where it breaks, and who can fix it.

use super::{DoctorReport, mark};
use crate::model::chain::{Link, LinkName, LinkState, first_broken};
use crate::model::checklist::{Item, ItemState};
use crate::report::kit::format;
use crate::report::kit::screen::Screen;
use crate::report::kit::style::{Style, Tone};
use crate::report::kit::typed::Typed;
use crate::report::run::remedy;

/// Things to look at that are told; the others by `-v`.
const MOST_WARNINGS: usize = 3;
/// What is longer is told by `-v`.
const LONGEST_WARNING: usize = 120;

/// The screen of a diagnosis.
#[must_use]
pub fn screen(report: &DoctorReport, typed: &Typed, style: &Style) -> String {
    let broken = first_broken(&report.chain);
    let was_asked = report.chain.last().map(|link| link.state) == Some(LinkState::Ok);
    let (tone, word) = match broken {
        Some(link) if link.state == LinkState::Broken => (Tone::Bad, "NO"),
        Some(_) => (Tone::Unsure, "PARTLY"),
        None if !report.causes.is_empty() => (Tone::Unsure, "PARTLY"),
        None if was_asked => (Tone::Good, "YES"),
        None => (Tone::Good, "IN ORDER"),
    };
    let mut screen = Screen::new(style, tone, word, &sentence(report, broken));
    screen.gap();
    let links: Vec<String> = report.chain.iter().map(|link| in_the_chain(link, broken)).collect();
    screen.row("Chain", &screen.style().typeset(&links.join(", ")));
    if let Some(link) = broken.filter(|_| report.causes.is_empty()) {
        screen.row("Broken", &format!("{}: {}", link.link.words(), link.evidence));
    }
    if let Some(link) = report.chain.last().filter(|link| link.state == LinkState::Unknown) {
        screen.row("Not known", &format!("{}: {}", link.link.words(), link.evidence));
    }
    let name = &report.interface.name;
    remedy::rows(&mut screen, name, &report.causes, typed);
    // What TSO depends on is in the chain.
    let beside = |item: &&Item| item.state == ItemState::Warn && !item.item.starts_with("TSO ");
    let warnings: Vec<_> = report.checklist.iter().filter(beside).collect();
    for (index, item) in warnings.iter().take(MOST_WARNINGS).enumerate() {
        let text = format::shortened(&format!("{}: {}", item.item, item.text), LONGEST_WARNING);
        screen.row(if index == 0 { "Look at" } else { "" }, &text);
    }
    for setter in report.machine.setters.iter().filter(|setter| setter.turns_off).take(2) {
        screen.row("Set by", &format!("{}:{}  {}", setter.path, setter.line, setter.text));
    }
    screen.line(&format!("  Nothing was changed. {} things were looked at: -v", report.checklist.len()));
    screen.finish()
}

fn sentence(report: &DoctorReport, broken: Option<&Link>) -> String {
    let name = format::shortened(&format::printable(&report.interface.name), 32);
    let Some(link) = broken else {
        return match report.chain.last().map(|link| link.state) {
            Some(LinkState::Ok) | None => report.summary.clone(),
            _ if report.causes.is_empty() => {
                format!("nothing stands in TSO's way on {name}, as far as can be read")
            }
            _ => report.summary.clone(),
        };
    };
    let is_not = match link.link {
        LinkName::Offered => "the host does not offer it",
        LinkName::Negotiated => "it was not negotiated with the host",
        LinkName::Hw => "its driver cannot switch it on",
        LinkName::Wanted => "it is switched off",
        LinkName::Active => "it is requested, and not active",
        LinkName::Allowed => "not every packet is allowed to use it",
        LinkName::Taken => "the driver gets segments all the same",
    };
    match link.state {
        LinkState::Partial => format!("TSO works on {name} for one family only; for the other, {is_not}"),
        _ => format!("TSO does not work on {name}: {is_not}"),
    }
}

fn in_the_chain(link: &Link, broken: Option<&Link>) -> String {
    let (mark, _) = mark(link.state);
    let here = if broken.is_some_and(|broken| broken.link == link.link) { " (breaks here)" } else { "" };
    format!("{mark} {}{here}", link.link.word())
}
