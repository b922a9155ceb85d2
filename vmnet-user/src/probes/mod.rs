//! Load, attach, read: the only module that knows aya. Out comes a [`Snapshot`].

pub mod events;
mod head;
mod info;
mod ladder;
pub mod path;
pub mod survey;

use std::{
    any::Any,
    collections::HashMap,
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use aya::{
    Ebpf, EbpfLoader,
    maps::{Map, MapData, PerCpuArray, RingBuf},
    programs::{
        Program as LoadedProgram,
        perf_event::{PerfEventConfig, PerfEventScope, SamplePolicy, SoftwareEvent},
    },
};
use thiserror::Error;
use vmnet_common::{Config, Counters, PerCpu, Watch};

pub use self::ladder::{Attached, KeepRunTimes, Request, attach};
use self::{events::RareEvent, ladder::Symbols};
use crate::{
    kernel::BtfError,
    model::{
        hook::{HookState, Kind, Program, Spec, Way},
        sample::MissedByKernel,
    },
};

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/vmnet-ebpf"));

/// Between stack samples of one CPU, where they are taken all the time: 49 a second, out of step with timers. One takes up to 31 µs in a
/// virtual machine.
const BETWEEN_SAMPLES: Duration = Duration::from_micros(20_411);
/// In windows, which are a hundredth of the time: as many as tell something, and still a thirtieth of a window.
const BETWEEN_SAMPLES_IN_WINDOWS: Duration = Duration::from_micros(1_003);

/// Why programs are not counting.
#[derive(Debug, Error)]
pub enum ProbeError {
    /// A build without the kernel side.
    #[error("this vmnet was built without its kernel side; build it with `cargo xtask build`")]
    NoObject,
    /// No permission.
    #[error("{0}")]
    NotPermitted(String),
    /// No types.
    #[error(transparent)]
    Btf(#[from] BtfError),
    /// The object as a whole was refused.
    #[error("loading the programs failed: {0}")]
    Object(String),
    /// A hook that the rung cannot do without was refused.
    #[error("{rung}: {hook}: {reason}")]
    Refused {
        /// The rung's name.
        rung: &'static str,
        /// The kernel's name for the hook.
        hook: &'static str,
        /// What the kernel answered.
        reason: String,
    },
    /// A setting of the kernel's keeps all programs out.
    #[error("{0}")]
    KeptOut(String),
    /// Reading counts failed.
    #[error("reading the programs' counters failed: {0}")]
    Read(String),
}

/// aya asks for its own marker; the layout is already checked by bytemuck's.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct PodPerCpu(PerCpu);
// SAFETY: `PerCpu` is `bytemuck::Pod`: any bit pattern is valid and there is no padding.
unsafe impl aya::Pod for PodPerCpu {}

#[derive(Clone, Copy)]
#[repr(transparent)]
struct PodConfig(Config);
// SAFETY: as for `PodPerCpu`.
unsafe impl aya::Pod for PodConfig {}

/// What the programs have counted, at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Summed over CPUs.
    pub counters: Box<Counters>,
    /// Each CPU's, those that are offline too: a CPU's place is its number.
    pub by_cpu: Vec<Counters>,
    /// What the kernel did not run.
    pub missed: MissedByKernel,
}

/// One hook, as it came out.
#[derive(Clone, Debug)]
pub struct HookOutcome {
    /// Which.
    pub spec: &'static Spec,
    /// The way it is attached by.
    pub way: Option<&'static Way>,
    /// How it takes part.
    pub state: HookState,
    /// Why not, or why not by a better way.
    pub reason: Option<String>,
}

/// How long a hook stays attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stay {
    /// As long as there are programs.
    Always,
    /// In windows.
    EveryWindow,
    /// In the first.
    FirstWindow,
}

/// What one program ran.
#[derive(Clone, Copy, Debug)]
pub struct RunTime {
    /// Its name in the object.
    pub program: &'static str,
    /// How it is attached.
    pub kind: Kind,
    /// For whatever interface, the kernel's clock reads included.
    pub run: Run,
    /// What an empty program beside it ran, of the same kind at the same place: the price of measuring. None where it could not be
    /// attached.
    pub empty: Option<Run>,
    /// Whether it counts all the time, not in windows alone.
    pub stays: bool,
}

/// Runs of one program.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// How many.
    pub events: u64,
    /// The time they took.
    pub total: Duration,
}

impl Run {
    /// Nanoseconds of one; None where there was none.
    #[must_use]
    pub fn ns_per_event(&self) -> Option<f64> {
        (self.events != 0).then(|| self.total.as_nanos() as f64 / self.events as f64)
    }
}

