//! The run loop: attach, tick, stop, drain, and say what was seen.

mod caller;
mod child;
mod known;
mod netns;
mod own_cost;
mod person;
pub(crate) mod private;
mod pty;
mod recorder;
mod sampler;
mod stop;
mod watcher;
mod windows;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail};
use jiff::Zoned;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

pub(crate) use self::stop::{Stop, is_to_go_on_already};
pub use self::{
    caller::Caller,
    child::Prints,
    netns::{NetnsError, be_in},
};
pub(crate) use self::{child::Child, netns::within};
use self::{
    recorder::Recorder,
    sampler::Sampler,
    windows::{Edge, Windows},
};
use crate::device::links::LinkError;
use crate::kernel::permissions;
use crate::model::driver_semantics::DriverRow;
use crate::model::ending::RunEnding;
use crate::model::interface::Interface;
use crate::model::sample::{Counting, Mode, Sample};
use crate::model::state::State;
use crate::model::throughput::Interval;
use crate::model::timeline::Timeline;
use crate::output::{LATEST, OutputDir};
use crate::probes::{KeepRunTimes, ProbeError, Request};
use crate::recording::{End, MOST_EVENTS, Run, Surroundings};
use crate::report::kit::document::{self, Format};
use crate::report::run::schema::RunReport;
use crate::{probes, recording};

/// How long a run waits for traffic to come to rest.
const DRAIN: Duration = Duration::from_secs(1);
/// How often it looks meanwhile.
const DRAIN_LOOK: Duration = Duration::from_millis(25);

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The interface.
    pub interface: String,
    /// As given to `--netns`; the process is in it already.
    pub netns: Option<String>,
    /// None: until the command ends or Ctrl-C.
    pub duration: Option<Duration>,
    /// Between samples.
    pub interval: Duration,
    /// None: the best that works. `Counters` uses no programs.
    pub mode: Option<Mode>,
    /// Which packets the programs count.
    pub counting: Counting,
    /// Where counting is light, whether there are windows in which every segment is counted as well. Without them, nothing is attached that
    /// runs for a segment.
    pub windows: bool,
    /// Hooks to leave out.
    pub without_hooks: Vec<String>,
    /// Ways to insist on.
    pub ways: Vec<(String, String)>,
    /// The words of the command; empty for none.
    pub command: Vec<String>,
    /// Where what the command prints is shown.
    pub prints: Prints,
    /// Where reports go; None where none is wanted.
    pub output: Option<PathBuf>,
    /// Pass on what the programs log.
    pub verbose: bool,
    /// Measure what the programs cost.
    pub overhead: bool,
    /// Nothing of the command's values and output is kept.
    pub private: bool,
    /// On whose behalf.
    pub caller: Caller,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// Everything that is known.
    pub report: RunReport,
    /// What went wrong with the command, if anything: the report is whole all the same.
    pub command_failed: Option<String>,
    /// Where the reports are.
    pub files: Vec<PathBuf>,
    /// What went wrong writing them.
    pub files_failed: Option<String>,
}

/// Who wants to know while it runs.
pub trait Observer {
    /// Before the first interval.
    fn begin(&mut self, interface: &Interface, mode: Mode, notes: &[String]);
    /// After each.
    fn interval(&mut self, interval: &Interval, mode: Mode);
}

/// Runs the plan on this thread.
///
/// # Errors
/// Whatever kept it from measuring anything at all.
pub fn run(plan: &Plan, observer: &mut dyn Observer) -> Result<Outcome> {
    let start = Zoned::now();
    // First what decides whether there is a run at all: who may not load programs learns that, whatever the directory.
    let mut profiler = Profiler::attach(plan)?;
    let prepare =
        |base: &PathBuf| OutputDir::prepare(base, &plan.interface, &start, plan.caller.owner().as_ref());
    let output = plan.output.as_ref().map(prepare).transpose()?;
    permissions::drop_privileges().unwrap_or_else(|error| log::debug!("capabilities stay: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ran = runtime.block_on(async {
        let mut stop = Stop::listen()?;
        profiler
            .run(plan, &start, output.as_ref().map(|output| (output, recording::FILE)), &mut stop, observer)
            .await
    });
    let ran = ran.and_then(|ran| match &ran.command_failed {
        Some(why) if ran.never_started => bail!("{why}"),
        _ => Ok(ran),
    });
    let Ran { report, command_failed, recorded, recording_failed, .. } = match ran {
        Ok(ran) => ran,
        Err(error) => {
            if let Some(output) = output {
                output.remove(recording::FILE);
                output.remove_if_empty();
            }
            return Err(error);
        }
    };
    // A benchmark that failed before it sent anything has its error, and nothing to draw.
    let formats: &[Format] = match report.verdict.state {
        State::NothingToOffload if command_failed.is_some() => &[Format::Json],
        _ => &Format::USUAL,
    };
    let written = output.as_ref().map(|output| document::write(output, &report, formats));
    let (mut files, files_failed) = match written {
        None => (Vec::new(), None),
        Some(Ok(files)) => (files, None),
        Some(Err(error)) => (Vec::new(), Some(error.to_string())),
    };
    files.extend(recorded);
    if let Some(output) = &output {
        mark_latest(output);
    }
    Ok(Outcome { report, command_failed, files, files_failed: files_failed.or(recording_failed) })
}

