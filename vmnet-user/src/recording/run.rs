//! All that is known of a run, as values: what a recording holds, and what the report is made from.
//!
//! A field that is added here needs a default, so that recordings from before can still be read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::benchmark;
use crate::benchmark::Understood;
use crate::benchmark::{Iperf3, Netperf};
use crate::load::Summary;
use crate::model::absences::{self, Reasons};
use crate::model::audited::Audited;
use crate::model::driver_semantics::DriverRow;
use crate::model::ending::RunEnding;
use crate::model::event::What;
use crate::model::hook::{Hook, HookState, Part};
use crate::model::hook::{HookReport, ProgramsMethod};
use crate::model::interface::Interface;
use crate::model::light::{self};
use crate::model::machine::Machine;
use crate::model::sample::{Conditions, Counting, Sample, Window};
use crate::model::senders::SenderLimits;
use crate::model::timeline::Timeline;
use crate::model::verdict::Verdict;

/// Events that are kept: a storm of them must not fill the disk, or the memory.
pub const MOST_EVENTS: usize = 10_000;

/// A run, while it goes on, at its end, or read back.
#[derive(Clone, Debug)]
pub struct Run {
    /// What was known when it began.
    pub start: Start,
    /// Its samples.
    pub timeline: Timeline,
    /// Rare events, as they came, [`MOST_EVENTS`] at most.
    pub events: Vec<Event>,
    /// What is known at its end; None where the recording has none.
    pub end: Option<End>,
    /// Why the recording has no end, in words.
    pub torn: Option<String>,
}

/// What was known when the first sample had been taken.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Start {
    /// The version of vmnet that ran.
    pub vmnet: String,
    /// RFC 3339.
    pub time: String,
    /// What was looked at.
    pub interface: Interface,
    /// What is fixed for the run.
    pub conditions: Conditions,
    /// Whether traffic was at rest when the first sample was taken.
    pub rested: bool,
    /// Why not a higher rung.
    pub fell_because: Vec<String>,
    /// Hook by hook, before any of them ran.
    pub hooks: Vec<HookReport>,
    /// The words of the command line; empty where none was given.
    pub command: Vec<String>,
    /// Whether values and output of the command are left out.
    #[serde(default)]
    pub private: bool,
    /// Seconds between samples, as asked for.
    pub interval_s: f64,
    /// The machine.
    pub machine: Surroundings,
    /// Parts that cannot be read, and why.
    pub unreadable: BTreeMap<String, String>,
    /// What had come in by the interface. None in recordings of before.
    #[serde(default)]
    pub rx_bytes: Option<u64>,
}

/// What is known at the end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct End {
    /// What ended it.
    pub ended_by: RunEnding,
    /// Why the window ended before it was meant to.
    pub cut_short: Option<String>,
    /// Whether traffic came to rest before the last sample.
    pub drained: bool,
    /// The root qdisc, as of the last sample.
    pub qdisc: Option<String>,
    /// The machine.
    pub machine: Surroundings,
    /// What held the sockets up.
    pub senders: Option<SenderLimits>,
    /// Hook by hook, with what each ran.
    pub hooks: Vec<HookReport>,
    /// What the tool took.
    pub overhead: Taken,
    /// What became of the command; None where none was given.
    pub command: Option<Result<CommandEnded, String>>,
    /// Which packets were counted in the end, and why not those that were asked for. None in a recording from before there was a
    /// choice.
    #[serde(default)]
    pub counting: Option<(Counting, Option<String>)>,
    /// What had come in by the interface; None where it was gone, and in recordings of before.
    #[serde(default)]
    pub rx_bytes: Option<u64>,
    /// As the run gave it, filled in when it is written.
    pub verdict: Option<Verdict>,
}

/// What became of the command.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CommandEnded {
    /// Its exit code; None when a signal ended it.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it printed, shortened; None where its JSON was understood.
    pub stdout: Option<String>,
    /// `iperf3 --json`, understood.
    pub iperf3: Option<Iperf3>,
    /// netperf's result, understood.
    #[serde(default)]
    pub netperf: Option<Netperf>,
    /// `vmnet load client --json`, understood.
    #[serde(default)]
    pub load: Option<Summary>,
}

impl CommandEnded {
    /// A command that printed this: what is understood, and at most `most_chars` of what is to be read as it is.
    #[must_use]
    pub fn new(exit_code: Option<i32>, signal: Option<i32>, stdout: &str, most_chars: usize) -> Self {
        let mut ended = Self { exit_code, signal, ..Self::default() };
        match benchmark::understood(stdout) {
            Some(Understood::Iperf3(said)) => ended.iperf3 = Some(said),
            Some(Understood::Load(said)) => ended.load = Some(said),
            // Its few lines are for people as well.
            Some(Understood::Netperf(said)) => ended.netperf = Some(said),
            None => {}
        }
        let was_json = ended.iperf3.is_some() || ended.load.is_some();
        ended.stdout = (!was_json).then(|| stdout.chars().take(most_chars).collect());
        ended
    }
}

