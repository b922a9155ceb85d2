//! `vmnet run`: profile, then answer.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use super::expect::{self, Expected};
use super::options::{Looks, Namespace};
use super::output::{open_file, say_to, style_for};
use crate::model::hook::{HOOKS, Hook};
use crate::model::interface::Interface;
use crate::model::sample::{Counting, Mode};
use crate::model::throughput::Interval;
use crate::model::verdict::State;
use crate::report::kit::screen::Detail;
use crate::report::kit::style::Style;
use crate::report::run::schema::RunReport;
use crate::report::run::{self, json};
use crate::session::{Caller, Observer, Plan, Prints};
use crate::units::parse_duration;
use crate::{live, session};

/// Without a command, a run ends by itself after this.
const DEFAULT_DURATION: Duration = Duration::from_secs(30);

/// Profile an interface until the duration ends, COMMAND ends, or Ctrl-C; then verdict and report
///
/// Run it while the traffic in question runs, or give the benchmark as COMMAND. Programs in the kernel count every
/// packet before the decision whether the device or the CPU segments it, the device's own counters tell what came of it, and in short
/// windows every packet is counted after it as well; nothing on the machine is changed.
/// Needs root, except with --mode counters.
///
/// Exit codes: 0 done; 1 it could not be done, or COMMAND failed; 2 wrong usage; 3 --expect not met; 4 inconclusive where --expect was given.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
        sudo vmnet run ens4 -d 10s\n  \
        sudo vmnet run ens4 -- iperf3 -c 10.10.1.10 -t 10 -P 32 --json\n  \
        sudo vmnet run ens4 --expect engaged --json result.json -- iperf3 -c 10.10.1.10")]
