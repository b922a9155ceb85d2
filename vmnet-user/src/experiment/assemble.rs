//! What was gathered, and the report that is made of it.

use std::{collections::BTreeMap, time::Duration};

use jiff::Zoned;

use super::{Plan, Targets, switch::Back};
use crate::device::system;
use crate::model::cause::Cause;
use crate::model::experiment::{
    FEWEST_BLOCKS, METHOD, MetricId, Prediction, Role, Trial, effects, whole_blocks,
};
use crate::model::fix::Followed;
use crate::model::interface::Interface;
use crate::model::sample::Mode;
use crate::report::ab::schema::{
    AbReport, BlockCount, EndedBy, Repeat, SCHEMA, Settings, ThroughputFrom, WindowInfo,
};
use crate::report::ab::text;
use crate::report::kit::json::Explained as _;
use crate::report::run::schema::Sizes;
use crate::session::private;

/// Everything that an experiment comes to, piece by piece.
pub(super) struct Gathered<'a> {
    plan: &'a Plan,
    targets: &'a Targets,
    interface: Interface,
    start: String,
    warm_up_rule: String,
    ended_by: EndedBy,
    problem: Option<String>,
    settings: Settings,
    pub(super) causes: Vec<Cause>,
    pub(super) followed: Vec<Vec<Followed>>,
    pub(super) notes: Vec<String>,
    pub(super) throughput_from: ThroughputFrom,
    /// Between samples of a run.
    pub(super) interval: Duration,
    /// What the rehearsal could measure.
    pub(super) measured: Vec<MetricId>,
    pub(super) blocks_begun: u32,
    pub(super) trials: Vec<Trial>,
    pub(super) sizes: Vec<Option<Sizes>>,
    pub(super) mode: Mode,
}

impl<'a> Gathered<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        targets: &'a Targets,
        interface: Interface,
        start: &Zoned,
        warm_up_rule: String,
        mode: Mode,
    ) -> Self {
        Self {
            plan,
            targets,
            interface,
            start: start.timestamp().to_string(),
            warm_up_rule,
            ended_by: EndedBy::Problem,
            problem: None,
            settings: Settings { restored: Some(true), ..Settings::default() },
            causes: Vec::new(),
            followed: Vec::new(),
            notes: Vec::new(),
            throughput_from: ThroughputFrom::Ledger,
            interval: plan.interval.unwrap_or(super::SHORTEST_INTERVAL),
            measured: Vec::new(),
            blocks_begun: 0,
            trials: Vec::new(),
            sizes: vec![None; targets.design.arms.len()],
            mode,
        }
    }

    /// How it ended, and what went wrong if anything did.
    pub(super) fn ended(&mut self, ended_by: EndedBy, problem: Option<String>) {
        (self.ended_by, self.problem) = (ended_by, problem);
    }

    /// Once.
    pub(super) fn note(&mut self, text: &str) {
        if !self.notes.iter().any(|note| note == text) {
            self.notes.push(text.to_owned());
        }
    }

    pub(super) fn put_back(&mut self, back: Back) {
        self.settings.restored = back.restored;
        self.settings.not_as_before = back.not_as_before;
        self.settings.journal = back.journal.map(|path| path.display().to_string());
    }

    pub(super) fn report(self, took: Duration) -> AbReport {
        let design = self.targets.design.clone();
        let whole = u32::try_from(whole_blocks(&design, &self.trials).len()).unwrap_or(u32::MAX);
        let effects = effects(&design, &self.trials);
        let blocks = BlockCount {
            planned: design.blocks,
            begun: self.blocks_begun,
            whole,
            void: void_blocks(&self.trials),
        };
        let surroundings = surroundings(&self.interface);
        let is_private = self.plan.run.private;
        let notes = self.notes.iter().cloned().chain(bear_in_mind(&self, whole)).collect();
        let mut report = AbReport {
            schema: SCHEMA.to_owned(),
            window: WindowInfo {
                start: self.start,
                duration_s: took.as_secs_f64(),
                ended_by: self.ended_by,
                problem: self.problem,
            },
            summary: text::summary(&self.plan.asked.feature, &design, &effects, blocks),
            feature: self.plan.asked.feature.clone(),
            prediction: Prediction::of(&design.arms, &self.trials, design.seed),
            guards: self.plan.guards,
            warm_up_rule: self.warm_up_rule,
            throughput_from: self.throughput_from,
            effects,
            method: METHOD.to_owned(),
            blocks,
            trials: self.trials,
            sizes: self.sizes,
            settings: Settings {
                commands: self.targets.commands.clone(),
                followed: self.followed,
                ..self.settings
            },
            causes: self.causes,
            repeat: Repeat {
                command: if is_private {
                    private::own_words(&self.plan.command_line)
                } else {
                    self.plan.command_line.clone()
                },
                benchmark: if is_private {
                    private::words(&self.plan.run.command)
                } else {
                    self.plan.run.command.clone()
                },
                vmnet: env!("CARGO_PKG_VERSION").to_owned(),
                mode: self.mode.name().to_owned(),
                surroundings,
            },
            notes,
            unmeasured: BTreeMap::new(),
            interface: self.interface,
            design,
        };
        report.explain();
        report
    }
}

/// What a reader has to bear in mind.
fn bear_in_mind(gathered: &Gathered<'_>, whole: u32) -> Vec<String> {
    let mut notes = Vec::new();
    if gathered.mode == Mode::Counters {
        notes.push("without programs no ledger shows that the treatment happened".to_owned());
    }
    if !gathered.interface.terminal {
        notes.push(format!(
            "{} passes packets on inside this machine, so that `engaged` means: left this device whole",
            gathered.interface.name
        ));
    }
    if !gathered.targets.design.arms.iter().any(|arm| arm.role == Role::Placebo) {
        notes.push(
            "there was no placebo, and nothing to show how far the experiment itself can be trusted"
                .to_owned(),
        );
    }
    if (1..FEWEST_BLOCKS).contains(&whole) {
        let least = crate::units::percent(2.0 / f64::from(2_u32.pow(whole)));
        notes.push(format!(
            "with {whole} blocks the permutation test cannot give p < {least}; p < 5 % needs at least {FEWEST_BLOCKS} blocks"
        ));
    }
    notes
}

fn void_blocks(trials: &[Trial]) -> u32 {
    let mut void: Vec<u32> =
        trials.iter().filter(|trial| !trial.is_valid()).map(|trial| trial.block).collect();
    void.dedup();
    u32::try_from(void.len()).unwrap_or(u32::MAX)
}

fn surroundings(interface: &Interface) -> BTreeMap<String, String> {
    let facts = [
        ("kernel", Some(interface.kernel.clone())),
        ("driver", interface.driver.clone()),
        ("mtu", Some(interface.mtu.to_string())),
        ("queues", interface.queues.map(|queues| queues.to_string())),
        ("qdisc", interface.qdisc.clone()),
        ("cpus", system::cpus_online().ok().map(|cpus| cpus.to_string())),
        ("congestion_control", system::congestion_control().ok()),
    ];
    facts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}