/// What the tool took, from the first sample on.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Taken {
    /// By the programs in the kernel; None where the kernel did not keep it.
    pub programs_ns: Option<u64>,
    /// How that came about.
    #[serde(default)]
    pub programs_method: Option<ProgramsMethod>,
    /// By the user side, CPU time.
    pub user_ns: Option<u64>,
    /// Its resident set at the end.
    pub rss_bytes: Option<u64>,
    /// Meanwhile, by the clock.
    pub wall_ns: u64,
}

/// A rare event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Since the run began.
    pub t_ns: u64,
    /// The CPU that saw it.
    pub cpu: u32,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// The machine around the interface at one moment, with the reasons for what is not known of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "ReadBack", into = "Kept")]
pub struct Surroundings {
    /// The machine; None where it could not be read.
    pub machine: Option<Machine>,
    /// Why not.
    pub unread: Option<String>,
}

/// As JSON: a fact that is not known is null there, and its reason is kept beside it.
#[derive(Serialize)]
struct Kept {
    machine: Option<Machine>,
    unknown: Reasons,
    unread: Option<String>,
}

/// The same as it is read.
#[derive(Deserialize)]
struct ReadBack {
    machine: Option<serde_json::Value>,
    unknown: Reasons,
    unread: Option<String>,
}

impl From<Surroundings> for Kept {
    fn from(Surroundings { machine, unread }: Surroundings) -> Self {
        let unknown = machine.as_ref().and_then(|machine| absences::of_facts(machine).ok());
        Self { unknown: unknown.unwrap_or_default(), machine, unread }
    }
}

impl TryFrom<ReadBack> for Surroundings {
    type Error = serde_json::Error;

    fn try_from(ReadBack { machine, unknown, unread }: ReadBack) -> Result<Self, Self::Error> {
        let machine = machine.map(|machine| absences::restored(machine, &unknown)).transpose()?;
        Ok(Self { machine, unread })
    }
}

/// What a run is seen by: which hooks counted all the time, and what the windows show in which all of them did.
#[derive(Clone, Debug)]
pub struct Sight {
    /// As the model needs them.
    pub conditions: Conditions,
    /// What the windows show; None where there was none, and where every segment was counted all the time.
    pub audited: Option<Audited>,
    /// The part of the time in which every segment was counted, 0 to 1.
    pub exact_share: f64,
    /// Why every segment was counted all the time, though less was asked for.
    pub reason: Option<String>,
}

/// The stretches in which every segment was counted: each begins with the sample before the first of its intervals.
fn windows(samples: &[Sample]) -> impl Iterator<Item = &[Sample]> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let begins = from + samples.get(from + 1..)?.iter().position(|sample| sample.every_segment)?;
        let length = samples.get(begins + 1..)?.iter().take_while(|sample| sample.every_segment).count();
        from = begins + length;
        samples.get(begins..=begins + length)
    })
}

/// A part of a run that goes on at both its ends.
fn within<'a>(samples: &'a [Sample], conditions: &'a Conditions) -> Window<'a> {
    Window { samples, conditions, drained: false, rested_at_start: false, cut_short: None, audited: None }
}

impl Run {
    /// What the whole run is seen by.
    #[must_use]
    pub fn sight(&self) -> Sight {
        let samples = self.timeline.samples();
        let decided = self.end.as_ref().and_then(|end| end.counting.clone());
        let (counting, reason) = decided.unwrap_or((self.start.conditions.counting, None));
        let exact = self.exact_conditions();
        let all_exact = samples.iter().skip(1).all(|sample| sample.every_segment);
        if counting == Counting::Exact || all_exact {
            let over = || "the run was over before its first window was".to_owned();
            let reason = reason.or_else(|| (counting == Counting::Light).then(over));
            return Sight { conditions: exact, audited: None, exact_share: 1.0, reason };
        }
        let segmentation = exact.hooks.counts(Hook::SkbGsoSegment);
        let mut conditions = Conditions { counting, ..exact.clone() };
        // The sampler has no part in the ledger, and says itself how often it looked.
        let counted = |hook: &Hook| hook.spec().part != Part::Always && *hook != Hook::StackSample;
        for hook in Hook::all().filter(counted) {
            conditions.hooks[hook] = HookState::Absent;
        }
        // The one with the most packets tells most.
        let audited = windows(samples)
            .filter_map(|samples| Some((samples, Audited::of(&within(samples, &exact), segmentation)?)))
            .max_by_key(|(_, audited)| audited.packets);
        let (window, audited) = audited.unzip();
        if let Some(window) = window.map(|samples| within(samples, &exact))
            && let Some(Ok(semantics)) = window.delta().map(|delta| light::semantics(&window, &delta))
        {
            conditions.driver = DriverRow::Known(semantics);
        }
        Sight { conditions, audited, exact_share: self.timeline.exact_share(), reason }
    }