/// Programs in the kernel, counting. They stop when this is dropped.
pub struct Probes {
    // Holds the programs.
    ebpf: Ebpf,
    counters: PerCpuArray<MapData, PodPerCpu>,
    events: RingBuf<MapData>,
    programs: Vec<&'static Program>,
    /// Those that count all the time, by the name that they have in the object, in the order of attaching.
    always: Vec<(String, &'static Program)>,
    /// What keeps them attached.
    links: Vec<Box<dyn Any>>,
    /// Those that every window has, in the order of attaching. The first window has all that can be detached.
    every_window: Vec<&'static Program>,
    between_samples: Duration,
    /// What keeps them attached, in the order of attaching; empty while no window is open.
    window_links: Vec<Box<dyn Any>>,
    // Read when it is attached: later the kernel does not tell, as privileges are dropped.
    instructions: HashMap<&'static str, u64>,
    log: Option<aya_log::EbpfLogger<&'static dyn log::Log>>,
    // The kernel keeps run times while this is open.
    stats: Option<OwnedFd>,
}

impl Probes {
    fn load(
        config: &Config,
        watch: Option<&Watch>,
        btf: &aya::Btf,
        verbose: bool,
    ) -> Result<Self, ProbeError> {
        let object_error = |error: &dyn std::error::Error| ProbeError::Object(chain(error));
        let config = PodConfig(*config);
        let watch = watch.map(|watch| path::PodWatch(*watch));
        let mut loader = EbpfLoader::new();
        loader.btf(Some(btf)).override_global("CONFIG", &config, true);
        if let Some(watch) = &watch {
            loader.override_global("WATCH", watch, true);
        }
        let mut ebpf = loader.load(OBJECT).map_err(|error| object_error(&error))?;
        let mut take = |name: &str| -> Result<Map, ProbeError> {
            ebpf.take_map(name).ok_or_else(|| ProbeError::Object(format!("the object has no map {name}")))
        };
        let counters = PerCpuArray::try_from(take("COUNTERS")?).map_err(|error| object_error(&error))?;
        let events = RingBuf::try_from(take("EVENTS")?).map_err(|error| object_error(&error))?;
        let log = if verbose {
            Some(aya_log::EbpfLogger::init(&mut ebpf).map_err(|error| object_error(&error))?)
        } else {
            None
        };
        Ok(Self {
            ebpf,
            counters,
            events,
            programs: Vec::new(),
            always: Vec::new(),
            links: Vec::new(),
            every_window: Vec::new(),
            between_samples: BETWEEN_SAMPLES,
            window_links: Vec::new(),
            instructions: HashMap::new(),
            log,
            stats: None,
        })
    }

    /// Stack samples will be taken in windows only, and there more often.
    fn sample_in_windows(&mut self) {
        self.between_samples = BETWEEN_SAMPLES_IN_WINDOWS;
    }

    /// Attaches all programs of a way, or none. Those that are for windows can be detached again.
    fn attach_way(
        &mut self,
        way: &'static Way,
        stay: Stay,
        symbols: &Symbols,
        btf: &aya::Btf,
    ) -> Result<(), String> {
        for program in way.programs {
            symbols.require(program)?;
            self.load_program(program.name, program, btf)?;
        }
        for program in way.programs {
            let links = self.attach_program(program.name, program)?;
            if stay == Stay::Always {
                self.links.extend(links);
                self.always.push((program.name.to_owned(), program));
            } else {
                self.window_links.extend(links);
            }
            if stay == Stay::EveryWindow {
                self.every_window.push(program);
            }
            self.programs.push(program);
            let instructions = self.stats(program.name).and_then(|stats| stats.instructions);
            self.instructions.extend(instructions.map(|count| (program.name, count)));
        }
        Ok(())
    }

    /// Attaches again what every window has, for a while.
    ///
    /// # Errors
    /// What the kernel answered; then none of it is attached.
    pub fn open_window(&mut self) -> Result<(), String> {
        for program in self.every_window.clone() {
            match self.attach_program(program.name, program) {
                Ok(links) => self.window_links.extend(links),
                Err(error) => {
                    self.close_window();
                    return Err(format!("{}: {error}", program.name));
                }
            }
        }
        Ok(())
    }

    /// Detaches what is attached for a window. Entries go before exits, or what entered would wait for its exit for good.
    pub fn close_window(&mut self) {
        while let Some(link) = self.window_links.pop() {
            // A link ends with its value.
            drop(link);
        }
    }

    /// Detaches everything, as if nothing had been attached; what was loaded stays so.
    fn let_go(&mut self) {
        self.pause();
        self.programs.clear();
        self.every_window.clear();
        self.always.clear();
        self.instructions.clear();
    }

    /// Detaches everything until [`Self::resume`]: for those who measure what watching costs.
    pub fn pause(&mut self) {
        self.close_window();
        while let Some(link) = self.links.pop() {
            drop(link);
        }
    }

