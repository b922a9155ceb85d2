//! The controlled experiment: `vmnet ab`.
//!
//! The way of every experiment: lock → read → plan → attach → journal (on disk before anything is touched) → each arm set once and asked whether it
//! takes → the benchmark once for practice → blocks of trials → everything put back → report. What is decided is decided in
//! [`crate::model::experiment`]; this room does it.

mod assemble;
mod conduct;
mod measure;
mod preflight;
mod sizes;
mod suspend;
mod switch;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use jiff::Zoned;

use self::{assemble::Gathered, conduct::Conduct, preflight::Readied, switch::Switch};
use crate::device::change::Changer;
use crate::device::interface::describe;
use crate::device::{facts, system};
use crate::fix::{FixError, Here, Kernel, Store, state_directory};
use crate::kernel::permissions;
use crate::model::chain::Answers;
use crate::model::experiment::{Arm, ArmEffects, Asked, Design, Guards, Trial};
use crate::model::fix::{DeviceState, Step, way_back};
use crate::model::interface::Interface;
use crate::model::shell::inside;
use crate::output::OutputDir;
use crate::report::ab::schema::{AbReport, EndedBy};
use crate::report::kit::document::{self, Format};
use crate::session::{Stop, mark_latest};
use crate::{doctor, fix, session};

/// Between samples.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// One run of the benchmark: interface, command, how it is measured its duration, its interval and its place for reports are not used.
    pub run: session::Plan,
    /// Where the report goes, and each run's recording.
    pub output: PathBuf,
    /// Which arms.
    pub asked: Asked,
    /// Whole blocks that are wanted.
    pub blocks: u32,
    /// Decides about the order.
    pub seed: u64,
    /// Between samples of a run. None: by how long the first one takes.
    pub interval: Option<Duration>,
    /// Left out at the beginning of each run.
    pub warm_up: Duration,
    /// Between switching and the next run.
    pub cool_down: Duration,
    /// A run that takes longer hangs. None: ten minutes for the first, then three times as long as that took.
    pub timeout: Option<Duration>,
    /// What makes a trial void.
    pub guards: Guards,
    /// vmnet's own command line, with the seed.
    pub command_line: Vec<String>,
}

/// What is known before anything is changed.
#[derive(Clone, Copy, Debug)]
pub struct Planned<'a> {
    /// What it is done to.
    pub interface: &'a Interface,
    /// Arms, blocks, seed.
    pub design: &'a Design,
    /// Limits.
    pub guards: &'a Guards,
    /// For each arm, the commands that a person would type to come to it from what was found.
    pub commands: &'a [Vec<String>],
    /// What is left out, in words.
    pub warm_up_rule: &'a str,
}

