//! The answer, then the staircase, then why, and what to do.

use super::{PathReport, StepReport};
use crate::model::path::{Side, State};
use crate::model::shell::{Place, quoted};
use crate::model::state::Confidence;
use crate::report::kit::format;
use crate::report::kit::style::{Style, Tone};
use crate::report::kit::typed::Typed;
use crate::report::run::why;

/// All that is said to a person, a newline at the end of each line.
#[must_use]
pub fn answer(report: &PathReport, style: &Style, typed: &Typed) -> String {
    let verdict = &report.verdict;
    let (tone, word) = answer_word(verdict.state);
    let first = format!("{}  ", style.paint(tone, word));
    let mut text = style
        .paragraph(&first, &style.data(&format!("{} ({})", verdict.summary, confidence(verdict.confidence))));
    text += &staircase(report, style);
    let culprit = verdict.step.and_then(|step| report.steps.get(step));
    if let Some(step) = culprit {
        text += &style.section("WHY", &why::why(&step.causes));
        let mut fixes = fixes(step);
        if let Some(machine) = step.namespace.machine.as_ref().filter(|_| !fixes.is_empty()) {
            fixes.insert(0, format!("on {machine}:"));
        }
        text += &style.verbatim("FIX", &fixes);
        let below = step.offload_below.as_ref();
        // What would follow, or where else it could be done.
        let head = if below.is_some_and(|below| below.state.active()) { "THEN" } else { "OR" };
        text += &style.section(head, below.map(|below| below.text.clone()).as_slice());
        text += &style.verbatim("", below.map_or(&[], |below| &below.commands));
        text += &style.section("COST", price(step).as_slice());
    }
    text += &style.section("SENT", sent(report).as_slice());
    text += &style.verbatim("TRY", &to_try(report, typed));
    text += &style.section("ALSO", &also(report));
    text += &style.section("NOTE", &notes(report));
    text
}

/// What was sent on purpose.
pub(super) fn sent(report: &PathReport) -> Option<String> {
    let probe = report.probe.as_ref()?;
    let failed = match (&probe.error, probe.failed) {
        (Some(error), failed) => {
            format!("; {} could not send: {error}", format::plural(failed, "connection"))
        }
        _ => String::new(),
    };
    Some(format!(
        "{} of TCP by {} to {} port {}{failed}",
        format::bytes(probe.sent_bytes),
        format::plural(probe.connections, "connection"),
        probe.destination,
        probe.port
    ))
}

/// What gives an answer where nothing passed: lines to paste.
pub(super) fn to_try(report: &PathReport, typed: &Typed) -> Vec<String> {
    let is_open = report.verdict.state == State::Unknown && report.verdict.step.is_none();
    let machine = report.steps.iter().any(|step| step.namespace.machine.is_some());
    if !is_open || machine || report.command.is_some() {
        return Vec::new();
    }
    match &report.destination {
        // It was tried, and did not arrive at the first device: that is no want of traffic.
        Some(_) if report.probe.is_some() => Vec::new(),
        Some(to) => vec![
            format!("{}   (sends 1.6 MB to its discard port)", typed.vmnet("path", to, "--probe")),
            typed.vmnet("path", to, &format!("-- iperf3 -c {} -t 5", quoted(to))),
        ],
        None => {
            let first = report.steps.first().map_or("IFACE", |step| step.interface.name.as_str());
            vec![typed.with_benchmark("path", first), typed.vmnet("path", "PEER", "--probe")]
        }
    }
}

/// The answer in a word.
pub(super) const fn answer_word(state: State) -> (Tone, &'static str) {
    match state {
        State::Whole => (Tone::Good, "WHOLE"),
        State::Segmented => (Tone::Bad, "SEGMENTED"),
        State::Partial => (Tone::Bad, "PARTLY SEGMENTED"),
        State::Singles => (Tone::Unsure, "SINGLES"),
        State::Unknown => (Tone::Unsure, "NOT KNOWN"),
    }
}