pub(super) struct Args {
    /// The interface, such as ens4
    #[arg(value_name = "IFACE")]
    interface: String,
    /// How long at most (30s, 2m, 500ms); without COMMAND 30s, with COMMAND until it ends
    #[arg(short, long, value_parser = parse_positive)]
    duration: Option<Duration>,
    /// Time between samples, at least 100ms
    #[arg(short, long, default_value = "1s", value_parser = parse_interval, hide_short_help = true)]
    interval: Duration,
    /// Directory in which a directory for this run is made
    #[arg(short, long, value_name = "DIR", default_value = "reports", hide_short_help = true)]
    output: PathBuf,
    /// Keep nothing: no page, no charts, no recording
    #[arg(long, conflicts_with = "output")]
    no_report: bool,
    /// Write the result as JSON (vmnet.run/1) to FILE, or to standard output for -
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Exit with 3 unless the verdict is this state, with 4 if there is none
    #[arg(long, value_name = "STATE")]
    expect: Option<StateName>,
    /// The same for UDP super-packets (UDP_SEGMENT, QUIC)
    #[arg(long, value_name = "STATE", hide_short_help = true)]
    expect_udp: Option<StateName>,
    /// How to count: by which hooks, or by the kernel's own counters alone
    #[arg(long, default_value = "auto", hide_short_help = true)]
    mode: ModeName,
    /// Count every segment all the time, and not in short windows only: shows each packet twice, and takes a good part of what the
    /// traffic needs
    #[arg(long, hide_short_help = true)]
    exact: bool,
    #[command(flatten)]
    namespace: Namespace,
    #[command(flatten)]
    looks: Looks,
    /// Leave COMMAND's values, addresses and output out of recording and report, which hold them otherwise
    #[arg(long, hide_short_help = true)]
    private: bool,
    /// Let the kernel measure the programs' run time, and that of an empty program beside each (adds four clock reads to each run)
    #[arg(long, hide_short_help = true)]
    overhead: bool,
    /// Pass on what the programs log of packets they cannot read (RUST_LOG=debug shows it)
    #[arg(long, hide_short_help = true)]
    log: bool,
    /// Leave a hook out: the audit must notice (may be repeated)
    #[arg(long, value_name = "HOOK", value_parser = parse_hook, hide_short_help = true)]
    without_hook: Vec<String>,
    /// Insist on a way to a hook, such as net_dev_queue=raw_tp (may be repeated)
    #[arg(long, value_name = "HOOK=KIND", value_parser = parse_way, hide_short_help = true)]
    way: Vec<(String, String)>,
    /// The benchmark, run as the person who called sudo
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum StateName {
    Engaged,
    Software,
    Partial,
    NotBuilt,
    NothingToOffload,
    Inconclusive,
}

impl StateName {
    fn state(self) -> State {
        match self {
            Self::Engaged => State::Engaged,
            Self::Software => State::Software,
            Self::Partial => State::Partial,
            Self::NotBuilt => State::NotBuilt,
            Self::NothingToOffload => State::NothingToOffload,
            Self::Inconclusive => State::Inconclusive,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum ModeName {
    /// The best that works here
    Auto,
    /// fentry and fexit on functions
    Fentry,
    /// kprobes and kretprobes on functions
    Kprobe,
    /// Tracepoints, and stack samples for the cost
    Tracepoint,
    /// No programs, no root: interface and qdisc counters
    Counters,
}

impl ModeName {
    pub(super) fn mode(self) -> Option<Mode> {
        match self {
            Self::Auto => None,
            Self::Fentry => Some(Mode::Fentry),
            Self::Kprobe => Some(Mode::Kprobe),
            Self::Tracepoint => Some(Mode::Tracepoint),
            Self::Counters => Some(Mode::Counters),
        }
    }
}

pub(super) fn parse_positive(text: &str) -> Result<Duration, String> {
    let duration = parse_duration(text).map_err(|error| error.to_string())?;
    if duration.is_zero() { Err("must be longer than nothing".to_owned()) } else { Ok(duration) }
}

pub(super) fn parse_interval(text: &str) -> Result<Duration, String> {
    let interval = parse_duration(text).map_err(|error| error.to_string())?;
    if interval < Duration::from_millis(100) {
        Err("must be at least 100ms".to_owned())
    } else {
        Ok(interval)
    }
}

fn parse_hook(text: &str) -> Result<String, String> {
    match Hook::by_name(text) {
        Some(hook) => Ok(hook.name().to_owned()),
        None => {
            let names: Vec<_> = HOOKS.iter().map(|spec| spec.name).collect();
            Err(format!("no such hook; there are {}", names.join(", ")))
        }
    }
}

fn parse_way(text: &str) -> Result<(String, String), String> {
    let (hook, kind) = text.split_once('=').ok_or("must be HOOK=KIND")?;
    let spec = Hook::by_name(&parse_hook(hook)?).ok_or("no such hook")?.spec();
    let has_kind = spec.ways.iter().flat_map(|way| way.programs).any(|program| program.kind.name() == kind);
    if has_kind {
        Ok((hook.to_owned(), kind.to_owned()))
    } else {
        Err(format!("{hook} has no way by {kind}"))
    }
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    if args.exact && matches!(args.mode, ModeName::Counters) {
        super::wrong_usage("--exact counts every segment by programs, and --mode counters has none");
    }
    let caller = Caller::from_environment()?;
    let to_stdout = args.json.as_ref().is_some_and(|path| path.as_os_str() == "-");
    // Known before the traffic, not after.
    let json_file = match &args.json {
        Some(path) if !to_stdout => Some((open_file(path, &caller)?, path)),
        _ => None,
    };
    session::be_in(args.namespace.netns.as_deref())?;
    let plan = Plan {
        interface: args.interface.clone(),
        netns: args.namespace.netns.clone(),
        duration: args.duration.or(if args.command.is_empty() { Some(DEFAULT_DURATION) } else { None }),
        interval: args.interval,
        mode: args.mode.mode(),
        counting: if args.exact { Counting::Exact } else { Counting::Light },
        windows: true,
        without_hooks: args.without_hook.clone(),
        ways: args.way.clone(),
        command: args.command.clone(),
        prints: if to_stdout { Prints::Stderr } else { Prints::Stdout },
        output: (!args.no_report).then(|| args.output.clone()),
        verbose: args.log,
        overhead: args.overhead,
        private: args.private,
        caller,
    };
    let style = style_for(to_stdout, args.looks.plain);
    let detail = args.looks.detail();
    let mut screen = Screen { to_stderr: to_stdout, style, detail };
    let outcome = session::run(&plan, &mut screen)?;

    let (report, files) = (&outcome.report, &outcome.files);
    let typed = args.namespace.typed(&args.command);
    screen.print(&detail.of(
        || run::screen::screen(report, files, &typed, &style),
        || run::text::answer(report, files, &style),
    ));
    if to_stdout {
        match io::stdout().write_all(json::to_text(&outcome.report)?.as_bytes()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            written => written.context("writing JSON to standard output")?,
        }
    }
    if let Some((file, path)) = json_file {
        let text = json::to_text(&outcome.report)?;
        file.write(text.as_bytes()).with_context(|| format!("writing {}", path.display()))?;
    }
    exit_code(&outcome.report, [args.expect, args.expect_udp], outcome.command_failed, outcome.files_failed)
}

fn exit_code(
    report: &RunReport,
    expected: [Option<StateName>; 2],
    command_failed: Option<String>,
    files_failed: Option<String>,
) -> Result<ExitCode> {
    if let Some(failure) = command_failed.or(files_failed) {
        bail!(failure);
    }
    let udp = report.verdict.udp.as_ref().map_or(State::Inconclusive, |udp| udp.state);
    let answers = expected.into_iter().zip([report.verdict.state, udp]);
    Ok(expect::exit_code(answers.filter_map(|(expected, found)| {
        let expected = expected?.state();
        Some(Expected {
            given: expected.name(),
            found: found.name(),
            is_met: expected == found,
            is_undecided: found == State::Inconclusive,
        })
    })))
}

/// The person's terminal, or whatever reads us.
struct Screen {
    to_stderr: bool,
    style: Style,
    detail: Detail,
}

impl Screen {
    fn print(&mut self, text: &str) {
        say_to(self.to_stderr, text);
    }
}

impl Observer for Screen {
    fn begin(&mut self, interface: &Interface, mode: Mode, notes: &[String]) {
        let mut text = match self.detail {
            Detail::Line => return,
            Detail::Screen => live::introduction_in_short(interface, mode, &self.style),
            Detail::Whole => live::introduction(interface, mode, &self.style),
        };
        for note in notes.iter().filter(|_| self.detail == Detail::Whole) {
            text.push_str(&self.style.paragraph("  fell back: ", &self.style.data(note)));
        }
        text.push_str(&live::columns(mode, self.detail, &self.style));
        self.print(&text);
    }

    fn interval(&mut self, interval: &Interval, mode: Mode) {
        if self.detail != Detail::Line {
            let text = live::line(interval, mode, self.detail, &self.style);
            self.print(&text);
        }
    }
}
