//! `vmnet.compare/1`: two runs side by side as one value. Text, page and charts are drawn from it, and the charts from the two runs
//! that it is made of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::model::absences::Reasons;
use crate::model::comparison::{Comparison, METHOD, RULE, Run, Sides};
use crate::model::event::EventKind;
use crate::model::fact::Known as _;
use crate::model::sample::Mode;
use crate::model::verdict::{Confidence, State};
use crate::report::kit::json::Explained;
use crate::report::run::schema::RunReport;
use crate::report::run::text::{gist, state_sentence, state_word};

/// The schema's name.
pub const SCHEMA: &str = "vmnet.compare/1";

/// Two runs and what differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CompareReport {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// What each of them was.
    pub runs: Sides<RunSummary>,
    /// Whether both are the same run.
    pub same_run: bool,
    /// What differs.
    #[serde(flatten)]
    pub comparison: Comparison,
    /// How changes and intervals were made.
    pub method: String,
    /// Which intervals of a run were left out.
    pub left_out_rule: String,
    /// What has to be borne in mind.
    pub notes: Vec<String>,
    /// Path of a null → why it is not known. What an effect lacks is under its own `reason`.
    pub unmeasured: BTreeMap<String, String>,
}

impl Explained for CompareReport {
    fn unmeasured(&mut self) -> &mut Reasons {
        &mut self.unmeasured
    }
}

/// One of the runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RunSummary {
    /// The file that it was read from.
    pub source: String,
    /// The interface.
    pub interface: String,
    /// Kernel release.
    pub kernel: String,
    /// RFC 3339.
    pub start: String,
    /// From the first sample to the last.
    pub duration_s: f64,
    /// The answer.
    pub state: State,
    /// In one word, as it stands at the head of the run's own answer.
    pub state_word: String,
    /// As a sentence.
    pub sentence: String,
    /// How far to trust it.
    pub confidence: Confidence,
    /// What decided.
    pub summary: String,
    /// How packets were counted.
    pub mode: Mode,
    /// The benchmark; None where there was none.
    pub command: Option<Vec<String>>,
}

impl CompareReport {
    /// B held against A, each with the file that it was read from.
    #[must_use]
    pub fn of(a: (&RunReport, &str), b: (&RunReport, &str)) -> Self {
        let (a_facts, b_facts) = (facts(a.0), facts(b.0));
        let comparison = Comparison::of(&run(a.0, &a_facts), &run(b.0, &b_facts));
        let runs = Sides { a: RunSummary::of(a), b: RunSummary::of(b) };
        let same_run = is_same(a.0, b.0);
        let notes = notes(&comparison, same_run, [("A", a.0), ("B", b.0)]);
        let mut report = Self {
            schema: SCHEMA.to_owned(),
            runs,
            same_run,
            comparison,
            method: METHOD.to_owned(),
            left_out_rule: RULE.to_owned(),
            notes,
            unmeasured: BTreeMap::new(),
        };
        report.explain();
        report
    }
}

impl RunSummary {
    fn of((report, source): (&RunReport, &str)) -> Self {
        Self {
            source: source.to_owned(),
            interface: report.interface.name.clone(),
            kernel: report.interface.kernel.clone(),
            start: report.window.start.clone(),
            duration_s: report.window.duration_s,
            state: report.verdict.state,
            state_word: state_word(report).to_owned(),
            sentence: state_sentence(report),
            confidence: report.verdict.confidence,
            summary: gist(report).unwrap_or_else(|| report.verdict.summary.clone()),
            mode: report.probes.mode,
            command: report.benchmark.as_ref().map(|benchmark| benchmark.command.clone()),
        }
    }
}

/// Not by its rates: JSON rounds them in the last place.
fn is_same(a: &RunReport, b: &RunReport) -> bool {
    let payload = |report: &RunReport| report.ledger.tcp.as_ref().map(|tcp| tcp.total.payload_bytes);
    let hardware = |report: &RunReport| report.ledger.tcp.as_ref().map(|tcp| tcp.total.hardware_bytes);
    a.window.start == b.window.start
        && (a.window.duration_s - b.window.duration_s).abs() < 1e-6
        && a.interface.ifindex == b.interface.ifindex
        && a.interface.netns.inode == b.interface.netns.inode
        && a.throughput.samples.len() == b.throughput.samples.len()
        && (payload(a), hardware(a)) == (payload(b), hardware(b))
}

fn run<'a>(report: &'a RunReport, facts: &'a Value) -> Run<'a> {
    Run {
        tcp: report.ledger.tcp.as_ref().map(|tcp| &tcp.total),
        intervals: &report.throughput.samples,
        facts,
        unmeasured: &report.unmeasured,
    }
}

/// The machine and the way of measuring, as a tree whose paths are the report's where it has them.
fn facts(report: &RunReport) -> Value {
    let mut hooks = Map::new();
    for hook in &report.probes.hooks {
        let state = serde_json::to_value(hook.state).unwrap_or_default();
        let state = state.as_str().unwrap_or_default();
        hooks.insert(hook.hook.clone(), format!("{}, {state}", hook.kind).into());
    }
    let mut facts = json!({
        "interface": report.interface,
        "machine": report.machine.as_ref().ok(),
        "probes": { "mode": report.probes.mode, "counting": report.probes.counting, "hooks": hooks },
        "overhead": { "measured": report.overhead.cpu_share.known().is_some() },
        "events": {
            "offloads_switched": switches(report)
        },
        "benchmark": { "command": report.benchmark.as_ref().map_or_else(
            || "none".to_owned(),
            |benchmark| benchmark.command.join(" "),
        ) },
    });
    let mut lengths: Vec<f64> = report.throughput.samples.iter().map(|sample| sample.duration_s).collect();
    lengths.sort_by(f64::total_cmp);
    if let Some(median) = crate::stats::of_sorted(&lengths, 0.5).filter(|median| median.is_finite()) {
        // What a sample is late by is no difference.
        facts["sampling"] = json!({ "interval_s": (median * 20.0).round() / 20.0 });
    }
    facts
}

fn switches(report: &RunReport) -> usize {
    report.events.iter().filter(|event| event.kind == EventKind::FeaturesChanged).count()
}

fn notes(comparison: &Comparison, same_run: bool, runs: [(&str, &RunReport); 2]) -> Vec<String> {
    let mut notes = Vec::new();
    if same_run {
        notes.push("A and B are the same run".to_owned());
    }
    if runs[0].1.probes.counting != runs[1].1.probes.counting {
        notes.push(
            "one run counted every segment all the time (--exact), which takes a good part of what the traffic needs, and the other in windows \
             only: how they differ contains that"
                .to_owned(),
        );
    }
    for (side, report) in runs {
        if switches(report) > 0 {
            notes.push(format!(
                "an offload was switched during {side}: its figures are means over different states, and the intervals are wide \
                 because of that"
            ));
        }
    }
    let count = comparison.differences.len();
    let listed = match count {
        0 => String::new(),
        1 => ", the one that is listed,".to_owned(),
        count => format!(", any of the {count} that are listed,"),
    };
    notes.push(format!(
        "two runs are not an experiment: the time of day, what else the host did, or another difference{listed} may be the reason for a \
         change. The intervals are of how much the rate went up and down within each run; how much one run differs from the next \
         under the same settings is not in them. What proves a cause is switching one thing off and on in random order, many times"
    ));
    let intervals = comparison.effects.iter().filter(|effect| effect.interval_percent.is_some()).count();
    if intervals > 1 {
        notes.push(format!(
            "each of the {intervals} intervals is of 95 %: now and then one leaves out 0 where nothing differs"
        ));
    }
    notes
}