/// A device, with its namespace where there are several.
pub(super) fn called(report: &PathReport, step: &StepReport) -> String {
    let first = report.steps.first().map(|first| &first.namespace);
    if report.steps.iter().all(|one| Some(&one.namespace) == first) {
        step.interface.name.clone()
    } else {
        format!("{} ({})", step.interface.name, step.namespace.called())
    }
}

/// What a device does, in a few words.
pub(super) fn here(step: &StepReport) -> String {
    word(step).1
}

pub(super) const fn confidence(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Weak => "weak",
        Confidence::Supported => "supported",
        Confidence::Proven => "proven",
    }
}

/// Columns of a narrow terminal.
const NARROW: usize = 80;
/// Blanks between columns, a size, and the longest word of [`word`].
const BESIDE: usize = 2 * 5 + 8 + 22;

/// One line a device, no longer than [`NARROW`].
fn staircase(report: &PathReport, style: &Style) -> String {
    let namespaces: Vec<String> =
        report.steps.iter().map(|step| style.data(&step.namespace.called())).collect();
    let devices: Vec<String> = report.steps.iter().map(|step| indented(report, step, style)).collect();
    let kinds: Vec<String> = report.steps.iter().map(|step| style.data(&step.kind)).collect();
    let width = |words: &[String], head: &str, most: usize| {
        words
            .iter()
            .map(|word| textwrap::core::display_width(word))
            .max()
            .unwrap_or(0)
            .max(head.len())
            .min(most)
    };
    let [device, kind] = [width(&devices, "device", 17), width(&kinds, "kind", 11)];
    let namespace = width(&namespaces, "namespace", NARROW - BESIDE - device - kind);
    let mut text = format!(
        "  {:<namespace$}  {:<device$}  {:<kind$}  {:>8}  {}\n",
        "namespace", "device", "kind", "packets", "here"
    );
    for (((step, name), called), of) in report.steps.iter().zip(&namespaces).zip(&devices).zip(&kinds) {
        let size = step.mean_bytes_in.map_or_else(|| "–".to_owned(), format::mean_bytes);
        let (tone, word) = word(step);
        let line = format!(
            "  {}  {}  {}  {:>8}  {}",
            padded(&end_of(name, namespace), namespace),
            padded(called, device),
            padded(&format::shortened(of, kind), kind),
            size,
            style.paint(tone, &word)
        );
        let line = if style.plain { line.replace('├', "+") } else { line };
        text += style.typeset(&line).trim_end();
        text.push('\n');
    }
    text
}

/// Names of namespaces differ at their end.
fn end_of(name: &str, width: usize) -> String {
    let length = name.chars().count();
    if length <= width {
        return name.to_owned();
    }
    let end: String = name.chars().skip(length + 1 - width.max(1)).collect();
    format!("…{end}")
}

fn padded(text: &str, width: usize) -> String {
    let blanks = width.saturating_sub(textwrap::core::display_width(text));
    format!("{text}{}", " ".repeat(blanks))
}

/// Where packets part, what goes another way stands further in.
fn indented(report: &PathReport, step: &StepReport, style: &Style) -> String {
    let name = style.data(&step.interface.name);
    let is_branch = |one: &crate::model::path::Branch| {
        one.steps.iter().any(|index| report.steps.get(*index).is_some_and(|of| std::ptr::eq(of, step)))
    };
    if report.branches.iter().any(is_branch) { format!("├ {name}") } else { name }
}

