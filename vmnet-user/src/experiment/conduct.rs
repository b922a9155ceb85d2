//! The trials: switch, wait, run the benchmark, look.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use jiff::Zoned;

use super::SHORTEST_INTERVAL;
use super::{
    Observer, Plan, Targets,
    assemble::Gathered,
    measure::{self, Measured},
    recording_name, sizes,
    suspend::suspend,
    switch::{Switch, SwitchError},
};
use crate::benchmark::Iperf3;
use crate::fix::Kernel;
use crate::model::ending::RunEnding;
use crate::model::experiment::{
    Arm, Design, Figures, Guard, MetricId, Rejection, Trial, Turn, effects, whole_blocks,
};
use crate::model::fix::DeviceState;
use crate::model::interface::Interface;
use crate::model::sample::Mode;
use crate::model::verdict::{Confidence, State};
use crate::output::OutputDir;
use crate::report::ab::schema::{EndedBy, ThroughputFrom};
use crate::session;
use crate::session::{Profiler, Ran, Stop};

/// How long the first run of the benchmark may take.
const FIRST_TIMEOUT: Duration = Duration::from_secs(600);
/// A later one may take so many times as long as the first, and a little.
const TIMEOUT_FACTOR: u32 = 3;
const TIMEOUT_ALLOWANCE: Duration = Duration::from_secs(10);
const LONGEST_INTERVAL: Duration = Duration::from_secs(1);
/// So many failures of the benchmark, one after the other, are no accident.
const FAILURES_IN_A_ROW: u32 = 3;

/// vmnet's programs, attached or not as an arm has it.
pub(super) struct Profilers {
    plan: session::Plan,
    attached: Option<(bool, Profiler)>,
    interface: Interface,
    mode: Mode,
}

impl Profilers {
    /// Attaches what the base needs.
    ///
    /// # Errors
    /// When there is no such interface, or the plan insists on what does not work.
    pub(super) fn open(plan: &session::Plan, design: &Design) -> Result<Self> {
        let is_profiled = design.arms.first().is_none_or(Arm::is_profiled);
        let profiler = attach(plan, is_profiled)?;
        if is_profiled && plan.mode.is_none() && profiler.mode() == Mode::Counters {
            anyhow::bail!(
                "without programs no ledger can show that the treatment happened: {}; `--mode counters` does without that proof",
                profiler.notes().join("; ")
            );
        }
        let (interface, mode) = (profiler.interface(plan.netns.as_deref()), profiler.mode());
        Ok(Self { plan: plan.clone(), attached: Some((is_profiled, profiler)), interface, mode })
    }

    pub(super) fn interface(&self, netns: Option<&str>) -> Interface {
        let mut interface = self.interface.clone();
        interface.netns.name = netns.map(str::to_owned);
        interface
    }

    /// The rung of the ladder under the base.
    pub(super) fn mode(&self) -> Mode {
        self.mode
    }

    fn under(&mut self, arm: &Arm) -> Result<&mut Profiler> {
        let wanted = arm.is_profiled();
        if self.attached.as_ref().is_none_or(|(is_profiled, _)| *is_profiled != wanted) {
            // Detached first: both at once would cost twice.
            self.attached = None;
            self.attached = Some((wanted, attach(&self.plan, wanted)?));
        }
        let (_, profiler) = self.attached.as_mut().context("no profiler")?;
        profiler.look_again()?;
        Ok(profiler)
    }
}

fn attach(plan: &session::Plan, is_profiled: bool) -> Result<Profiler> {
    let mode = if is_profiled { plan.mode } else { Some(Mode::Counters) };
    Profiler::attach(&session::Plan { mode, ..plan.clone() })
}

/// An experiment that goes on.
pub(super) struct Conduct<'a, 'k, 'g, K: Kernel> {
    pub(super) plan: &'a Plan,
    pub(super) targets: &'a Targets,
    pub(super) switch: &'a mut Switch<'k, K>,
    pub(super) profilers: &'a mut Profilers,
    pub(super) output: &'a OutputDir,
    pub(super) stop: &'a mut Stop,
    pub(super) observer: &'a mut dyn Observer,
    pub(super) gathered: &'a mut Gathered<'g>,
    pub(super) begun: Instant,
}

