//! `vmnet path`: which device on the way segments.

use std::{
    fs::File,
    io::Read as _,
    net::IpAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, bail};
use jiff::Zoned;

use super::expect::{self, Expected};
use super::options::{Looks, Namespace};
use super::output::{Output, open_json};
use super::run::parse_positive;
use crate::{
    model::path::State,
    output::OutputDir,
    path::{self, NotOnTheWay, Plan, Target},
    recording,
    report::kit::document::{self, Document, Format},
    report::kit::format::printable,
    report::kit::json::Explained as _,
    report::kit::private,
    report::kit::screen::Detail,
    report::kit::typed::Typed,
    report::path::{PathReport, answer, from_json, joined},
    session::{self, Caller, Prints},
};

/// Without a command it ends by itself after this.
const DEFAULT_DURATION: Duration = Duration::from_secs(5);

/// Say which device on the way to an address segments super-packets, and why: a traceroute for segmentation
///
/// Finds the devices that packets to DEST pass, from the sender's namespace to the last device of this machine, across network namespaces, bridges,
/// tunnels and routes, and counts at all of them while traffic passes: what was queued to each, and what the device says it sent. Give the
/// traffic as COMMAND, which runs in the sender's namespace, or watch what passes by itself, or have --probe send a little. Nothing on the machine is
/// changed. Needs root.
///
/// Exit codes: 0 done; 1 it could not be done, or COMMAND failed; 2 wrong usage; 3 --expect not met; 4 not known where --expect was given.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
        sudo vmnet path 10.244.3.7 -d 10s\n  \
        sudo vmnet path --netns 4711 10.244.3.7 -- iperf3 -c 10.244.3.7 -t 5\n  \
        sudo vmnet path 10.244.3.7 --probe\n  \
        sudo vmnet path 10.244.3.7 --json guest.vmnet -- iperf3 -c 10.244.3.7 -t 5\n  \
        vmnet path guest.vmnet host.vmnet receiver.vmnet")]