fn word(step: &StepReport) -> (Tone, String) {
    let merged = step.merged_before.filter(|merged| *merged != 0).is_some();
    let made = step.segmented_before.filter(|made| *made != 0).is_some();
    let before = if merged {
        "merged, "
    } else if made {
        "segmented before, "
    } else {
        ""
    };
    let passed = step.queued.is_none_or(|queued| queued.super_packets + queued.singles != 0);
    let (tone, word) = match (step.side, step.state) {
        (Side::Receive, State::Whole) => (Tone::Good, "comes in whole".to_owned()),
        (Side::Receive, State::Singles) => (Tone::Unsure, "comes in as singles".to_owned()),
        (Side::Receive, _) => (Tone::Unsure, "–".to_owned()),
        (_, State::Whole) => (Tone::Good, "whole".to_owned()),
        (_, State::Segmented) if merged => (Tone::Bad, "SEGMENTED".to_owned()),
        (_, State::Segmented) => {
            let into = step
                .mean_bytes_out
                .map_or_else(String::new, |size| format!(" → {}", format::mean_bytes(size)));
            (Tone::Bad, format!("SEGMENTED{into}"))
        }
        (_, State::Partial) => {
            let share =
                step.segmented_share.map_or_else(String::new, |share| format!("{} ", format::percent(share)));
            (Tone::Bad, format!("{share}SEGMENTED"))
        }
        (_, State::Singles) if made => (Tone::Unsure, String::new()),
        (_, State::Singles) => (Tone::Unsure, "singles".to_owned()),
        (_, State::Unknown) if !passed => (Tone::Unsure, "nothing passed".to_owned()),
        (_, State::Unknown) => (Tone::Unsure, "not known".to_owned()),
    };
    (tone, format!("{before}{word}").trim_end_matches([' ', ',']).to_owned())
}

pub(super) fn fixes(step: &StepReport) -> Vec<String> {
    let place = Place { interface: &step.interface.name, netns: step.namespace.netns.as_deref() };
    why::mend(place, &step.causes)
}

/// What segmentation takes of the CPUs, where it can be timed.
pub(super) fn price(step: &StepReport) -> Option<String> {
    let ns = step.ns_per_byte.as_ref().ok()?;
    Some(format!("segmentation takes {} for {}", format::ns_per_byte(*ns), step.interface.name))
}

/// What other devices on the way do, with what to do about it in a word.
pub(super) fn also(report: &PathReport) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, step) in report.steps.iter().enumerate() {
        let segments = matches!(step.state, State::Segmented | State::Partial);
        if Some(index) != report.verdict.step && segments && step.side == Side::Transmit {
            let why = step.causes.first().map_or_else(String::new, |cause| format!(": {}", cause.title));
            lines.push(format!("{} segments too{why}", called(report, step)));
        }
        lines.extend(step.limits.iter().map(|limit| limit.text.clone()));
        if let Ok(dropped) = step.dropped.as_ref()
            && is_worth_a_line(*dropped, step)
            && step.side == Side::Transmit
        {
            lines.push(format!("{} dropped {}", called(report, step), format::plural(*dropped, "packet")));
        }
    }
    lines
}

/// A device drops what has no place to go, such as a neighbour's question: more than that, and a good part of what passed.
fn is_worth_a_line(dropped: u64, step: &StepReport) -> bool {
    const STRAYS: u64 = 8;
    let passed = step.queued.map_or(0, |queued| {
        queued.super_packets.saturating_add(queued.singles).saturating_add(queued.others_packets)
    });
    dropped > STRAYS && dropped.saturating_mul(1000) >= passed
}

pub(super) fn notes(report: &PathReport) -> Vec<String> {
    let mut lines = report.notes.clone();
    for step in &report.steps {
        if let Some(audit) = step.audit.filter(|audit| !audit.ok) {
            let unit = match audit.unit {
                crate::model::path::Unit::Packets => "packets",
                crate::model::path::Unit::Segments => "wire segments",
            };
            let came = if step.side == Side::Receive { "came in" } else { "were queued" };
            lines.push(format!(
                "{}: {} {unit} {came}, and the device before sent {} (slack {})",
                called(report, step),
                format::exact(audit.right),
                format::exact(audit.left),
                format::exact(audit.slack)
            ));
        }
    }
    if !report.left_out.is_empty() {
        let names: Vec<&str> = report.left_out.iter().map(|one| one.name.as_str()).collect();
        lines.push(format!("watched as well, and nothing passed: {}", names.join(", ")));
    }
    lines
}
