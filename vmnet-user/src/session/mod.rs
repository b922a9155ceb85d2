//! The run loop: attach, tick, stop, drain, and say what was seen.

mod caller;
mod child;
mod interface;
mod known;
mod netns;
mod recorder;
mod sampler;
mod stop;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail};
use jiff::Zoned;
use nix::sys::signal::Signal;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

pub use self::{
    caller::Caller,
    interface::describe as describe_interface,
    netns::{NetnsError, enter as enter_netns},
};
use self::{child::Child, recorder::Recorder, sampler::Sampler, stop::Stop};
use crate::{
    device::links::LinkError,
    kernel::permissions,
    model::{
        sample::{Mode, Sample},
        throughput::Interval,
        timeline::Timeline,
    },
    probes::{self, ProbeError, Request},
    recording::{self, End, MOST_EVENTS, Run, Surroundings},
    report::{
        files::OutputDir,
        schema::{Interface, RunReport},
    },
};

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
    /// Hooks to leave out.
    pub without_hooks: Vec<String>,
    /// Ways to insist on.
    pub ways: Vec<(String, String)>,
    /// The words of the command; empty for none.
    pub command: Vec<String>,
    /// Whether standard output belongs to JSON, so that the command's output goes to standard error.
    pub json_on_stdout: bool,
    /// Where reports go.
    pub output: PathBuf,
    /// Pass on what the programs log.
    pub verbose: bool,
    /// Measure what the programs cost.
    pub overhead: bool,
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
    let mut sampler = Sampler::open(&plan.interface)?;
    let start = Zoned::now();
    // First what decides whether there is a run at all: who may not load programs learns that, whatever the directory.
    let notes = attach(plan, &mut sampler)?;
    let output = OutputDir::prepare(&plan.output, &plan.interface, &start, plan.caller.owner())?;
    permissions::drop_privileges().unwrap_or_else(|error| log::debug!("capabilities stay: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let machine = known::machine(&sampler.link.name);
    let beginning = Beginning { notes: &notes, time: &start, machine, output: &output };
    match runtime.block_on(measure(plan, &mut sampler, beginning, observer)) {
        Ok(measured) => finish(plan, &sampler, measured, &output),
        Err(error) => {
            output.remove(recording::FILE);
            output.remove_if_empty();
            Err(error)
        }
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
        without: plan.without_hooks.clone(),
        ways: plan.ways.clone(),
        verbose: plan.verbose,
        run_times: plan.overhead,
    };
    match probes::attach(&request) {
        Ok(attached) => {
            let notes = attached.fell_because.clone();
            sampler.use_programs(attached);
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
}

/// What ended a run.
#[derive(Debug)]
enum Ending {
    Duration,
    Command,
    Interrupt(Signal),
    Gone(String),
    Renamed { text: String, now: String },
}

impl Ending {
    fn name(&self) -> &'static str {
        match self {
            Self::Duration => "duration",
            Self::Command => "command",
            Self::Interrupt(_) => "interrupt",
            Self::Gone(_) => "interface-gone",
            Self::Renamed { .. } => "interface-renamed",
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
    output: &'a OutputDir,
}

async fn measure(
    plan: &Plan,
    sampler: &mut Sampler,
    beginning: Beginning<'_>,
    observer: &mut dyn Observer,
) -> Result<Measured> {
    let mut stop = Stop::listen()?;
    sampler.discard_events();
    let (first, rested) = sampler.first().await?;
    observer.begin(&sampler.interface(plan.netns.as_deref()), sampler.mode(), beginning.notes);

    let Beginning { notes, time, machine, output } = beginning;
    let start = known::start(plan, sampler, notes, time, machine, rested);
    let mut recorder = Recorder::begin(output, &start, &first, sampler.by_cpu());
    let mut run = Run { start, timeline: Timeline::default(), events: Vec::new(), end: None, torn: None };
    run.timeline.push(first, sampler.conditions());

    let mut child = None;
    let mut child_ended = None;
    if !plan.command.is_empty() {
        match Child::start(&plan.command, &plan.caller, plan.json_on_stdout) {
            Ok(started) => child = Some(started),
            Err(error) => child_ended = Some(Err(error)),
        }
    }
    let mut watch = Watch { plan, sampler, run: &mut run, recorder: &mut recorder, observer };
    let mut ended_by = if child_ended.is_some() {
        Ending::Command
    } else {
        watch.until_it_ends(&mut child, &mut stop).await?
    };
    if let Some(child) = &mut child {
        match ended_by {
            Ending::Command => {}
            Ending::Interrupt(signal) => child.interrupted(signal, &mut stop).await,
            _ => child.end(&mut stop).await,
        }
    }

    let mut drained = false;
    while !matches!(ended_by, Ending::Gone(_)) {
        if let Ending::Renamed { now, .. } = &ended_by {
            watch.sampler.follow(now);
        }
        match watch.sampler.drain(DRAIN, DRAIN_LOOK, &mut stop).await {
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
    Ok(Measured { run, recorder, drained, ended_by, child: child_ended })
}

/// The loop proper.
struct Watch<'a> {
    plan: &'a Plan,
    sampler: &'a mut Sampler,
    run: &'a mut Run,
    recorder: &'a mut Recorder,
    observer: &'a mut dyn Observer,
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
            tokio::select! {
                biased;
                signal = stop.wanted() => return Ok(Ending::Interrupt(signal)),
                () = command_ends => return Ok(Ending::Command),
                () = time_is_up => return Ok(Ending::Duration),
                _ = ticks.tick() => {}
            }
            if let Err(error) = self.tick() {
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

fn finish(plan: &Plan, sampler: &Sampler, measured: Measured, output: &OutputDir) -> Result<Outcome> {
    let Measured { mut run, recorder, drained, ended_by, child } = measured;
    let end = known::end(sampler, &ended_by, drained, child.as_ref());
    run.end = Some(end.clone());
    let report = recording::report(&run).context("a run of fewer than two samples")?;
    let end = End { verdict: Some(report.verdict.clone()), ..end };
    let (recorded, recording_failed) = recorder.end(&end);
    let command_failed = child.as_ref().and_then(|ended| match ended {
        Ok(ended) => ended.failure(&plan.command, matches!(ended_by, Ending::Command)),
        Err(error) => Some(error.clone()),
    });
    let (mut files, files_failed) = match output.write(&report) {
        Ok(files) => (files, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    files.push(recorded);
    Ok(Outcome { report, command_failed, files, files_failed: files_failed.or(recording_failed) })
}