    /// As if every segment were counted. A recording from before there was a table has no row of it, and the driver's name.
    fn exact_conditions(&self) -> Conditions {
        let driver = match (self.start.conditions.driver, self.start.interface.driver.as_deref()) {
            (DriverRow::AskTheFirstWindow, Some(name)) => DriverRow::of(name),
            (row, _) => row,
        };
        Conditions { counting: Counting::Exact, driver, ..self.start.conditions.clone() }
    }

    /// Why the light ledger does not serve here, after a first window in which every segment was counted.
    #[must_use]
    pub fn why_exact(&self) -> Option<String> {
        let exact = self.exact_conditions();
        let segmentation = exact.hooks.counts(Hook::SkbGsoSegment);
        Audited::of(&within(self.timeline.samples(), &exact), segmentation)?.disagreement
    }

    /// The whole run. Without an end, whatever was last sampled may have been in the middle of traffic.
    #[must_use]
    pub fn window<'a>(&'a self, sight: &'a Sight) -> Window<'a> {
        let end = self.end.as_ref();
        Window {
            samples: self.timeline.samples(),
            conditions: &sight.conditions,
            drained: end.is_some_and(|end| end.drained),
            rested_at_start: self.start.rested,
            cut_short: end.map_or(self.torn.as_deref(), |end| end.cut_short.as_deref()),
            audited: sight.audited.as_ref(),
        }
    }

    /// The machine as it was last read.
    #[must_use]
    pub fn machine(&self) -> Option<&Machine> {
        let after = self.end.as_ref().and_then(|end| end.machine.machine.as_ref());
        after.or(self.start.machine.machine.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::machine_fixture;

    #[test]
    fn a_machine_comes_back_with_its_reasons() {
        let mut machine = machine_fixture::virtio();
        machine.virtio = Some(Err("sysfs is not mounted".into()));
        machine.device.features = Err("no ethtool netlink".into());
        let kept = Surroundings { machine: Some(machine.clone()), unread: None };
        let text = serde_json::to_string(&kept).unwrap();
        let back: Surroundings = serde_json::from_str(&text).unwrap();
        assert_eq!(back.machine, Some(machine));
    }

    #[test]
    fn json_that_is_understood_takes_the_place_of_what_was_printed_and_netperfs_lines_stay() {
        let ended = |stdout: &str| CommandEnded::new(Some(0), None, stdout, 10);
        let iperf3 = ended(include_str!("../benchmark/testdata/iperf3-single.json"));
        assert!(iperf3.iperf3.is_some() && iperf3.stdout.is_none());
        let load = ended(include_str!("../benchmark/testdata/load-two-streams.json"));
        assert!(load.load.is_some() && load.stdout.is_none());
        let netperf = ended(include_str!("../benchmark/testdata/netperf-keyvalue-stream.txt"));
        assert_eq!((netperf.netperf.is_some(), netperf.stdout.as_deref()), (true, Some("OMNI Send ")));
        let other = ended("hello");
        assert_eq!((other.iperf3, other.netperf, other.load), (None, None, None));
        assert_eq!(other.stdout.as_deref(), Some("hello"));
    }

    #[test]
    fn what_a_command_said_comes_back_and_recordings_from_before_can_be_read() {
        let said =
            CommandEnded::new(Some(0), None, include_str!("../benchmark/testdata/load-two-streams.json"), 0);
        let text = serde_json::to_string(&said).unwrap();
        assert_eq!(serde_json::from_str::<CommandEnded>(&text).unwrap().load, said.load);
        let before = r#"{"exit_code": 0, "signal": null, "stdout": null, "iperf3": {"streams": 1, "sent_bytes": 8,
            "received_bytes": 8, "seconds": 1.0, "sent_gbps": 1e-9, "retransmits": 0}}"#;
        let back: CommandEnded = serde_json::from_str(before).unwrap();
        assert_eq!(back.iperf3.and_then(|said| said.received_seconds), None);
        assert_eq!((back.netperf, back.load), (None, None));
    }

    #[test]
    fn numbers_come_back_to_the_last_bit() {
        // A rate that iperf3 gave, of those that a reader in a hurry rounds to their neighbour.
        for sent_gbps in [14.825_581_559_404_455, 0.1 + 0.2, f64::MIN_POSITIVE, f64::MAX] {
            let said = Iperf3 {
                streams: 1,
                sent_bytes: 0,
                received_bytes: None,
                received_seconds: None,
                seconds: 1.0,
                sent_gbps,
                retransmits: None,
            };
            let text = serde_json::to_string(&said).unwrap();
            assert_eq!(
                serde_json::from_str::<Iperf3>(&text).unwrap().sent_gbps.to_bits(),
                sent_gbps.to_bits()
            );
        }
    }

    #[test]
    fn a_device_that_is_not_virtio_stays_so() {
        let mut machine = machine_fixture::virtio();
        machine.virtio = None;
        let kept = Surroundings { machine: Some(machine.clone()), unread: None };
        let back: Surroundings = serde_json::from_value(serde_json::to_value(&kept).unwrap()).unwrap();
        assert_eq!(back.machine, Some(machine));
    }
}