/// Makes `latest` lead there. A run without that link is as good.
pub(crate) fn mark_latest(output: &OutputDir) {
    if let Err(error) = output.make_latest() {
        log::warn!("{LATEST} beside {} does not lead there: {error}", output.path().display());
    }
}

/// One measured run.
#[derive(Debug)]
pub(crate) struct Ran {
    /// All that was gathered.
    pub(crate) run: Run,
    /// What it comes to.
    pub(crate) report: RunReport,
    /// What went wrong with the command, if anything.
    pub(crate) command_failed: Option<String>,
    /// The recording, where there is one.
    pub(crate) recorded: Option<PathBuf>,
    /// What kept it from being whole.
    pub(crate) recording_failed: Option<String>,
    /// Whether the command never ran, so that nothing was measured.
    pub(crate) never_started: bool,
}

/// Programs attached and sockets open: measures one run, or one after another.
pub(crate) struct Profiler {
    sampler: Sampler,
    /// As it was when programs were attached, for the first run: what is in other namespaces is not to be read once privileges are given up.
    machine: Option<Surroundings>,
    /// Why it is not a higher rung of the ladder.
    notes: Vec<String>,
}

impl Profiler {
    /// Attaches what the plan asks for.
    ///
    /// # Errors
    /// When there is no such interface, or the plan insists on what does not work.
    pub(crate) fn attach(plan: &Plan) -> Result<Self> {
        let mut sampler = Sampler::open(&plan.interface)?;
        let notes = attach(plan, &mut sampler)?;
        let machine = Some(known::machine(&sampler.link.name));
        Ok(Self { sampler, machine, notes })
    }

    /// Measures the plan's command, or its duration, from now on; the recording goes to the file of that name in that directory.
    ///
    /// # Errors
    /// Whatever kept it from measuring anything at all.
    pub(crate) async fn run(
        &mut self,
        plan: &Plan,
        start: &Zoned,
        recording: Option<(&OutputDir, &str)>,
        stop: &mut Stop,
        observer: &mut dyn Observer,
    ) -> Result<Ran> {
        let machine = self.machine.take().unwrap_or_else(|| known::machine(&self.sampler.link.name));
        let beginning = Beginning { notes: &self.notes, time: start, machine, recording };
        let measured = measure(plan, &mut self.sampler, beginning, stop, observer).await?;
        finish(plan, &self.sampler, measured)
    }

    /// Looks again at what is fixed during a run and may have been changed before this one.
    ///
    /// # Errors
    /// When the interface is gone.
    pub(crate) fn look_again(&mut self) -> Result<(), LinkError> {
        self.sampler.look_again()
    }

    /// What every report says of the interface.
    pub(crate) fn interface(&self, netns: Option<&str>) -> Interface {
        self.sampler.interface(netns)
    }

    /// Why it is not a higher rung of the ladder.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The rung of the ladder.
    pub(crate) fn mode(&self) -> Mode {
        self.sampler.mode()
    }
}

/// Attaches what the plan asks for. Gives the reasons for what is not there.
fn attach(plan: &Plan, sampler: &mut Sampler) -> Result<Vec<String>> {
    if plan.mode == Some(Mode::Counters) {
        return Ok(Vec::new());
    }
    let request = Request {
        ifindex: sampler.link.ifindex,
        netns_inum: u32::try_from(sampler.netns_inode).unwrap_or_default(),
        mode: plan.mode,
        counting: plan.counting,
        without: plan.without_hooks.clone(),
        ways: plan.ways.clone(),
        verbose: plan.verbose,
        run_times: if plan.overhead {
            KeepRunTimes::Always
        } else if plan.counting == Counting::Light {
            KeepRunTimes::InTheFirstWindow
        } else {
            KeepRunTimes::Never
        },
    };
    match probes::attach(&request) {
        Ok(attached) => {
            let notes = attached.fell_because.clone();
            sampler.use_programs(attached, plan.counting, plan.overhead);
            Ok(notes)
        }
        Err(errors) => {
            let reasons: Vec<String> = errors.iter().map(ToString::to_string).collect();
            let not_permitted = errors.iter().any(|error| matches!(error, ProbeError::NotPermitted(_)));
            if not_permitted {
                bail!(
                    "{}; run it with sudo, or with `--mode counters`, which needs no privilege and knows less",
                    reasons.join("; ")
                );
            }
            if let Some(mode) = plan.mode {
                bail!(
                    "--mode {} does not work here: {}; `vmnet kernel` shows what does",
                    mode.name(),
                    reasons.join("; ")
                );
            }
            Ok(reasons)
        }
    }
}

