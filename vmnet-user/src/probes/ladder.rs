//! The ladder: fentry/fexit, then kprobe/kretprobe, then tracepoints alone. A rung is chosen by trying, never by version.

use std::{panic::resume_unwind, thread};

use vmnet_common::{Config, Extras, Watch};

use super::{HookOutcome, ProbeError, Probes, Stay, head};
use crate::{
    kernel::{Btf, gso_bits, layout, permissions, restrictions, symbols},
    model::{
        hook::{HOOKS, HookState, Hooks, Kind, Part, Program, Spec, Way},
        sample::{Counting, Mode},
    },
};

/// What is wanted.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The interface.
    pub ifindex: u32,
    /// Inode of its network namespace.
    pub netns_inum: u32,
    /// A rung, or the best that works.
    pub mode: Option<Mode>,
    /// Which packets are counted: what is for windows only is attached too, and can be detached.
    pub counting: Counting,
    /// Hooks to leave out, by name: the audit must notice.
    pub without: Vec<String>,
    /// Ways to insist on, as (hook, kind): `("net_dev_queue", "raw_tp")`.
    pub ways: Vec<(String, String)>,
    /// Pass on what the programs log.
    pub verbose: bool,
    /// How long the kernel is asked to keep run times.
    pub run_times: KeepRunTimes,
}

/// How long the kernel keeps the programs' run times, which costs two clock reads for each run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeepRunTimes {
    /// Not at all.
    #[default]
    Never,
    /// Until [`Probes::forget_run_times`].
    InTheFirstWindow,
    /// As long as there are programs, with an empty program beside each: what measuring costs.
    Always,
}

/// Programs that count, and how it came to these.
pub struct Attached {
    /// The programs.
    pub probes: Probes,
    /// The rung.
    pub mode: Mode,
    /// Why no higher rung.
    pub fell_because: Vec<String>,
    /// Hook by hook.
    pub hooks: Vec<HookOutcome>,
}

impl Attached {
    /// As the model sees it.
    #[must_use]
    pub fn hook_states(&self) -> Hooks {
        self.hooks.iter().map(|outcome| (outcome.spec.hook, outcome.state)).collect()
    }
}

/// Tries the rungs from the top, or only the one asked for.
///
/// # Errors
/// The reason of each rung tried; where one setting of the kernel's is behind them all, that alone.
pub fn attach(request: &Request) -> Result<Attached, Vec<ProbeError>> {
    let attached = try_rungs(request);
    give_back_memory();
    attached.map_err(in_one_line)
}

/// What the kernel answered hook by hook says less than the setting that made it.
pub(super) fn in_one_line(refusals: Vec<ProbeError>) -> Vec<ProbeError> {
    let behind = |error: &ProbeError| match error {
        ProbeError::Refused { reason, .. } | ProbeError::Object(reason) => restrictions::behind(reason),
        _ => None,
    };
    let settings: Option<Vec<String>> = refusals.iter().map(behind).collect();
    match settings.unwrap_or_default().as_slice() {
        [first, rest @ ..] if rest.iter().all(|setting| setting == first) => {
            vec![ProbeError::KeptOut(first.clone())]
        }
        _ => refusals,
    }
}

fn try_rungs(request: &Request) -> Result<Attached, Vec<ProbeError>> {
    let environment = Environment::read(request).map_err(|error| vec![error])?;
    let rungs: &[Mode] = match request.mode {
        Some(Mode::Fentry) => &[Mode::Fentry],
        Some(Mode::Kprobe) => &[Mode::Kprobe],
        Some(Mode::Tracepoint) => &[Mode::Tracepoint],
        _ => &[Mode::Fentry, Mode::Kprobe, Mode::Tracepoint],
    };
    let mut probes = environment.load(request).map_err(|error| vec![error])?;
    let mut refusals = Vec::new();
    for mode in rungs {
        match environment.climb(&mut probes, *mode, request) {
            Ok(hooks) => {
                let fell_because = refusals.iter().map(ToString::to_string).collect();
                return Ok(Attached { probes, mode: *mode, fell_because, hooks });
            }
            Err(error) => refusals.push(error),
        }
        probes.let_go();
    }
    Err(refusals)
}

