//! `vmnet compare`: two runs side by side.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use jiff::Zoned;

use super::options::Looks;
use super::output::{Output, open_json};
use crate::output::{OutputDir, REPORTS, newest};
use crate::recording::{IN_A_DIRECTORY, load};
use crate::report::compare::{Pair, schema::CompareReport, screen, text};
use crate::report::kit::document::{self, Document as _, Format};
use crate::session::Caller;

/// Put two runs side by side: what each says, what differs, by how much, and what differs in the machines
///
/// Every change has a 95 % interval where the runs are long enough for one. What differs in the machines is listed, what TSO depends on
/// first, because it may be the reason: two runs are not an experiment. Needs no root, no network and no interface, only the files.
///
/// A and B are runs: the directory that `vmnet run` made, or its run.vmnet or run.json. Without them, they are the latest two;
/// without B, it is the latest.
///
/// Exit codes: 0 done; 1 it could not be done; 2 wrong usage.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
        vmnet compare\n  \
        vmnet compare reports/20261122-101112-ens4 reports/20261122-103000-ens4\n  \
        vmnet compare before/run.json after/run.json -o /tmp\n  \
        vmnet compare before after --json - | jq '.effects[] | {id, change_percent, interval_percent}'")]
pub(super) struct Args {
    /// The run that the other is held against [default: the latest but one]
    #[arg(value_name = "A")]
    a: Option<PathBuf>,
    /// The other run [default: the latest]
    #[arg(value_name = "B")]
    b: Option<PathBuf>,
    /// Directory in which a directory for this comparison is made, and in which the latest runs are looked for
    #[arg(short, long, value_name = "DIR", default_value = REPORTS)]
    output: PathBuf,
    /// Write the result as JSON (vmnet.compare/1) to FILE, or to standard output for -
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    looks: Looks,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    // What it reads may be anybody's, and what it writes is the caller's.
    Caller::from_environment()?.become_for_good().context("giving up root's privileges")?;
    let [a, b] = sides(args)?;
    let (a, a_file) = load(&a)?;
    let (b, b_file) = load(&b)?;
    let caller = Caller::from_environment()?;
    let json = args.json.as_deref().map(|path| open_json(path, &caller)).transpose()?;
    let report = CompareReport::of((&a, &a_file.to_string_lossy()), (&b, &b_file.to_string_lossy()));
    let pair = Pair { report, a, b };
    let directory = OutputDir::prepare(&args.output, "compare", &Zoned::now(), caller.owner().as_ref())?;
    let files = match document::write(&directory, &pair, &Format::USUAL) {
        Ok(files) => files,
        Err(error) => {
            directory.remove_if_empty();
            return Err(error.into());
        }
    };
    let mut output = Output::new(json, args.looks.plain);
    if args.b.is_none() {
        let took = format!("A is {}, B is {}, the latest", a_file.display(), b_file.display());
        output.say(&output.style().paragraph("FROM  ", &output.style().data(&took)));
    }
    let page: Vec<PathBuf> = files.into_iter().take(1).collect();
    let (report, style) = (&pair.report, output.style());
    let detail = args.looks.detail();
    output.say(&detail.of(|| screen(report, &page, &style), || text::answer(report, &page, &style)));
    output.json(&pair.json()?)?;
    Ok(ExitCode::SUCCESS)
}

/// The two runs: those that are given, and the latest in place of one that is not.
fn sides(args: &Args) -> Result<[PathBuf; 2]> {
    match (args.a.clone(), args.b.clone()) {
        (Some(a), Some(b)) => Ok([a, b]),
        (a, _) => {
            let mut latest = newest(&args.output, 2, &IN_A_DIRECTORY);
            let b = latest.pop();
            a.or_else(|| latest.pop()).zip(b).map(<[PathBuf; 2]>::from).with_context(|| {
                format!(
                    "there are too few runs below {}: give A and B, or make them with vmnet run",
                    args.output.display()
                )
            })
        }
    }
}