/// One run of the benchmark.
enum Gone {
    /// It was run, and this is what it amounts to.
    Through(Box<Tried>),
    /// The experiment ends here.
    Over,
}

struct Tried {
    trial: Trial,
    /// What the benchmark says of itself, and by what else throughput could be told.
    from: ThroughputFrom,
    sizes: Option<crate::report::run::schema::Sizes>,
    causes: Vec<crate::model::cause::Cause>,
}

impl<K: Kernel> Conduct<'_, '_, '_, K> {
    /// The rehearsal, and then block after block. How it ended is in what was gathered.
    ///
    /// # Errors
    /// What is nobody's fault but ours, or the kernel's.
    pub(super) async fn all(&mut self) -> Result<()> {
        let Some(first_s) = self.rehearsal().await? else { return Ok(()) };
        let timeout = self.plan.timeout.unwrap_or_else(|| {
            Duration::from_secs_f64(first_s).saturating_mul(TIMEOUT_FACTOR).saturating_add(TIMEOUT_ALLOWANCE)
        });
        let design = &self.targets.design;
        let mut spent = Spent::default();
        let mut failures = 0;
        for block in 0..design.most_blocks {
            let whole = whole(design, &self.gathered.trials);
            if whole >= design.blocks || whole + (design.most_blocks - block) < design.blocks {
                break;
            }
            self.gathered.blocks_begun = block + 1;
            for turn in design.block(block) {
                let began = Instant::now();
                let number = u32::try_from(self.gathered.trials.len()).unwrap_or(u32::MAX).saturating_add(1);
                let arm = design.arms.get(turn.arm).map_or("", |arm| arm.name.as_str());
                let name = recording_name(number, arm);
                let Gone::Through(tried) = self.trial(turn, number, &name, timeout).await? else {
                    return Ok(());
                };
                let Tried { mut trial, sizes, .. } = *tried;
                self.needs_the_chief_metric(&mut trial);
                spent.add(began.elapsed());
                failures = if rejected_by(&trial, Guard::Benchmark) { failures + 1 } else { 0 };
                let is_valid = trial.is_valid();
                if let (Some(sizes), Some(sum)) =
                    (sizes.filter(|_| is_valid), self.gathered.sizes.get_mut(turn.arm))
                {
                    sizes::add(sum, &sizes);
                }
                let left = spent.left_s(design, &self.gathered.trials, &trial);
                self.observer.trial(&trial, design, left);
                let detail = trial.rejections.first().map(|rejection| rejection.detail.clone());
                self.gathered.trials.push(trial);
                if failures >= FAILURES_IN_A_ROW {
                    self.gathered.ended(EndedBy::BenchmarkFailed, detail);
                    return Ok(());
                }
                // A block with a rejected trial is void, and the rest of it would be for nothing.
                if !is_valid {
                    break;
                }
            }
            let effects = effects(design, &self.gathered.trials);
            self.observer.so_far(&effects, self::whole(design, &self.gathered.trials), design);
        }
        let reached = whole(design, &self.gathered.trials) >= design.blocks;
        self.gathered.ended(if reached { EndedBy::Plan } else { EndedBy::TooManyRejected }, None);
        Ok(())
    }

    /// The benchmark once under the base: what fails at once is not tried forty times, and it tells how long one takes. Returns that, in
    /// seconds; None where the experiment is over.
    async fn rehearsal(&mut self) -> Result<Option<f64>> {
        self.observer.note("running the benchmark once for practice, which is not counted");
        let turn = Turn { block: 0, place: 0, arm: 0 };
        let timeout = self.plan.timeout.unwrap_or(FIRST_TIMEOUT);
        for (attempt, last) in [(1, false), (2, true)] {
            let name = format!("rehearsal-{attempt}.vmnet");
            let Gone::Through(tried) = self.trial(turn, 0, &name, timeout).await? else { return Ok(None) };
            let Tried { trial, from, causes, .. } = *tried;
            let why =
                |guard| trial.rejections.iter().find(|one| one.guard == guard).map(|one| one.detail.clone());
            if let Some(why) = why(Guard::Benchmark) {
                self.gathered.ended(EndedBy::BenchmarkFailed, Some(why));
                return Ok(None);
            }
            // Where somebody else switches, the treatment is not to blame, and the blocks will tell.
            match why(Guard::Treatment).filter(|_| why(Guard::Settings).is_none()) {
                None => {
                    self.gathered.throughput_from = from;
                    self.gathered.interval = interval(self.plan.interval, trial.duration_s);
                    self.gathered.measured = trial.figures.keys().copied().collect();
                    return Ok(Some(trial.duration_s));
                }
                Some(why) if last => {
                    let base = self.targets.design.arms.first().map_or("the base", |arm| arm.name.as_str());
                    // Why TSO is off under an arm that switches it off, everybody knows.
                    if trial.expected == Some(State::Engaged) {
                        self.gathered.causes = causes;
                    }
                    self.gathered.ended(
                        EndedBy::TreatmentNotTaken,
                        Some(format!("two runs of the benchmark under {base}: {why}")),
                    );
                    return Ok(None);
                }
                // Its first packets may have found a cold path.
                Some(_) => {}
            }
        }
        Ok(None)
    }

    /// A trial without what the result is told by is none.
    fn needs_the_chief_metric(&self, trial: &mut Trial) {
        let chief = [MetricId::ThroughputGbps, MetricId::TransactionsPerS]
            .into_iter()
            .find(|metric| self.gathered.measured.contains(metric));
        if let Some(metric) = chief.filter(|metric| trial.is_valid() && !trial.figures.contains_key(metric)) {
            trial.rejections.push(Rejection {
                guard: Guard::Figures,
                detail: format!("no {} was measured", metric.metric().name),
            });
        }
    }

    /// One run of the benchmark, which does not count if it was suspended; practice is begun anew then.
    async fn trial(&mut self, turn: Turn, number: u32, recording: &str, timeout: Duration) -> Result<Gone> {
        loop {
            if let Some(gone) = self.attempt(turn, number, recording, timeout).await? {
                return Ok(gone);
            }
            suspend(self.switch, self.observer);
            self.output.remove(recording);
            if number != 0 {
                let detail = "suspended (Ctrl-Z) while it ran".to_owned();
                let rejection = Rejection { guard: Guard::Settings, detail };
                return Ok(Gone::Through(Box::new(self.not_run(turn, number, rejection))));
            }
        }
    }

    /// The same. None where it is to be suspended.
    async fn attempt(
        &mut self,
        turn: Turn,
        number: u32,
        recording: &str,
        timeout: Duration,
    ) -> Result<Option<Gone>> {
        let design = &self.targets.design;
        let (Some(arm), Some(Ok(target))) = (design.arms.get(turn.arm), self.targets.states.get(turn.arm))
        else {
            anyhow::bail!("arm {} is not there", turn.arm);
        };
        if let Some(signal) = self.stop.came().await {
            return Ok(Some(self.over(EndedBy::Interrupt, format!("{signal} came"))));
        }
        // Between two trials it costs neither.
        if self.stop.take_suspension() {
            suspend(self.switch, self.observer);
        }
        let settled = match self.switch.to(target) {
            Ok(settled) => settled,
            Err(SwitchError::Device(why)) => return Ok(Some(self.over(EndedBy::InterfaceGone, why))),
            Err(SwitchError::NotTaken(lines)) => {
                let rejection = Rejection { guard: Guard::Settings, detail: lines.join("; ") };
                return Ok(Some(Gone::Through(Box::new(self.not_run(turn, number, rejection)))));
            }
        };
        tokio::select! {
            () = tokio::time::sleep(self.plan.cool_down) => {}
            _ = self.stop.wanted() => {}
        }
        if let Some(signal) = self.stop.came().await {
            return Ok(Some(self.over(EndedBy::Interrupt, format!("{signal} came"))));
        }
        if self.stop.take_suspension() {
            return Ok(None);
        }
        let t_s = self.begun.elapsed().as_secs_f64();
        let run = session::Plan {
            duration: Some(timeout),
            // Practice shows whether the light ledger serves here; in a trial, nothing is to run for a segment.
            windows: number == 0,
            interval: self.gathered.interval,
            ..self.plan.run.clone()
        };
        let ran = match self.profilers.under(arm) {
            Ok(profiler) => {
                profiler.run(&run, &Zoned::now(), Some((self.output, recording)), self.stop, &mut Quiet).await
            }
            Err(error) => Err(error),
        };
        let came = self.stop.came().await;
        if came.is_none() && self.stop.take_suspension() {
            return Ok(None);
        }
        let ran = match (ran, self.switch.why_gone()) {
            (Ok(ran), _) => ran,
            (Err(_), Some(why)) => return Ok(Some(self.over(EndedBy::InterfaceGone, why))),
            (Err(error), None) => return Err(error),
        };
        let (ended_by, why) = match ran.report.window.ended_by {
            RunEnding::Interrupt => (Some(EndedBy::Interrupt), "interrupted".to_owned()),
            RunEnding::InterfaceGone | RunEnding::InterfaceRenamed => {
                let why = ran.run.end.as_ref().and_then(|end| end.cut_short.clone());
                (Some(EndedBy::InterfaceGone), why.unwrap_or_default())
            }
            RunEnding::Duration => {
                let after = crate::report::kit::format::duration(timeout.as_secs_f64());
                (
                    Some(EndedBy::BenchmarkFailed),
                    format!("the benchmark had not ended after {after}: it hangs, or --timeout is too short"),
                )
            }
            RunEnding::Command | RunEnding::NotRecorded => (None, String::new()),
        };
        if let Some(ended_by) = ended_by {
            return Ok(Some(self.over(ended_by, why)));
        }
        let drift = match self.switch.drift(&settled) {
            Ok(drift) => drift,
            Err(error) => return Ok(Some(self.over(EndedBy::InterfaceGone, error.to_string()))),
        };
        Ok(Some(Gone::Through(Box::new(self.tried(turn, number, t_s, recording, ran, &settled, drift)))))
    }

    fn over(&mut self, ended_by: EndedBy, why: String) -> Gone {
        self.gathered.ended(ended_by, Some(why));
        Gone::Over
    }

    #[expect(clippy::too_many_arguments, reason = "what one trial is made of")]
    fn tried(
        &mut self,
        turn: Turn,
        number: u32,
        t_s: f64,
        recording: &str,
        ran: Ran,
        settled: &DeviceState,
        mut drift: Vec<String>,
    ) -> Tried {
        let Ran { run, report, command_failed, recording_failed, .. } = ran;
        let from = if number == 0 { self.throughput_from(&report) } else { self.gathered.throughput_from };
        let Measured { measured_s, figures, busiest_cpu } =
            Measured::of(&report, run.timeline.samples(), from, self.plan.warm_up);
        let mut signs = match self.targets.design.arms.get(turn.arm) {
            Some(arm) => measure::signs(&run, &report, arm, settled),
            None => crate::model::experiment::Signs::default(),
        };
        signs.drift.append(&mut drift);
        signs.benchmark_failed = command_failed.map(|why| with_last_words(why, &report));
        if let Some(why) = &recording_failed {
            self.gathered.note(why);
        }
        let tcp = report.ledger.tcp.as_ref().map(|tcp| &tcp.total);
        let trial = Trial {
            number,
            block: turn.block,
            place: turn.place,
            arm: turn.arm,
            t_s,
            duration_s: report.window.duration_s,
            measured_s,
            figures,
            state: report.verdict.state,
            confidence: report.verdict.confidence,
            expected: signs.expected,
            hardware_bytes: tcp.map(|tcp| tcp.hardware_bytes),
            software_bytes: tcp.map(|tcp| tcp.software_bytes),
            payload_bytes: tcp.map(|tcp| tcp.payload_bytes),
            busiest_cpu,
            rejections: self.plan.guards.rejections(&signs),
            recording: recording_failed.is_none().then(|| recording.to_owned()),
        };
        Tried { trial, from, sizes: report.sizes, causes: report.causes.unwrap_or_default() }
    }

    /// The benchmark was not run.
    fn not_run(&self, turn: Turn, number: u32, rejection: Rejection) -> Tried {
        let trial = Trial {
            number,
            block: turn.block,
            place: turn.place,
            arm: turn.arm,
            t_s: self.begun.elapsed().as_secs_f64(),
            duration_s: 0.0,
            measured_s: 0.0,
            figures: Figures::new(),
            state: State::Inconclusive,
            confidence: Confidence::Weak,
            expected: None,
            hardware_bytes: None,
            software_bytes: None,
            payload_bytes: None,
            busiest_cpu: None,
            rejections: vec![rejection],
            recording: None,
        };
        Tried { trial, from: self.gathered.throughput_from, sizes: None, causes: Vec::new() }
    }

    /// What the benchmark says of itself, if it does; else what every arm can be measured by.
    fn throughput_from(&self, report: &crate::report::run::schema::RunReport) -> ThroughputFrom {
        let said = report.benchmark.as_ref().and_then(crate::benchmark::Benchmark::said);
        if said.is_some_and(|said| said.gbps.is_some() || said.transactions_per_s.is_some()) {
            ThroughputFrom::Benchmark
        } else if self.targets.design.arms.iter().all(Arm::is_profiled)
            && self.profilers.mode != Mode::Counters
        {
            ThroughputFrom::Ledger
        } else {
            ThroughputFrom::Counters
        }
    }
}

