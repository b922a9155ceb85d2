//! A check on one screen: the answer, what became of TCP's super-packets, why, and what to do.

use super::{CheckReport, TypeReport, TypeState};
use crate::model::cause::experiment;
use crate::model::checked::{State, Type};
use crate::report::kit::format;
use crate::report::kit::screen::Screen;
use crate::report::kit::style::{Style, Tone};
use crate::report::kit::typed::Typed;
use crate::report::run::remedy;

/// The screen of a check.
#[must_use]
pub fn screen(report: &CheckReport, typed: &Typed, style: &Style) -> String {
    let (tone, word) = match report.state {
        State::Engaged => (Tone::Good, "YES"),
        State::Software | State::NotBuilt => (Tone::Bad, "NO"),
        State::Partial => (Tone::Unsure, "PARTLY"),
        State::Inconclusive => (Tone::Unsure, "NOT KNOWN"),
    };
    let mut screen = Screen::new(style, tone, word, &sentence(report));
    screen.gap();
    table(&mut screen, report);
    screen.gap();
    let name = &report.interface.name;
    if remedy::rows(&mut screen, name, report.causes.as_deref().unwrap_or_default(), typed) {
        screen.command("Undo", &typed.vmnet("fix", name, "--undo"));
    }
    if report.state == State::Inconclusive {
        let doubt = report.types.iter().filter(|one| one.counts).find_map(|one| one.reason.as_deref());
        screen.row("Not known", doubt.unwrap_or_default());
    }
    match report.state {
        State::Software | State::Partial | State::NotBuilt => {
            let causes = report.causes.as_deref().unwrap_or_default();
            let (tells, command) = match experiment(causes, name) {
                Some(options) => ("an experiment can, in minutes:", typed.experiment(name, &options)),
                None => {
                    ("a run shows what it costs:", typed.with_benchmark("run", below(report).unwrap_or(name)))
                }
            };
            screen.row("Is this why I am slow?", &format!("This test cannot tell; {tells}"));
            screen.command("", &command);
        }
        State::Engaged => screen.command("Slow anyway?", &typed.with_benchmark("run", name)),
        State::Inconclusive => screen.command("Next", &typed.with_benchmark("run", name)),
    }
    screen.row("", typed.placeholder());
    screen.line(&format!("  Nothing was changed. {:.2} s. {}", report.duration_s, rest(report)));
    screen.finish()
}

/// Short enough for one line of 80 columns with an ordinary name.
fn sentence(report: &CheckReport) -> String {
    let name = format::shortened(&format::printable(&report.interface.name), 32);
    match report.state {
        State::Engaged if report.interface.terminal => {
            format!("TSO works on {name}: the driver gets large TCP packets whole")
        }
        State::Engaged => format!("large TCP packets leave {name} whole"),
        State::Software => match below(report) {
            Some(at) => format!("TSO does not happen: {at}, below {name}, gets segments"),
            None => format!("TSO does not happen on {name}: the kernel segments large TCP packets"),
        },
        State::Partial => format!("TSO happens on {name} for a part of TCP only"),
        State::NotBuilt | State::Inconclusive => report.summary.clone(),
    }
}

/// The device below at which TCP was segmented, where it was not the interface itself.
fn below(report: &CheckReport) -> Option<&str> {
    let at = report.types.iter().find(|one| one.counts).and_then(|one| one.cut_at.as_deref());
    at.filter(|at| *at != report.interface.name)
}

/// Those that decide the answer; the others are told by `-v`.
fn table(screen: &mut Screen, report: &CheckReport) {
    screen.line(&format!("  {:<22}{:>8}{:>14}", "", "sent", "driver got"));
    for one in report.types.iter().filter(|one| one.counts) {
        let (sent, got) = one.sent_and_got();
        let got = got.map_or_else(|| "–".to_owned(), format::count);
        let (tone, became) = became(one);
        let became = screen.style().paint(tone, &screen.style().typeset(became));
        let line = format!("  {:<22}{:>8}{got:>14}   {became}", of(one.kind), format::count(sent));
        screen.line(&line);
    }
}

fn of(kind: Type) -> &'static str {
    match kind {
        Type::Tcp4 => "TCP over IPv4",
        Type::Tcp6 => "TCP over IPv6",
        Type::Tcp4Ecn => "TCP over IPv4, CWR",
        Type::Tcp6Ecn => "TCP over IPv6, CWR",
        Type::Udp4 => "UDP over IPv4",
        Type::Udp6 => "UDP over IPv6",
        Type::Tcp4Vlan => "TCP over IPv4, tagged",
        Type::Tcp4Max => "TCP over IPv4, longest",
    }
}

fn became(one: &TypeReport) -> (Tone, &'static str) {
    match one.state {
        TypeState::Whole => (Tone::Good, "✓ whole"),
        TypeState::Cut => (Tone::Bad, "✗ segmented"),
        TypeState::Refused => (Tone::Unsure, "refused by the kernel"),
        TypeState::Inconclusive => (Tone::Unsure, "? not known"),
    }
}

/// What is left out here.
fn rest(report: &CheckReport) -> String {
    match report.types.iter().filter(|one| !one.counts).count() {
        0 => "What it costs: -v".to_owned(),
        1 => "1 rarer packet type, and the cost: -v".to_owned(),
        several => format!("{several} rarer packet types, and the cost: -v"),
    }
}