    /// Attaches again what counts all the time.
    ///
    /// # Errors
    /// What the kernel answered; then none of it is attached.
    pub fn resume(&mut self) -> Result<(), String> {
        for (name, program) in self.always.clone() {
            match self.attach_program(&name, program) {
                Ok(links) => self.links.extend(links),
                Err(error) => {
                    self.pause();
                    return Err(format!("{name}: {error}"));
                }
            }
        }
        Ok(())
    }

    /// Puts an empty program in the place of each that counts all the time, from the next [`Self::resume`] on: the price of the
    /// hooks themselves.
    ///
    /// # Errors
    /// What the kernel answered.
    pub fn become_empty(&mut self) -> Result<(), String> {
        self.pause();
        let btf = aya::Btf::from_sys_fs().map_err(|error| chain(&error))?;
        for (_, program) in self.always.clone() {
            self.load_program(&empty_twin(program), program, &btf)?;
        }
        for (name, program) in &mut self.always {
            *name = empty_twin(program);
        }
        Ok(())
    }

    /// Attaches an empty program beside each that is attached. One that is refused is left out: its program's net time is then not known.
    fn attach_empty(&mut self, btf: &aya::Btf) {
        for program in self.programs.clone() {
            let name = empty_twin(program);
            let attached =
                self.load_program(&name, program, btf).and_then(|()| self.attach_program(&name, program));
            match attached {
                Ok(links) => self.links.extend(links),
                Err(error) => log::warn!("{name}: {error}"),
            }
        }
    }

    /// Loads the program of that name in the way of `program`, unless it is.
    fn load_program(&mut self, name: &str, program: &Program, btf: &aya::Btf) -> Result<(), String> {
        let loaded = self.program(name)?;
        if loaded.fd().is_ok() {
            return Ok(());
        }
        match loaded {
            LoadedProgram::BtfTracePoint(loaded) => loaded.load(program.target, btf),
            LoadedProgram::RawTracePoint(loaded) => loaded.load(),
            LoadedProgram::FEntry(loaded) => loaded.load(program.target, btf),
            LoadedProgram::FExit(loaded) => loaded.load(program.target, btf),
            LoadedProgram::KProbe(loaded) => loaded.load(),
            LoadedProgram::PerfEvent(loaded) => loaded.load(),
            _ => return Err(format!("{name} is of an unexpected kind")),
        }
        .map_err(|error| format!("not loaded ({})", brief(&error)))
    }

    /// Attaches the program of that name where `program` says. It stays attached as long as the links live.
    fn attach_program(&mut self, name: &str, program: &Program) -> Result<Vec<Box<dyn Any>>, String> {
        let refused = |error: aya::programs::ProgramError| format!("not attached ({})", chain(&error));
        macro_rules! held {
            ($loaded:ident, $attached:expr) => {
                $attached
                    .and_then(|id| $loaded.take_link(id))
                    .map(|link| vec![Box::new(link) as Box<dyn Any>])
            };
        }
        let between = self.between_samples;
        match self.program(name)? {
            LoadedProgram::BtfTracePoint(loaded) => held!(loaded, loaded.attach()),
            LoadedProgram::RawTracePoint(loaded) => held!(loaded, loaded.attach(program.target)),
            LoadedProgram::FEntry(loaded) => held!(loaded, loaded.attach()),
            LoadedProgram::FExit(loaded) => held!(loaded, loaded.attach()),
            LoadedProgram::KProbe(loaded) => held!(loaded, loaded.attach(program.target, 0)),
            LoadedProgram::PerfEvent(loaded) => {
                let mut links: Vec<Box<dyn Any>> = Vec::new();
                for cpu in sampled_cpus()? {
                    let id = sample_on(loaded, cpu, between)?;
                    links.push(Box::new(loaded.take_link(id).map_err(refused)?));
                }
                Ok(links)
            }
            _ => return Err(format!("{name} is of an unexpected kind")),
        }
        .map_err(refused)
    }

    fn program(&mut self, name: &str) -> Result<&mut LoadedProgram, String> {
        self.ebpf.program_mut(name).ok_or_else(|| format!("the object has no program {name}"))
    }

    /// Reads every count. The counters of one CPU are read in one go; CPUs follow each other within microseconds.
    ///
    /// # Errors
    /// [`ProbeError::Read`].
    pub fn snapshot(&self) -> Result<Snapshot, ProbeError> {
        let per_cpu = self.counters.get(&0, 0).map_err(|error| ProbeError::Read(chain(&error)))?;
        let by_cpu: Vec<Counters> = per_cpu.iter().map(|cpu| cpu.0.counters).collect();
        let mut counters = Box::<Counters>::default();
        for cpu in &by_cpu {
            counters.add(cpu);
        }
        Ok(Snapshot { counters, by_cpu, missed: self.missed() })
    }