fn whole(design: &Design, trials: &[Trial]) -> u32 {
    u32::try_from(whole_blocks(design, trials).len()).unwrap_or(u32::MAX)
}

fn rejected_by(trial: &Trial, guard: Guard) -> bool {
    trial.rejections.iter().any(|rejection| rejection.guard == guard)
}

/// The last line that the benchmark printed often says what its exit code does not.
fn with_last_words(why: String, report: &crate::report::run::schema::RunReport) -> String {
    let said =
        report.benchmark.as_ref().and_then(|benchmark| benchmark.stdout.as_deref()).unwrap_or_default();
    match said.lines().rev().map(str::trim).find(|line| line.len() > 1) {
        // What iperf3 says in its JSON is said already.
        Some(last) if Iperf3::error(said.as_bytes()).is_none() => {
            format!("{why}; the last that it printed: {}", crate::report::kit::format::shortened(last, 200))
        }
        _ => why,
    }
}

/// How often a run of that length is looked at: where nothing was asked for, forty times, but not too often nor too rarely for the CPUs' own
/// account, which is in ticks of 10 ms.
fn interval(asked_for: Option<Duration>, run_s: f64) -> Duration {
    asked_for.unwrap_or_else(|| {
        let fortieth = Duration::try_from_secs_f64(run_s / 40.0).unwrap_or(SHORTEST_INTERVAL);
        fortieth.clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL)
    })
}

/// How long trials take.
#[derive(Default)]
struct Spent {
    trials: u32,
    whole: Duration,
}

impl Spent {
    fn add(&mut self, trial: Duration) {
        self.trials += 1;
        self.whole += trial;
    }

    /// What is left if nothing more is rejected.
    fn left_s(&self, design: &Design, trials: &[Trial], last: &Trial) -> Option<f64> {
        let per_block = design.trials_per_block();
        let blocks_left = design.blocks.saturating_sub(whole(design, trials)) as usize;
        // Of the block that goes on, the trials until now are done; of a void one, nothing is left.
        let done = if last.is_valid() { last.place as usize + 1 } else { 0 };
        let left = (blocks_left * per_block).checked_sub(done)?;
        (self.trials > 0).then(|| self.whole.as_secs_f64() / f64::from(self.trials) * left as f64)
    }
}

/// Trials show their result, not their course.
struct Quiet;

impl session::Observer for Quiet {
    fn begin(&mut self, _: &Interface, _: Mode, _: &[String]) {}

    fn interval(&mut self, _: &crate::model::throughput::Interval, _: Mode) {}
}