pub(super) struct Args {
    /// An address, or an interface that packets leave by; or what `--json FILE` or `-o DIR` recorded on each machine on the way, to be joined (one alone is
    /// shown again)
    #[arg(value_name = "DEST|IFACE|RECORDING", required = true)]
    targets: Vec<String>,
    /// Watch what comes in by this interface on its way to DEST, as from a guest by its tap
    #[arg(long, value_name = "IFACE", hide_short_help = true)]
    from: Option<String>,
    /// Where nothing else is sent: send 1.6 MB of TCP to DEST's discard port (9)
    ///
    /// In super-packets, without a handshake; nothing goes to any other address.
    #[arg(long, conflicts_with_all = ["from", "command"])]
    probe: bool,
    /// Follow the way into no other network namespace
    #[arg(long, hide_short_help = true)]
    here: bool,
    /// Count every packet all the time, and not in short windows where a device segments at a high rate
    #[arg(long, hide_short_help = true)]
    exact: bool,
    /// How long at most (5s, 2m, 500ms); without COMMAND 5s, with COMMAND until it ends
    #[arg(short, long, value_parser = parse_positive)]
    duration: Option<Duration>,
    /// Exit with 3 unless packets leave whole, or unless it is this device that segments; with 4 if that is not known
    #[arg(long, value_name = "whole|DEVICE")]
    expect: Option<String>,
    /// Write the result as JSON (vmnet.path/1) to FILE, or to standard output for -
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write page, picture and JSON as well, into a directory of their own in DIR
    #[arg(short, long, value_name = "DIR", hide_short_help = true)]
    output: Option<PathBuf>,
    /// Leave COMMAND's values and addresses out of the JSON and the files, which have them otherwise
    #[arg(long, hide_short_help = true)]
    private: bool,
    #[command(flatten)]
    namespace: Namespace,
    #[command(flatten)]
    looks: Looks,
    /// What sends, run as the person who called sudo
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let caller = Caller::from_environment()?;
    let are_recordings = args.targets.len() > 1 || args.targets.iter().all(|target| is_recording(target));
    if are_recordings {
        return join(args, &caller);
    }
    let asked = args.targets.first().map_or("", String::as_str);
    let target = target(asked, args.from.as_deref())?;
    if args.probe {
        may_be_probed(asked, &target)?;
    }
    let json = args.json.as_deref().map(|path| open_json(path, &caller)).transpose()?;
    let to_stdout = args.json.as_ref().is_some_and(|path| path.as_os_str() == "-");
    session::be_in(args.namespace.netns.as_deref())?;
    let mut output = Output::new(json, args.looks.plain);
    let style = output.style();
    let plan = Plan {
        target,
        asked: asked.to_owned(),
        expects: expected_device(args).map(str::to_owned),
        netns: args.namespace.netns.clone(),
        stays: args.here,
        exact: args.exact,
        probe: args.probe,
        duration: args.duration.or(if args.command.is_empty() { Some(DEFAULT_DURATION) } else { None }),
        command: args.command.clone(),
        private: args.private,
        prints: if to_stdout { Prints::Stderr } else { Prints::Stdout },
        caller,
    };
    // Known before the traffic, not after.
    let start = Zoned::now();
    let owner = plan.caller.owner();
    let prepare =
        |directory: &PathBuf| OutputDir::prepare(directory, &format!("path-{asked}"), &start, owner.as_ref());
    let directory = args.output.as_ref().map(prepare).transpose()?;
    let detail = args.looks.detail();
    let outcome = path::trace(&plan, |beginning| {
        if detail == Detail::Line {
            return;
        }
        output.say(&style.paragraph("watching  ", &style.data(&beginning.watched)));
        if let Some(sends) = &beginning.sends {
            output.say(&style.paragraph("sending   ", &style.data(sends)));
        }
    });
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error) => {
            if let Some(directory) = directory {
                directory.remove_if_empty();
            }
            if let Some(wrong) = error.downcast_ref::<NotOnTheWay>() {
                wrong_name(wrong);
            }
            return Err(error);
        }
    };
    let typed = args.namespace.typed(&[]);
    let whole = || answer(&outcome.report, &style, &typed);
    output.say(&detail.of(whole, whole));
    let kept = if args.private { private::of(&outcome.report)? } else { outcome.report.clone() };
    if let Some(directory) = &directory {
        let files = document::write(directory, &kept, &Format::USUAL)?;
        if let Some(page) = files.first().filter(|_| detail != Detail::Line) {
            output.say(&format!("      {}\n", style.data(&page.display().to_string())));
        }
    }
    output.json(&kept.to_text()?)?;
    if let Some(failure) = outcome.command_failed {
        bail!(failure);
    }
    Ok(as_expected(args.expect.as_deref(), &outcome.report))
}

fn target(words: &str, from: Option<&str>) -> Result<Target> {
    Ok(match (words.parse::<IpAddr>(), from) {
        (Ok(destination), None) => Target::Destination(destination),
        (Ok(destination), Some(from)) => Target::Incoming { interface: from.to_owned(), destination },
        (Err(_), None) => Target::Interface(words.to_owned()),
        (Err(_), Some(_)) => bail!("--from takes an address to go to, not {words:?}"),
    })
}

/// Before anything is looked for: what is sent goes to the address that was named, of one machine.
fn may_be_probed(asked: &str, target: &Target) -> Result<()> {
    match target {
        Target::Destination(destination) => Ok(path::may_be_sent_to(*destination)?),
        Target::Incoming { .. } | Target::Interface(_) => {
            super::wrong_usage(&format!("--probe sends to an address that you name, and {asked} is none"))
        }
    }
}

/// Neither an address nor an interface has a name like that.
fn is_recording(target: &str) -> bool {
    [".json", ".vmnet"].iter().any(|end| target.ends_with(end))
        || (target.contains('/') && Path::new(target).exists())
}