    fn missed(&self) -> MissedByKernel {
        let mut missed = MissedByKernel { recursion_misses: Some(0), kprobe_misses: None };
        for program in &self.programs {
            let stats = self.stats(program.name).and_then(|stats| stats.recursion_misses);
            missed.recursion_misses = missed.recursion_misses.zip(stats).map(|(sum, term)| sum + term);
        }
        if self.programs.iter().any(|program| matches!(program.kind, Kind::Kprobe | Kind::Kretprobe)) {
            missed.kprobe_misses = info::kprobe_misses();
        }
        missed
    }

    fn stats(&self, name: &str) -> Option<info::ProgramStats> {
        let fd = self.ebpf.program(name)?.fd().ok()?;
        info::program(fd.as_fd())
    }

    /// Rare events since the last call, oldest first.
    pub fn events(&mut self) -> Vec<RareEvent> {
        let mut events = Vec::new();
        while let Some(record) = self.events.next() {
            events.extend(events::decode(&record));
        }
        events
    }

    /// Passes on what the programs logged.
    pub fn flush_log(&mut self) {
        if let Some(log) = &mut self.log {
            log.flush();
        }
    }

    fn keep_run_times(&mut self) -> Result<(), String> {
        self.stats = Some(aya::sys::enable_stats(aya::sys::Stats::RunTime).map_err(|error| chain(&error))?);
        Ok(())
    }

    /// The kernel keeps run times no longer.
    pub fn forget_run_times(&mut self) {
        self.stats = None;
    }

    /// How many instructions a program has as the kernel runs it; None where it is not attached, or the kernel does not tell.
    #[must_use]
    pub fn instructions(&self, program: &Program) -> Option<u64> {
        self.instructions.get(program.name).copied()
    }

    /// What each attached program ran, if the kernel was asked to keep it.
    #[must_use]
    pub fn run_times(&self) -> Option<Vec<RunTime>> {
        self.stats.as_ref()?;
        let run = |name: &str| {
            let stats = self.stats(name)?;
            Some(Run { events: stats.run_count, total: Duration::from_nanos(stats.run_ns) })
        };
        let run_time = |program: &&'static Program| {
            let empty = run(&empty_twin(program));
            let stays = self.always.iter().any(|(_, always)| always.name == program.name);
            Some(RunTime { program: program.name, kind: program.kind, run: run(program.name)?, empty, stays })
        };
        Some(self.programs.iter().filter_map(run_time).collect())
    }
}

fn sampled_cpus() -> Result<Vec<u32>, String> {
    aya::util::online_cpus().map_err(|(_, error)| format!("not attached ({})", chain(&error)))
}

fn sample_on(
    program: &mut aya::programs::PerfEvent,
    cpu: u32,
    between: Duration,
) -> Result<aya::programs::perf_event::PerfEventLinkId, String> {
    program
        .attach(
            PerfEventConfig::Software(SoftwareEvent::CpuClock),
            PerfEventScope::AllProcessesOneCpu { cpu },
            SamplePolicy::Period(u64::try_from(between.as_nanos()).unwrap_or(u64::MAX)),
            true,
        )
        .map_err(|error| format!("not attached ({})", chain(&error)))
}

/// The name of the empty program that belongs beside it.
fn empty_twin(program: &Program) -> String {
    format!("empty_{}", program.name)
}

/// An error with all that caused it, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    without_number(&text)
}

/// Without Rust's ` (os error 1)` at the end: the words before it say the same.
fn without_number(text: &str) -> String {
    let words = text.rsplit_once(" (os error ").filter(|(_, number)| number.ends_with(')'));
    words.map_or(text, |(words, _)| words).to_owned()
}

/// What the kernel answered to a load. The verifier's whole log is for `RUST_LOG=debug`.
fn brief(error: &aya::programs::ProgramError) -> String {
    match error {
        aya::programs::ProgramError::LoadError { io_error, verifier_log } => {
            log::debug!("verifier: {verifier_log}");
            let log = verifier_log.to_string();
            let complaint = log.lines().rev().find(|line| {
                !line.trim().is_empty()
                    && ["processed", "verification time", "stack depth"]
                        .iter()
                        .all(|noise| !line.starts_with(noise))
            });
            let answer = without_number(&io_error.to_string());
            match complaint {
                Some(complaint) => format!("{answer}; verifier: {complaint}"),
                None => answer,
            }
        }
        other => chain(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_answer_is_told_in_words_alone() {
        let refused = std::io::Error::from_raw_os_error(libc::EPERM);
        assert_eq!(chain(&refused), "Operation not permitted");
        assert_eq!(without_number("nothing to (take) away"), "nothing to (take) away");
    }
}