/// What the loop gathered.
struct Measured {
    /// Without its end yet.
    run: Run,
    recorder: Recorder,
    drained: bool,
    ended_by: Ending,
    child: Option<Result<child::Ended, String>>,
    never_started: bool,
}

/// What ended a run.
#[derive(Debug)]
enum Ending {
    Duration,
    Command,
    Interrupt(stop::Number),
    Gone(String),
    Renamed { text: String, now: String },
}

impl Ending {
    fn kind(&self) -> RunEnding {
        match self {
            Self::Duration => RunEnding::Duration,
            Self::Command => RunEnding::Command,
            Self::Interrupt(_) => RunEnding::Interrupt,
            Self::Gone(_) => RunEnding::InterfaceGone,
            Self::Renamed { .. } => RunEnding::InterfaceRenamed,
        }
    }

    fn cut_short(&self) -> Option<&str> {
        match self {
            Self::Gone(text) | Self::Renamed { text, .. } => Some(text),
            _ => None,
        }
    }

    fn of(error: LinkError) -> Result<Self> {
        let text = error.to_string();
        match error {
            LinkError::Gone { .. } => Ok(Self::Gone(text)),
            LinkError::Renamed { now, .. } => Ok(Self::Renamed { text, now }),
            other => Err(other).context("reading the interface's counters"),
        }
    }
}

/// Where a run begins.
struct Beginning<'a> {
    notes: &'a [String],
    time: &'a Zoned,
    machine: Surroundings,
    recording: Option<(&'a OutputDir, &'a str)>,
}

async fn measure(
    plan: &Plan,
    sampler: &mut Sampler,
    beginning: Beginning<'_>,
    stop: &mut Stop,
    observer: &mut dyn Observer,
) -> Result<Measured> {
    let windows = sampler.is_light() && plan.windows;
    sampler.begin_with(windows);
    sampler.discard_events();
    let (first, rested) = sampler.first().await?;
    observer.begin(&sampler.interface(plan.netns.as_deref()), sampler.mode(), beginning.notes);

    let Beginning { notes, time, machine, recording } = beginning;
    let start = known::start(plan, sampler, notes, time, machine, rested);
    let mut recorder = Recorder::begin(recording, &start, &first, sampler.by_cpu());
    let mut run = Run { start, timeline: Timeline::default(), events: Vec::new(), end: None, torn: None };
    run.timeline.push(first, sampler.conditions());

    let mut child = None;
    let mut child_ended = None;
    let mut never_started = false;
    if !plan.command.is_empty() {
        match Child::start(&plan.command, &plan.caller, plan.prints) {
            Ok(started) => child = Some(started),
            Err(error) => {
                child_ended = Some(Err(error));
                never_started = true;
            }
        }
    }
    let windows = if windows { Windows::begin(Instant::now()) } else { Windows::none() };
    let mut watch = Watch { plan, sampler, run: &mut run, recorder: &mut recorder, observer, windows };
    let mut ended_by =
        if child_ended.is_some() { Ending::Command } else { watch.until_it_ends(&mut child, stop).await? };
    if let Some(child) = &mut child {
        match ended_by {
            Ending::Command => {}
            Ending::Interrupt(signal) => child.interrupted(signal, stop).await,
            _ => child.end(stop).await,
        }
    }

    let mut drained = false;
    while !matches!(ended_by, Ending::Gone(_)) {
        if let Ending::Renamed { now, .. } = &ended_by {
            watch.sampler.follow(now);
        }
        match watch.sampler.drain(DRAIN, DRAIN_LOOK, stop).await {
            Ok((last, rested)) => {
                drained = rested;
                watch.keep(last);
                break;
            }
            // It went while the command ended, or soon after: what was sampled until then holds.
            Err(error) => ended_by = Ending::of(error)?,
        }
    }
    watch.keep_events();
    sampler.ends_here();
    // After the last sample, as whoever holds the command's pipe open may keep us waiting.
    if let Some(child) = child {
        child_ended = Some(child.collect().await);
    }
    if run.timeline.samples().len() < 2 {
        bail!("{}, before anything could be measured", ended_by.cut_short().unwrap_or_default());
    }
    Ok(Measured { run, recorder, drained, ended_by, child: child_ended, never_started })
}

