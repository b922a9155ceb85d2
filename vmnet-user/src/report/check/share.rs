//! One row of docs/tried.md, without addresses and names: what people can send in of a driver that nobody has tried.

use super::{CheckReport, TypeState};
use crate::model::checked::Type;

/// The head of that table.
pub const HEAD: &str = "| driver | kernel | machine | state | tcp4 | tcp6 | CWR | UDP | seen by | date |\n|---|---|---|---|---|---|---|---|---|---|";

/// `| e1000e | 6.1.0-50-amd64 | QEMU Standard PC (i440FX + PIIX, 1996) | engaged | whole | … |`. `machine` is what the firmware calls it, `date` as ISO 8601
/// writes it.
#[must_use]
pub fn row(report: &CheckReport, machine: &str, date: &str) -> String {
    let of = |kind: Type| {
        let one = report.types.iter().find(|one| one.kind == kind);
        one.map_or("–", |one| match one.state {
            TypeState::Whole => "whole",
            TypeState::Cut if one.switched_off == Some(true) => "segmented (off)",
            TypeState::Cut => "segmented",
            TypeState::Refused => "not taken",
            TypeState::Inconclusive => "not known",
        })
    };
    let is_tapped = report.types.iter().any(|one| one.tapped.is_some());
    let cells = [
        report.interface.driver.as_deref().unwrap_or("none"),
        &report.interface.kernel,
        machine,
        super::state_word(report.state),
        of(Type::Tcp4),
        of(Type::Tcp6),
        of(Type::Tcp4Ecn),
        of(Type::Udp4),
        if is_tapped { "tap" } else { "counters" },
        date,
    ];
    // What the firmware says of itself may hold anything.
    let cell =
        |text: &&str| text.chars().filter(|c| !c.is_control() && *c != '|').take(60).collect::<String>();
    format!("| {} |", cells.iter().map(cell).collect::<Vec<_>>().join(" | "))
}