/// What every rung needs to know of this kernel.
pub(super) struct Environment {
    config: Config,
    pub(super) symbols: Symbols,
    // aya's reader, for its loader; parsed once.
    pub(super) btf: aya::Btf,
}

impl Environment {
    pub(super) fn read(request: &Request) -> Result<Self, ProbeError> {
        if super::OBJECT.is_empty() {
            return Err(ProbeError::NoObject);
        }
        if let Some(reason) = permissions::why_no_bpf() {
            return Err(ProbeError::NotPermitted(reason));
        }
        raise_memory_limit();
        // Reading and parsing take most of the time until the first sample, and do not need each other.
        let (btf, for_loader, functions) = thread::scope(|scope| {
            let for_loader = scope.spawn(aya::Btf::from_sys_fs);
            let functions = scope.spawn(Functions::read);
            let btf = Btf::running();
            (btf, for_loader.join(), functions.join())
        });
        let btf = btf?;
        let layout = layout::resolve(&btf)?;
        let gso = gso_bits::resolve(&btf)?;
        let loads_from_head = head::can_be_loaded_from(&btf, layout.skb_head);
        let symbols = Symbols { btf, functions: functions.unwrap_or_else(|panic| resume_unwind(panic)) };
        let segment = symbols.function("__skb_gso_segment");
        let config = Config {
            ifindex: request.ifindex,
            netns_inum: request.netns_inum,
            layout,
            gso,
            extras: Extras::ALL,
            loads_from_head: u32::from(loads_from_head),
            verbose: u32::from(request.verbose),
            segment_start: segment.map_or(0, |function| function.start),
            segment_end: segment.map_or(0, |function| function.end),
        };
        let btf = for_loader
            .unwrap_or_else(|panic| resume_unwind(panic))
            .map_err(|error| ProbeError::Object(super::chain(&error)))?;
        Ok(Self { config, symbols, btf })
    }

    /// For programs that count at these devices.
    pub(super) fn load_watching(&self, watch: &Watch) -> Result<Probes, ProbeError> {
        Probes::load(&self.config, Some(watch), &self.btf, false)
    }

    fn load(&self, request: &Request) -> Result<Probes, ProbeError> {
        let mut probes = Probes::load(&self.config, None, &self.btf, request.verbose)?;
        if request.counting == Counting::Light {
            probes.sample_in_windows();
        }
        if request.run_times != KeepRunTimes::Never
            && let Err(error) = probes.keep_run_times()
        {
            let how_loud =
                if request.run_times == KeepRunTimes::Always { log::Level::Warn } else { log::Level::Debug };
            log::log!(how_loud, "the kernel does not keep run times of programs: {error}");
        }
        Ok(probes)
    }

    /// Attaches what this rung has. Gives each hook as it came out.
    fn climb(
        &self,
        probes: &mut Probes,
        mode: Mode,
        request: &Request,
    ) -> Result<Vec<HookOutcome>, ProbeError> {
        let mut hooks = Vec::new();
        for spec in &HOOKS {
            let outcome = self.attach_hook(probes, spec, mode, request);
            if outcome.state == HookState::Absent && spec.needed_by.contains(&mode) {
                return Err(ProbeError::Refused {
                    rung: mode.name(),
                    hook: spec.name,
                    reason: outcome.reason.unwrap_or_default(),
                });
            }
            hooks.push(outcome);
        }
        if request.run_times == KeepRunTimes::Always {
            probes.attach_empty(&self.btf);
        }
        Ok(hooks)
    }