/// Who wants to know while it goes on.
pub trait Observer {
    /// Before anything is changed.
    fn planned(&mut self, planned: &Planned<'_>);
    /// In words, what goes on.
    fn note(&mut self, text: &str);
    /// A trial has ended; `left_s` is how long the rest will take, as far as can be known.
    fn trial(&mut self, trial: &Trial, design: &Design, left_s: Option<f64>);
    /// A block has ended, and this is what is known so far.
    fn so_far(&mut self, effects: &[ArmEffects], whole_blocks: u32, design: &Design);
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// Everything that is known.
    pub report: AbReport,
    /// Where the reports are.
    pub files: Vec<PathBuf>,
    /// What went wrong writing them.
    pub files_failed: Option<String>,
}

/// A block that is void is made up for by another one, up to half as many as planned, and two at least.
fn most_blocks(planned: u32) -> u32 {
    planned.saturating_add((planned / 2).max(2))
}

/// What would be done. Needs no privilege, and changes nothing.
///
/// # Errors
/// When the interface cannot be read, or what is asked for means nothing.
pub fn preview(plan: &Plan, observer: &mut dyn Observer) -> Result<()> {
    let mut kernel = Changer::open()?;
    let before = Kernel::read(&mut kernel, &plan.run.interface).map_err(FixError::Device)?;
    let arms = Targets::of(plan, &before)?;
    let link = crate::device::links::LinkReader::open()?.link(&plan.run.interface)?;
    let interface = describe(&link, plan.run.netns.as_deref())?;
    observer.planned(&arms.planned(plan, &interface, &measure::warm_up_rule(plan.warm_up)));
    match arms.why_not() {
        None => Ok(()),
        Some(why) => anyhow::bail!("{why}"),
    }
}

/// Does it, on this thread. Whatever happens, the device is put back before this returns.
///
/// # Errors
/// When nothing could be begun. What goes wrong after that is in the report.
pub fn run(plan: &Plan, observer: &mut dyn Observer) -> Result<Outcome> {
    let begun = Instant::now();
    let start = Zoned::now();
    let interface = &plan.run.interface;
    if !fix::may_change() {
        return Err(FixError::NotRoot {
            interface: interface.clone(),
            command: format!("ab {interface}"),
            without: "--dry-run shows what would be, and needs no root",
        }
        .into());
    }
    let here = Here::read()?;
    let store = Store::open(&state_directory())?;
    let mut kernel = Changer::open()?;
    let before = Kernel::read(&mut kernel, interface).map_err(FixError::Device)?;
    let targets = Targets::of(plan, &before)?;
    // Who may not load programs, or insists on what does not work, learns that before anything is changed.
    let mut profilers = conduct::Profilers::open(&plan.run, &targets.design)?;
    let output = OutputDir::prepare(
        &plan.output,
        &format!("{interface}-ab"),
        &start,
        plan.run.caller.owner().as_ref(),
    )?;
    let warm_up_rule = measure::warm_up_rule(plan.warm_up);
    let described = profilers.interface(plan.run.netns.as_deref());
    observer.planned(&targets.planned(plan, &described, &warm_up_rule));

    let mut gathered = Gathered::new(plan, &targets, described, &start, warm_up_rule, profilers.mode());
    if let Some(why) = targets.why_not() {
        gathered.causes =
            facts::read(interface).map(|machine| doctor::causes(&machine, Answers::NONE)).unwrap_or_default();
        gathered.ended(EndedBy::TreatmentNotTaken, Some(why));
        return Ok(finish(gathered, begun, &output));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Before there is anything to be put back: a signal from here on ends it in good order.
    let mut stop = runtime.block_on(async { Stop::listen_for_suspension_too() })?;
    let mut switch = match Switch::begin(&mut kernel, &store, &here, before) {
        Ok(switch) => switch,
        Err(error) => {
            output.remove_if_empty();
            return Err(error.into());
        }
    };
    // From here on everything ends by way of `switch`, which puts the device back.
    let conducted = runtime.block_on(async {
        let readied = preflight::ready(plan, &targets, &mut switch, &mut stop, observer).await;
        let readied = match readied {
            Readied::Every(readied) => readied,
            Readied::Not { why, ended_by, causes } => {
                gathered.causes = causes;
                gathered.ended(ended_by, Some(why));
                return Ok(());
            }
        };
        gathered.followed = readied.followed;
        gathered.notes.extend(readied.notes);
        if targets.design.arms.iter().all(Arm::is_profiled) {
            permissions::drop_privileges_but_switching()
                .unwrap_or_else(|error| log::debug!("capabilities stay: {error}"));
        }
        let mut conduct = Conduct {
            plan,
            targets: &targets,
            switch: &mut switch,
            profilers: &mut profilers,
            output: &output,
            stop: &mut stop,
            observer,
            gathered: &mut gathered,
            begun,
        };
        conduct.all().await
    });
    let back = switch.back();
    if let Err(error) = conducted {
        gathered.ended(EndedBy::Problem, Some(format!("{error:#}")));
    }
    gathered.put_back(back);
    Ok(finish(gathered, begun, &output))
}

fn finish(gathered: Gathered<'_>, begun: Instant, output: &OutputDir) -> Outcome {
    let report = gathered.report(begun.elapsed());
    // Of a benchmark that failed there is nothing to draw.
    let formats: &[Format] = if report.is_of_failed_benchmark() { &[Format::Json] } else { &Format::USUAL };
    let (files, files_failed) = match document::write(output, &report, formats) {
        Ok(files) => (files, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    mark_latest(output);
    Outcome { report, files, files_failed }
}

/// The arms as states of the device.
pub(crate) struct Targets {
    pub(crate) design: Design,
    /// One for each arm, or why there is none.
    pub(crate) states: Vec<Result<DeviceState, String>>,
    /// One for each arm.
    pub(crate) commands: Vec<Vec<String>>,
}

impl Targets {
    fn of(plan: &Plan, before: &DeviceState) -> Result<Self> {
        let arms = plan.asked.arms(&before.features)?;
        let cpus = system::cpus_online().unwrap_or(1);
        let states: Vec<_> = arms.iter().map(|arm| arm.target(before, cpus)).collect();
        let netns = plan.run.netns.as_deref();
        let typed = |step: &Step| inside(netns, &step.command());
        let commands = states
            .iter()
            .map(|state| match state {
                Ok(state) => way_back(state, before).iter().map(typed).collect(),
                Err(_) => Vec::new(),
            })
            .collect();
        let design =
            Design { arms, blocks: plan.blocks, most_blocks: most_blocks(plan.blocks), seed: plan.seed };
        Ok(Self { design, states, commands })
    }

    fn planned<'a>(&'a self, plan: &'a Plan, interface: &'a Interface, warm_up_rule: &'a str) -> Planned<'a> {
        Planned {
            interface,
            design: &self.design,
            guards: &plan.guards,
            commands: &self.commands,
            warm_up_rule,
        }
    }

    /// The first arm that the device cannot have, and why.
    fn why_not(&self) -> Option<String> {
        self.states.iter().find_map(|state| state.as_ref().err().cloned())
    }
}

/// A whole run's recording, as it is called beside the report.
fn recording_name(number: u32, arm: &str) -> String {
    let plain: String =
        arm.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(40).collect();
    format!("trial-{number:03}-{plain}.vmnet")
}

/// vmnet itself, to be run as the built-in load.
///
/// # Errors
/// When its place is not known.
pub fn own_program() -> Result<String> {
    let program = std::env::current_exe().context("where vmnet itself is")?;
    program.into_os_string().into_string().map_err(|path| anyhow::anyhow!("{} is no text", path.display()))
}