/// The loop proper.
struct Watch<'a> {
    plan: &'a Plan,
    sampler: &'a mut Sampler,
    run: &'a mut Run,
    recorder: &'a mut Recorder,
    observer: &'a mut dyn Observer,
    windows: Windows,
}

impl Watch<'_> {
    async fn until_it_ends(&mut self, child: &mut Option<Child>, stop: &mut Stop) -> Result<Ending> {
        let begun = Instant::now();
        let mut ticks = interval_at(begun + self.plan.interval, self.plan.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let deadline = self.plan.duration.map(|duration| begun + duration);
        loop {
            let command_ends = async {
                match child {
                    Some(child) => child.ended().await,
                    None => std::future::pending().await,
                }
            };
            let time_is_up = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            let next = self.windows.next();
            let window_turns = async {
                match next {
                    Some(next) => tokio::time::sleep_until(next).await,
                    None => std::future::pending().await,
                }
            };
            let done = tokio::select! {
                biased;
                signal = stop.wanted() => return Ok(Ending::Interrupt(signal)),
                () = command_ends => return Ok(Ending::Command),
                () = time_is_up => return Ok(Ending::Duration),
                () = window_turns => self.turn_window(),
                _ = ticks.tick() => self.tick(),
            };
            if let Err(error) = done {
                return Ending::of(error);
            }
        }
    }

    fn tick(&mut self) -> Result<(), LinkError> {
        let sample = self.sampler.sample(false)?;
        if let Some(interval) = self.keep(sample) {
            self.observer.interval(&interval, self.sampler.mode());
        }
        Ok(())
    }

    /// Opens or closes a window in which every segment is counted, if it is time; a sample stands at each edge, taken while every
    /// hook counts. A first window that shows that the light ledger does not serve stays open for good.
    fn turn_window(&mut self) -> Result<(), LinkError> {
        // Only the first window asks how many.
        let packets = if self.windows.counts_packets() { self.sampler.packets_at_the_driver() } else { 0 };
        match self.windows.look(Instant::now(), packets) {
            None => {}
            Some(Edge::Open) => match self.sampler.open_window() {
                Ok(()) => {
                    let sample = self.sampler.sample(false)?;
                    self.keep(sample);
                    self.sampler.every_segment(true);
                }
                Err(error) => {
                    log::warn!("the hooks at the driver could not be attached again: {error}");
                    self.windows.end();
                }
            },
            Some(Edge::Close) => {
                let sample = self.sampler.sample(false)?;
                self.keep(sample);
                self.sampler.close_window();
            }
            Some(Edge::CloseFirst) => {
                let sample = self.sampler.sample(false)?;
                self.keep(sample);
                self.sampler.know_own_cost();
                if let Some(why) = self.run.why_exact() {
                    self.sampler.stays_exact(why);
                    self.windows.end();
                } else {
                    self.sampler.close_window();
                    if let DriverRow::Known(semantics) = self.run.sight().conditions.driver {
                        self.sampler.driver_counts(semantics);
                    }
                }
            }
        }
        Ok(())
    }

    /// Adds the sample that was just taken, and what happened before it. Gives the interval that it ends.
    fn keep(&mut self, sample: Sample) -> Option<Interval> {
        self.keep_events();
        self.recorder.sample(&sample, self.sampler.by_cpu());
        self.run.timeline.push(sample, self.sampler.conditions())
    }

    fn keep_events(&mut self) {
        for event in self.sampler.take_events() {
            let Some(event) = known::event(self.sampler, &event) else { continue };
            if self.run.events.len() < MOST_EVENTS {
                self.recorder.event(&event);
                self.run.events.push(event);
            }
        }
    }
}

fn finish(plan: &Plan, sampler: &Sampler, measured: Measured) -> Result<Ran> {
    let Measured { mut run, recorder, drained, ended_by, child, never_started } = measured;
    let end = known::end(plan, sampler, &ended_by, drained, child.as_ref());
    run.end = Some(end.clone());
    let report = recording::report(&run).context("a run of fewer than two samples")?;
    let end = End { verdict: Some(report.verdict.clone()), ..end };
    let (recorded, recording_failed) = recorder.end(&end);
    let command_failed = child.as_ref().and_then(|ended| match ended {
        Ok(ended) => ended.failure(&plan.command, matches!(ended_by, Ending::Command)),
        Err(error) => Some(error.clone()),
    });
    Ok(Ran { run, report, command_failed, recorded, recording_failed, never_started })
}
