//! `vmnet report`: the report of a recording.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result};

use super::options::Looks;
use super::output::Output;
use crate::benchmark::Benchmark;
use crate::model::interface::Netns;
use crate::output::{OutputDir, REPORTS, latest, newest};
use crate::recording;
use crate::report::ab;
use crate::report::kit::document::{self, Format};
use crate::report::kit::typed::Typed;
use crate::report::run::{screen, text};
use crate::session::Caller;

/// Draw the report of a recording again: anywhere, without root, without BPF, without the machine that it is of
///
/// A recording is the run.vmnet in the directory of a run. One that was torn by a crash or a full disk gives the report of what it holds. An
/// experiment is drawn again from its ab.json, and each of its trials has a recording beside it. Without RECORDING, it is the latest below reports/.
///
/// Exit codes: 0 done; 1 it could not be done; 2 wrong usage.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
        vmnet report\n  \
        vmnet report reports/20261122-101112-ens4/run.vmnet\n  \
        vmnet report run.vmnet -o /tmp/report --format html,csv")]
pub(super) struct Args {
    /// The recording, or the directory of the run; or an experiment's ab.json, or its directory [default: the latest below reports/]
    #[arg(value_name = "RECORDING")]
    recording: Option<PathBuf>,
    /// Directory for the files; without, one beside the recording, named after it
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// What to write (several with commas between)
    #[arg(long, value_name = "FORMAT", value_delimiter = ',', default_value = "html,svg,json")]
    format: Vec<Format>,
    #[command(flatten)]
    looks: Looks,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    // What it reads may be anybody's, and what it writes is the caller's.
    Caller::from_environment()?.become_for_good().context("giving up root's privileges")?;
    let given = args.recording.clone().map_or_else(|| the_latest(args), Ok)?;
    if ab::is_experiment(&given) {
        return experiment(args, &given);
    }
    let recording = if given.is_dir() { given.join(recording::FILE) } else { given };
    let run = recording::read_file(&recording).with_context(|| recording.display().to_string())?;
    let report = recording::report(&run).context("the recording holds too little to tell anything")?;
    let directory = args.output.clone().unwrap_or_else(|| recording.with_extension("report"));
    let directory = OutputDir::at(&directory, Caller::from_environment()?.owner().as_ref())?;
    let files = document::write(&directory, &report, &args.format)?;

    let output = Output::new(None, args.looks.plain);
    let (detail, style) = (args.looks.detail(), output.style());
    let typed = typed(&report.interface.netns, report.benchmark.as_ref());
    output.say(
        &detail
            .of(|| screen::screen(&report, &files, &typed, &style), || text::answer(&report, &files, &style)),
    );
    if let Some(torn) = &run.torn {
        output.say(&output.style().paragraph("NOTE  ", torn));
    }
    let said = run.end.as_ref().and_then(|end| end.verdict.as_ref());
    if let Some(said) = said.filter(|said| said.state != report.verdict.state) {
        let note = format!(
            "the run itself said {} (vmnet {}); by the rules of vmnet {} it is {}",
            said.state.name(),
            run.start.vmnet,
            env!("CARGO_PKG_VERSION"),
            report.verdict.state.name()
        );
        output.say(&output.style().paragraph("NOTE  ", &output.style().data(&note)));
    }
    Ok(ExitCode::SUCCESS)
}

/// The latest run or experiment below `reports/`, which is said.
fn the_latest(args: &Args) -> Result<PathBuf> {
    let base = Path::new(REPORTS);
    let found = latest(base).or_else(|| newest(base, 1, &[recording::FILE, ab::JSON]).pop());
    let found =
        found.context("there is no run below reports/: give its RECORDING, or make one with vmnet run")?;
    let output = Output::new(None, args.looks.plain);
    output.say(&output.style().paragraph("FROM  ", &format!("{}, the latest", found.display())));
    Ok(found)
}

/// An experiment is drawn from its `ab.json`; its trials have recordings of their own.
fn experiment(args: &Args, given: &Path) -> Result<ExitCode> {
    let report = ab::read(given).map_err(|why| anyhow::anyhow!(why))?;
    let beside = if given.is_dir() { given.join(ab::JSON) } else { given.to_owned() };
    let directory = args.output.clone().unwrap_or_else(|| beside.with_extension("report"));
    let output = OutputDir::at(&directory, Caller::from_environment()?.owner().as_ref())?;
    let files = document::write(&output, &report, &args.format)?;
    let output = Output::new(None, args.looks.plain);
    let (detail, style) = (args.looks.detail(), output.style());
    let mut typed = typed(&report.interface.netns, None);
    typed.command.clone_from(&report.repeat.benchmark);
    output.say(&detail.of(
        || ab::screen::screen(&report, &files, &typed, &style),
        || ab::text::answer(&report, &files, &style),
    ));
    Ok(ExitCode::SUCCESS)
}

/// What the person who ran it would type to go on.
fn typed(netns: &Netns, benchmark: Option<&Benchmark>) -> Typed {
    let command = benchmark.map(|benchmark| benchmark.command.clone()).unwrap_or_default();
    Typed { sudo: true, netns: netns.name.clone(), command, keep: None }
}
