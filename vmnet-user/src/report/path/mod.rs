//! `vmnet.path/1`: what each device on the way made of super-packets, as one value. Units are in the names; what was not measured is `None`
//! (null) and `unmeasured` maps its path to the reason.

mod join;
mod page;
mod read;
mod staircase;
mod text;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::{join::joined, read::from_json, text::answer};
use super::kit::chart::{Chart, Titled, Titles};
use super::kit::document::{Document, PageError};
use super::kit::format;
use super::kit::json::{Explained, JsonError, indented};
use super::kit::parts::Figures;
use crate::model::absences::Reasons;
use crate::model::cause::Cause;
use crate::model::fact::{self, Fact, Why};
use crate::model::interface::Interface;
use crate::model::null_because;
use crate::model::path::{Audit, Branch, Counts, LimitEffect, OffloadBelow, Side, State, Verdict, Witness};

null_because! {
    nothing_before: Why::is("it is the first device on the way that packets are sent by, or nothing passed the one before");
    nothing_passed: Why::is("nothing passed it");
    no_counters: Why::is("its counters could not be read at both ends of the window");
    not_compared: Why::is("its counters were not read, are not its own, or what it makes of super-packets is not known");
    not_told: Why::is("its state is not known, or there were no super-packets");
}

/// The schema's name.
pub const SCHEMA: &str = "vmnet.path/1";

/// A whole way.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PathReport {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Where packets go: the address, as it was asked for; None where an interface was.
    pub destination: Option<String>,
    /// When it was watched.
    pub window: Window,
    /// The answer.
    pub verdict: Verdict,
    /// The devices in the order in which packets pass them.
    pub steps: Vec<StepReport>,
    /// Where packets go more than one way; empty where they do not.
    pub branches: Vec<Branch>,
    /// Devices that might have been on the way and that nothing passed.
    pub left_out: Vec<LeftOut>,
    /// How it was counted.
    pub probes: Probes,
    /// What to know when reading the answer.
    pub notes: Vec<String>,
    /// The command and how it ended; None where there was none.
    pub command: Option<Command>,
    /// What was sent on purpose; None where it was not asked for.
    #[serde(default)]
    pub probe: Option<Probe>,
    /// Path of a null → why it was not measured.
    pub unmeasured: BTreeMap<String, String>,
}

impl Explained for PathReport {
    fn unmeasured(&mut self) -> &mut Reasons {
        &mut self.unmeasured
    }
}

impl Titled for PathReport {
    fn titles(&self) -> Titles {
        let confidence = text::confidence(self.verdict.confidence);
        Titles {
            answer: format!("{} ({confidence})", text::answer_word(self.verdict.state).1),
            finding: format::capitalised(&self.verdict.summary),
            circumstances: page::circumstances(self),
        }
    }
}

impl Document for PathReport {
    const PAGE: &'static str = "path.html";
    const JSON: &'static str = "path.json";
    const CHARTS: &'static [Chart<Self>] = &[Chart {
        name: "What each device makes of super-packets",
        file: "path-staircase.svg",
        of: staircase::of,
    }];

    fn finite(&self) -> Result<Cow<'_, Self>, JsonError> {
        Ok(Cow::Owned(self.explained()?))
    }

    fn page(&self, figures: Figures) -> Result<String, PageError> {
        page::page(self, figures)
    }

    fn json(&self) -> Result<String, JsonError> {
        indented(self)
    }
}

/// When it was watched.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Window {
    /// RFC 3339.
    pub start: String,
    /// Seconds.
    pub duration_s: f64,
    /// Whether every packet was counted, or those of windows.
    #[serde(default)]
    pub method: Method,
    /// How many windows; 1 where every packet was counted.
    #[serde(default = "one")]
    pub windows: u64,
    /// The part of that time in which packets were counted: all of it, but where a device segments at a high rate.
    pub counted_share: f64,
    /// Whether nothing moved any more when it ended.
    pub drained: bool,
}

