//! What a word, a pasted line, the output of commands or a sosreport means: on any machine, without root, without the machine that it is of.

mod archive;
mod counters;
mod gather;
mod lines;
mod machine;
mod paste;
mod symptoms;

use std::fs::File;
use std::io::Read;
use std::path::Path;

pub use self::gather::Bounds;
use self::gather::Gathered;
use self::paste::{Paste, Pasted, UNNAMED};
use crate::model::cause::{self, CauseId, Evidence};
use crate::model::chain::{self, Answers};
use crate::model::machine::Machine;
use crate::report::explain::{Counted, ExplainReport, Explained as OneInterface, Symptom};
use crate::report::kit::json::{Explained as _, JsonError};

/// Why the driver's link of the chain is not known.
const NOBODY_ASKED: &str = "nobody asked the driver: `sudo vmnet check` does, on the machine itself";
/// More texts than this are not looked through for symptoms.
const MOST_SYMPTOM_TEXTS: usize = 64;

/// A stream, such as standard input.
///
/// # Errors
/// When it cannot be read.
pub fn stream(from: impl Read, bounds: Bounds) -> std::io::Result<ExplainReport> {
    gather::stream(from, bounds).map(|gathered| of(&gathered))
}

/// A text or an archive, opened by whoever may: sosreports are root's.
///
/// # Errors
/// When it cannot be read.
pub fn file(name: &str, opened: File, bounds: Bounds) -> std::io::Result<ExplainReport> {
    gather::file(name, opened, bounds).map(|gathered| of(&gathered))
}

/// A directory of outputs, or an unpacked sosreport.
///
/// # Errors
/// When it cannot be read.
pub fn directory(path: &Path, bounds: Bounds) -> std::io::Result<ExplainReport> {
    gather::directory(path, bounds).map(|gathered| of(&gathered))
}

/// As it is written for programs.
///
/// # Errors
/// A number that is none.
pub fn to_json(report: &ExplainReport) -> Result<String, JsonError> {
    report.to_text()
}

/// The symptoms that a text has in it.
#[must_use]
pub fn symptoms(text: &str) -> Vec<Symptom> {
    symptoms::found(text, None)
}

fn of(gathered: &Gathered) -> ExplainReport {
    let mut paste = Paste::default();
    for text in &gathered.texts {
        paste.add(&text.text, interface_in(&text.name));
    }
    paste.settle();
    let mut interfaces: Vec<OneInterface> =
        paste.interfaces.iter().filter_map(|(name, pasted)| interface(name, pasted, &paste)).collect();
    // What is told first is what is most likely meant: no loopback, up, out of this machine, and the most traffic.
    interfaces.sort_by_key(|it| {
        let device = &it.machine.device;
        let bytes = it.counted.as_ref().map_or(0, |counted| counted.tx_bytes);
        std::cmp::Reverse((!device.loopback, device.features.is_ok(), device.up, device.terminal, bytes))
    });
    let only = match interfaces.as_slice() {
        [one] if one.machine.device.name != UNNAMED => Some(one.machine.device.name.clone()),
        _ => None,
    };
    let mut symptoms: Vec<Symptom> = Vec::new();
    for text in gathered.texts.iter().take(MOST_SYMPTOM_TEXTS) {
        for symptom in symptoms::found(&text.text, only.as_deref()) {
            if !symptoms.iter().any(|known| known.pasted == symptom.pasted) {
                symptoms.push(symptom);
            }
        }
    }
    // Features say it line by line, and better.
    let has_features = interfaces.iter().any(|it| it.machine.device.features.is_ok());
    symptoms.retain(|symptom| !has_features || !symptom.pasted.contains("-offload: "));
    ExplainReport::new(interfaces, lines::of_machine(&paste), symptoms, gathered.problems.clone())
}

/// `ethtool_-S_ens4`, as sos names it; `tc_-s_qdisc_show_dev_ens4`; with blanks, and `.txt` at the end.
fn interface_in(file: &str) -> Option<&str> {
    let file = file.strip_suffix(".txt").unwrap_or(file);
    let of_a_device = file.split_once("_dev_").or_else(|| file.split_once(" dev "));
    // An option in between: `-S`, `-k`.
    let of_ethtool = || file.strip_prefix("ethtool")?.trim_start_matches(['_', ' ']).split_once(['_', ' ']);
    let (_, name) = of_a_device.or_else(of_ethtool)?;
    Some(name).filter(|name| !name.is_empty())
}

fn interface(name: &str, pasted: &Pasted, paste: &Paste) -> Option<OneInterface> {
    let machine = machine::of(name, paste)?;
    let is_worth_telling =
        machine.device.features.is_ok() || pasted.link.is_some() || !pasted.qdiscs.is_empty();
    if !is_worth_telling && pasted.statistics.is_empty() {
        return None;
    }
    let verdict = counters::verdict(&machine, pasted);
    let counted = pasted.link.as_ref().and_then(|link| link.sent).map(|[tx_bytes, tx_packets, ..]| Counted {
        tx_packets,
        tx_bytes,
        qdisc_segments: pasted.qdiscs.iter().find_map(|qdisc| qdisc.counters).map(|counts| counts.segments),
    });
    let known = machine.device.features.is_ok();
    let evidence = Evidence { machine: &machine, before: None, traffic: None, answers: Answers::NONE };
    let mut causes = if known { cause::find(&evidence) } else { Vec::new() };
    // Whether there is a host that could offer more, its driver tells.
    let device = &machine.device;
    let made = device.driver.as_deref().or(device.kind.as_deref());
    if made.is_none() && !device.loopback {
        causes.retain(|cause| {
            !matches!(cause.id, CauseId::DriverNoTso | CauseId::DriverNoUso | CauseId::OneFamily)
        });
    }
    let lines = lines::of(pasted, made);
    Some(OneInterface::new(
        verdict,
        if known { chain::links(&machine, Answers::NONE, NOBODY_ASKED) } else { Vec::new() },
        causes,
        counted,
        lines,
        missing(name, pasted, &machine),
        machine,
    ))
}

/// What would tell more, as commands.
fn missing(name: &str, pasted: &Pasted, machine: &Machine) -> Vec<String> {
    let lacks = [
        (machine.device.features.is_err() || pasted.features.len() < 8, "ethtool -k"),
        (pasted.driver.is_none() && machine.device.kind.is_none() && !machine.device.loopback, "ethtool -i"),
        (
            pasted.link.as_ref().is_none_or(|link| link.sent.is_none() || link.gso_max_segs.is_none()),
            "ip -s -d link show dev",
        ),
        (
            pasted.qdiscs.iter().all(|qdisc| qdisc.counters.is_none() && qdisc.kind != "noqueue"),
            "tc -s qdisc show dev",
        ),
    ];
    lacks.iter().filter(|(lacks, _)| *lacks).map(|(_, command)| format!("{command} {name}")).collect()
}

#[cfg(test)]
mod tests;