/// Larger is no document of this command's.
const MOST_BYTES: u64 = 16 << 20;

/// The staircase of each machine's own document, as one. Needs no privilege.
fn join(args: &Args, caller: &Caller) -> Result<ExitCode> {
    if !args.command.is_empty() || args.from.is_some() || args.duration.is_some() || args.probe {
        super::wrong_usage("recordings are read as they are: nothing is watched meanwhile");
    }
    // What it reads may be anybody's, and what it writes is the caller's.
    caller.become_for_good().context("giving up root's privileges")?;
    let caller = &Caller::from_environment()?;
    let json = args.json.as_deref().map(|path| open_json(path, caller)).transpose()?;
    let mut output = Output::new(json, args.looks.plain);
    let documents = args.targets.iter().map(|path| read(path)).collect::<Result<Vec<_>>>()?;
    let Some(report) = joined(&documents) else { bail!("no recording was named") };
    if let Some(name) = expected_device(args) {
        let names = report.steps.iter().map(|step| step.interface.name.as_str());
        NotOnTheWay::unless_named(name, names).unwrap_or_else(|wrong| wrong_name(&wrong));
    }
    let kept = if args.private { private::of(&report)? } else { report.clone() };
    let whole = || answer(&report, &output.style(), &Typed::default());
    output.say(&args.looks.detail().of(whole, whole));
    if let Some(directory) = &args.output {
        let directory = OutputDir::prepare(directory, "path", &Zoned::now(), caller.owner().as_ref())?;
        document::write(&directory, &kept, &Format::USUAL)?;
    }
    output.json(&kept.to_text()?)?;
    Ok(as_expected(args.expect.as_deref(), &report))
}

/// What `-o` calls it.
const FILE: &str = <PathReport as Document>::JSON;

/// A document, and what its machine is called: the file, or its directory where the file is called as all are. A directory of `-o` stands for its document.
fn read(path: &str) -> Result<(String, PathReport)> {
    let path = if Path::new(path).is_dir() { Path::new(path).join(FILE) } else { PathBuf::from(path) };
    let path = path.as_path();
    if recording::is_recording(path).is_ok_and(|is_a_runs| is_a_runs) {
        bail!(
            "{} is the recording of a run, which knows one interface: record the way there with `vmnet path … --json FILE`, and name that file",
            path.display()
        );
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
        .with_context(|| format!("cannot read {}", path.display()))?;
    if bytes.len() as u64 > MOST_BYTES {
        bail!("{} is longer than {MOST_BYTES} bytes, which no path.json is", path.display());
    }
    let report =
        from_json(&bytes).map_err(|why| anyhow!("{} is no document of vmnet path: {why}", path.display()))?;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let parent = path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let name = if stem == "path" { parent.unwrap_or(stem) } else { stem };
    Ok((name, report))
}

const WHOLE: &str = "whole";

fn expected_device(args: &Args) -> Option<&str> {
    args.expect.as_deref().filter(|expected| *expected != WHOLE)
}

fn wrong_name(wrong: &NotOnTheWay) -> ! {
    super::wrong_usage(&printable(&format!("--expect: {wrong}, and \"{WHOLE}\"")))
}

fn as_expected(expected: Option<&str>, report: &PathReport) -> ExitCode {
    let verdict = &report.verdict;
    let segments = matches!(verdict.state, State::Segmented | State::Partial);
    let device =
        verdict.step.and_then(|step| report.steps.get(step)).map(|step| step.interface.name.as_str());
    let found = device.filter(|_| segments).unwrap_or(match verdict.state {
        State::Whole => WHOLE,
        _ => "no answer",
    });
    expect::exit_code(expected.map(|expected| Expected {
        given: expected,
        found,
        is_met: expected == found,
        is_undecided: verdict.state == State::Unknown,
    }))
}