/// A document of an earlier version does not say.
const fn one() -> u64 {
    1
}

/// How packets were counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Every packet, from start to end: sums are exact.
    #[default]
    All,
    /// Those of windows: sums are of these alone, and shares estimate the whole time's.
    Windows,
}

/// What ran meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Command {
    /// Words of the command line.
    pub words: Vec<String>,
    /// Its exit code; None when a signal ended it.
    pub exit_code: Option<i32>,
    /// The signal that ended it; None when it ended by itself.
    pub signal: Option<i32>,
}

/// Super-packets that were sent on purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Probe {
    /// Where to: the destination as it was named, and nowhere else.
    pub destination: String,
    /// TCP port.
    pub port: u16,
    /// Connections that sent their first flight, without a handshake.
    pub connections: u64,
    /// Payload that TCP sent.
    pub sent_bytes: u64,
    /// Payload of a wire segment.
    pub segment_bytes: u64,
    /// Connections that could not send.
    pub failed: u64,
    /// What the kernel answered the first of them; None where all could.
    pub error: Option<String>,
}

/// A device on the way.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StepReport {
    /// The network namespace that it is in.
    pub namespace: Namespace,
    /// The device.
    pub interface: Interface,
    /// Of what kind: `veth`, `bridge port`, `vxlan`, the driver of a NIC.
    pub kind: String,
    /// Which way packets pass it.
    pub side: Side,
    /// The step before, by its place in `steps`; None for the first.
    pub after: Option<usize>,
    /// What it makes of super-packets.
    pub state: State,
    /// Of what its super-packets are worth, the part that was segmented for it.
    #[serde(serialize_with = "not_told")]
    pub segmented_share: Option<f64>,
    /// Its 95 % interval over the windows, where packets were counted in windows.
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(test, schemars(with = "Option<[f64; 2]>"))]
    pub segmented_share_interval: Fact<[f64; 2]>,
    /// Who says so.
    pub witnesses: Vec<Witness>,
    /// What was queued to it of ours; None of a device that packets come in by.
    pub queued: Option<Queued>,
    /// Packets that the device says it sent, or received, others' included.
    #[serde(serialize_with = "no_counters")]
    pub driver_packets: Option<u64>,
    /// Their bytes.
    #[serde(serialize_with = "no_counters")]
    pub driver_bytes: Option<u64>,
    /// What one of `driver_packets` stands for.
    pub driver_counts: Counts,
    /// Mean length of what was queued (or received), link header included.
    #[serde(serialize_with = "nothing_passed")]
    pub mean_bytes_in: Option<f64>,
    /// Mean length of what the device says it sent.
    #[serde(serialize_with = "nothing_passed")]
    pub mean_bytes_out: Option<f64>,
    /// What the device counted and no program saw, bytes.
    #[serde(serialize_with = "not_compared")]
    pub unseen_bytes: Option<u64>,
    /// Packets that GRO merged between the step before and this one.
    #[serde(serialize_with = "nothing_before")]
    pub merged_before: Option<u64>,
    /// Packets that something between the two made: a layer of the stack segmented there.
    #[serde(serialize_with = "nothing_before")]
    pub segmented_before: Option<u64>,
    /// Dropped by the device and its qdisc, packets.
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(test, schemars(with = "Option<u64>"))]
    pub dropped: Fact<u64>,
    /// CPU time of segmentation for it, per byte of payload.
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub ns_per_byte: Fact<f64>,
    /// Why it segments, ranked.
    pub causes: Vec<Cause>,
    /// Of a tunnel that segments, which device behind it could do that for it; None of other devices, and where none is behind it.
    #[serde(default)]
    pub offload_below: Option<OffloadBelow>,
    /// Limits of super-packets that somebody lowered, and what each does here.
    pub limits: Vec<LimitEffect>,
    /// What the step before sent is what this one queued.
    #[serde(serialize_with = "nothing_before")]
    pub audit: Option<Audit>,
}

