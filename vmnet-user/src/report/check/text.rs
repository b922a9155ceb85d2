//! The answer, then type by type, then what was sent.

use std::collections::BTreeMap;

use super::{CheckReport, TypeReport, TypeState};
use crate::model::checked::State;
use crate::model::interface::Interface;
use crate::report::kit::format;
use crate::report::kit::style::{Style, Tone};
use crate::report::run::why;

/// All that a check says to a person, a newline at the end of each line.
#[must_use]
pub fn answer(report: &CheckReport, style: &Style) -> String {
    let mut text = introduction(&report.interface, style);
    let first = format!("{}  ", style.paint(tone(report.state), state_word(report.state)));
    text += &style.paragraph(&first, &style.data(&report.summary));
    text += &table(report, style);
    let causes = report.causes.as_deref().unwrap_or_default();
    text += &style.section("WHY", &[reasons(report, true), why::why(causes)].concat());
    text += &style.verbatim("FIX", &why::mend(report.interface.place(), causes));
    text += &style.section("UDP", std::slice::from_ref(&report.udp.summary));
    text += &style.section("COST", cost(report).as_slice());
    text += &style.section("SENT", &[sent(report)]);
    text += &style.section("NOTE", &[reasons(report, false), report.notes.clone()].concat());
    text += &style.section("NEXT", next(report).as_slice());
    text
}

/// The state in one word.
#[must_use]
pub fn state_word(state: State) -> &'static str {
    match state {
        State::Engaged => "ENGAGED",
        State::Software => "SOFTWARE",
        State::Partial => "PARTIAL",
        State::NotBuilt => "NOT BUILT",
        State::Inconclusive => "INCONCLUSIVE",
    }
}

fn tone(state: State) -> Tone {
    match state {
        State::Engaged => Tone::Good,
        State::Software | State::NotBuilt => Tone::Bad,
        State::Partial | State::Inconclusive => Tone::Unsure,
    }
}

fn introduction(interface: &Interface, style: &Style) -> String {
    let mut facts = Vec::new();
    facts.extend(interface.driver.clone());
    match interface.queues {
        Some(1) => facts.push("1 queue".to_owned()),
        Some(queues) => facts.push(format!("{queues} queues")),
        None => {}
    }
    facts.extend(interface.qdisc.clone());
    facts.push(format!("MTU {}", interface.mtu));
    facts.push(format!("kernel {}", interface.kernel));
    let first = format!("{}  ", style.paint(Tone::Heading, &style.data(&interface.name)));
    style.paragraph(&first, &style.data(&facts.join(", ")))
}

/// One column: its head, and what a type says there.
struct Column {
    head: &'static str,
    width: usize,
    value: fn(&TypeReport) -> String,
}

const COLUMNS: &[Column] = &[
    Column { head: "size", width: 9, value: |one| format::bytes(one.bytes_per_packet) },
    Column {
        head: "sent",
        width: 5,
        value: |one| match one.sent_and_got() {
            (0, _) => unknown(),
            (sent, _) => format::count(sent),
        },
    },
    Column {
        head: "driver got",
        width: 11,
        value: |one| one.sent_and_got().1.map_or_else(unknown, format::count),
    },
    Column {
        head: "each costs",
        width: 11,
        value: |one| {
            one.ns_per_super_packet.map_or_else(unknown, |ns| format!("{} µs", format::significant(ns / 1e3)))
        },
    },
    Column {
        head: "ns/byte",
        width: 8,
        value: |one| one.ns_per_byte.map_or_else(unknown, format::significant),
    },
];

fn unknown() -> String {
    "–".to_owned()
}

/// Not wrapped: it is no wider than 80 columns.
fn table(report: &CheckReport, style: &Style) -> String {
    let mut text = format!("  {:<10}", "type");
    for column in COLUMNS {
        text += &format!("{:>width$}", column.head, width = column.width);
    }
    text += "\n";
    for one in &report.types {
        let mut line = format!("  {:<10}", one.kind.name());
        for column in COLUMNS {
            line += &format!("{:>width$}", (column.value)(one), width = column.width);
        }
        let (tone, word) = match one.state {
            TypeState::Whole => (Tone::Good, "✓ whole"),
            TypeState::Cut => (Tone::Bad, "✗ segmented"),
            TypeState::Refused => (Tone::Unsure, "not taken"),
            TypeState::Inconclusive => (Tone::Unsure, "? unclear"),
        };
        let word = if style.plain { word.trim_start_matches(['✓', '✗', ' ']) } else { word };
        line += &format!(
            "  {}",
            style.paint(if one.offered == Some(false) && !one.counts { Tone::Unsure } else { tone }, word)
        );
        line += remark(one, &report.interface.name);
        text += &style.typeset(line.trim_end()).replace('µ', if style.plain { "u" } else { "µ" });
        text.push('\n');
    }
    text
}

/// Where a type was segmented if not here, or why that takes nothing from an answer that is all good.
fn remark(one: &TypeReport, interface: &str) -> &'static str {
    match one.state {
        TypeState::Cut if one.cut_at.as_deref().is_some_and(|at| at != interface) => " (below)",
        TypeState::Cut if one.offered == Some(false) && one.switched_off == Some(true) => " (switched off)",
        TypeState::Cut if one.offered == Some(false) && !one.counts => " (not offered)",
        _ => "",
    }
}

/// Each reason once, with the types that it is about: those that count for the answer, or the others.
fn reasons(report: &CheckReport, counting: bool) -> Vec<String> {
    let mut types_by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for one in report.types.iter().filter(|one| one.counts == counting) {
        if let Some(reason) = &one.reason {
            types_by_reason.entry(reason).or_default().push(one.kind.name());
        }
    }
    types_by_reason.into_iter().map(|(reason, types)| format!("{}: {reason}", types.join(", "))).collect()
}

fn cost(report: &CheckReport) -> Option<String> {
    let cost = report.cost.as_ref()?;
    Some(format!(
        "{} segmented costs the CPU {} times what {} costs whole: {} against {}, so segmentation takes {}",
        cost.cut.name(),
        format::significant(cost.ratio),
        cost.whole.name(),
        format::ns_per_byte(cost.cut_ns_per_byte),
        format::ns_per_byte(cost.whole_ns_per_byte),
        format::ns_per_byte(cost.segmentation_ns_per_byte),
    ))
}

fn sent(report: &CheckReport) -> String {
    let frames = &report.frames;
    let whom = if frames.source_mac == frames.destination_mac {
        format!("to {}'s own address {}", report.interface.name, frames.destination_mac)
    } else {
        format!("to {}, which is nobody", frames.destination_mac)
    };
    format!(
        "{} super-packets {whom}, {} → {} and {} → {}, TTL {}, in {:.2} s; nothing was changed",
        format::count(frames.sent),
        frames.source_ipv4,
        frames.destination_ipv4,
        frames.source_ipv6,
        frames.destination_ipv6,
        frames.ttl,
        report.duration_s
    )
}

fn next(report: &CheckReport) -> Option<String> {
    let typed = |subcommand| report.interface.place().vmnet(subcommand);
    match report.state {
        State::Software | State::Partial | State::NotBuilt => {
            Some(format!("{} shows the whole chain", typed("doctor")))
        }
        State::Inconclusive => Some(format!("{} judges by the traffic itself", typed("run"))),
        State::Engaged => None,
    }
}