    fn attach_hook(
        &self,
        probes: &mut Probes,
        spec: &'static Spec,
        mode: Mode,
        request: &Request,
    ) -> HookOutcome {
        let mut outcome = HookOutcome { spec, way: None, state: HookState::Absent, reason: None };
        if request.without.iter().any(|name| name == spec.name) {
            outcome.state = HookState::SwitchedOff;
            outcome.reason = Some("switched off by --without-hook".to_owned());
            return outcome;
        }
        let insisted = request.ways.iter().find(|(hook, _)| hook == spec.name).map(|(_, kind)| kind);
        let stay = match (request.counting, spec.part) {
            (Counting::Light, Part::EveryWindow) => Stay::EveryWindow,
            (Counting::Light, Part::FirstWindow) => Stay::FirstWindow,
            (Counting::Light, Part::Always) | (Counting::Exact, _) => Stay::Always,
        };
        let mut reasons = Vec::new();
        for way in ways(spec, mode) {
            if insisted.is_some_and(|kind| way.programs.iter().all(|program| program.kind.name() != kind)) {
                continue;
            }
            match probes.attach_way(way, stay, &self.symbols, &self.btf) {
                Ok(()) => {
                    outcome.way = Some(way);
                    outcome.state = HookState::Attached;
                    break;
                }
                Err(reason) => reasons.push(format!("{} {reason}", way.name())),
            }
        }
        if !reasons.is_empty() {
            outcome.reason = Some(reasons.join("; "));
        } else if outcome.way.is_none() {
            outcome.reason = Some(spec.why_no_way.to_owned());
        }
        outcome
    }

    /// Tries one way on its own and takes it down again.
    pub(super) fn try_way(&self, way: &'static Way) -> Result<(), String> {
        Probes::load(&self.config, None, &self.btf, false).map_err(|error| error.to_string())?.attach_way(
            way,
            Stay::Always,
            &self.symbols,
            &self.btf,
        )
    }
}

fn ways(spec: &Spec, mode: Mode) -> impl Iterator<Item = &'static Way> {
    spec.ways.iter().filter(move |way| way.rung.is_none_or(|rung| rung == mode))
}

/// Functions and tracepoints that this kernel has.
pub(super) struct Symbols {
    btf: Btf,
    functions: Functions,
}

/// Those functions among the hooks that the kernel has.
struct Functions {
    found: Vec<(&'static str, symbols::Function)>,
    unreadable: Option<String>,
}

impl Functions {
    fn read() -> Self {
        let names: Vec<&'static str> = HOOKS
            .iter()
            .flat_map(|spec| spec.ways)
            .flat_map(|way| way.programs)
            .filter(|program| is_function(program.kind))
            .map(|program| program.target)
            .collect();
        match symbols::lookup(&names) {
            Ok(found) => Self { found: names.into_iter().zip(found).collect(), unreadable: None },
            Err(error) => Self { found: Vec::new(), unreadable: Some(error.to_string()) },
        }
    }
}

impl Symbols {
    fn function(&self, name: &str) -> Option<symbols::Function> {
        self.functions.found.iter().find(|(known, _)| *known == name).map(|(_, function)| *function)
    }

    /// Attaching to a function that is there twice, or not as itself, would count something else.
    pub(super) fn require(&self, program: &Program) -> Result<(), String> {
        let target = program.target;
        match program.kind {
            Kind::TpBtf if !self.btf.has_tracepoint(target) => {
                Err(format!("this kernel's BTF has no tracepoint {target}"))
            }
            Kind::PerfEvent => match self.function("__skb_gso_segment") {
                Some(function) if function.start != 0 => Ok(()),
                _ => Err("the address of __skb_gso_segment is not known (kernel.kptr_restrict?)".to_owned()),
            },
            kind if is_function(kind) => {
                if !self.btf.has_function(target) {
                    return Err(format!("this kernel's BTF has no function {target}"));
                }
                if let Some(error) = &self.functions.unreadable {
                    return Err(format!("/proc/kallsyms: {error}"));
                }
                match self.function(target).map_or(0, |function| function.count) {
                    1 => Ok(()),
                    0 => Err(format!("/proc/kallsyms has no {target}")),
                    many => Err(format!("/proc/kallsyms has {many} functions named {target}")),
                }
            }
            _ => Ok(()),
        }
    }
}

fn is_function(kind: Kind) -> bool {
    matches!(kind, Kind::Fentry | Kind::Fexit | Kind::Kprobe | Kind::Kretprobe)
}

/// What loading took, the kernel's types above all, is several times what a run needs from here on.
pub(super) fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes a number, and may be called at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Before 5.11 maps are charged to RLIMIT_MEMLOCK. Refusal does no harm on newer kernels, and shows when a map is made on older.
fn raise_memory_limit() {
    let unlimited = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the struct outlives the call.
    if unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const unlimited) } != 0 {
        log::debug!("RLIMIT_MEMLOCK stays as it is: {}", std::io::Error::last_os_error());
    }
}