/// What was queued to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Queued {
    /// skbs of more than one wire segment.
    pub super_packets: u64,
    /// The wire segments that these are worth.
    pub segments: u64,
    /// skbs of one.
    pub singles: u64,
    /// Length of all of them, link header included.
    pub bytes: u64,
    /// Payload of the super-packets.
    pub payload_bytes: u64,
    /// Packets that go elsewhere, beside these.
    pub others_packets: u64,
}

/// A network namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Namespace {
    /// `host` for that of the machine's first process; a name of `ip netns`, or `pid 4711`.
    pub name: String,
    /// Its inode.
    pub inode: u64,
    /// As `--netns` takes it; None for the one that the command was typed in.
    pub netns: Option<String>,
    /// The machine, by the file that tells of it; None where there is one alone.
    pub machine: Option<String>,
}

impl Namespace {
    /// As people read it: with its machine, where there are several.
    #[must_use]
    pub fn called(&self) -> String {
        match &self.machine {
            Some(machine) if self.name == "host" => machine.clone(),
            Some(machine) => format!("{machine}: {}", self.name),
            None => self.name.clone(),
        }
    }
}

/// A device that nothing passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LeftOut {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
}

/// How it was counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Probes {
    /// The hook at the queue: `tp_btf`, …
    pub queue: String,
    /// The hook on segmentation; None where functions cannot be hooked.
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub segmentation: Fact<String>,
    /// Devices that were watched.
    pub devices: usize,
    /// Times that a program was skipped because it would have re-entered.
    #[serde(serialize_with = "fact::kernel_silent")]
    pub missed: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::kit::document;
    use crate::report::kit::style::Style;
    use crate::report::kit::typed::Typed;

    fn document() -> PathReport {
        serde_json::from_str(include_str!("testdata/overlay.json")).unwrap()
    }

    #[test]
    fn a_document_is_what_its_schema_says_before_and_after_it_is_read() {
        let written = document().to_text().unwrap();
        testbed::schema::validate(&serde_json::from_str(&written).unwrap()).unwrap();
        assert_eq!(written, include_str!("testdata/overlay.json"));
    }

    #[test]
    fn the_answer_comes_first_and_what_to_do_last() {
        let text = answer(&document(), &Style::PLAIN, &Typed::default());
        let heads: Vec<&str> = text.lines().filter(|line| !line.starts_with(' ')).collect();
        let words: Vec<&str> = heads.iter().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(words[..3], ["SEGMENTED", "WHY", "FIX"], "{text}");
        let row = text.lines().find(|line| line.contains("vxlan")).unwrap();
        assert!(row.contains("SEGMENTED -> 1.4"), "{text}");
    }

    #[test]
    fn names_from_outside_steer_neither_terminal_nor_page() {
        let nasty = "<script>\u{1b}[2J\u{202e}\"&'";
        let mut report = document();
        report.verdict.summary = nasty.to_owned();
        report.destination = Some(nasty.to_owned());
        report.notes.push(nasty.to_owned());
        for step in &mut report.steps {
            for name in [&mut step.interface.name, &mut step.kind, &mut step.namespace.name] {
                nasty.clone_into(name);
            }
            step.namespace.netns = Some(nasty.to_owned());
            step.causes.iter_mut().for_each(|cause| nasty.clone_into(&mut cause.detail));
        }
        let page = document::page(&report).unwrap();
        // Its own script is the only one.
        assert_eq!(page.matches("<script>").count(), 1, "{page}");
        for text in [page, answer(&report, &Style::PLAIN, &Typed::default())] {
            assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
        }
    }

    #[test]
    fn a_way_that_nothing_passed_has_its_page_too() {
        let mut report = document();
        report.steps.clear();
        report.branches.clear();
        report.verdict.step = None;
        let page = document::page(&report).unwrap();
        assert!(page.contains("nothing passed"), "{page}");
    }
}
