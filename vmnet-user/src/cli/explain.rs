//! `vmnet explain`: words, causes, and what people paste.

use std::{
    fs::File,
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};

use super::options::{Looks, Privacy};
use super::output::{Output, open_json};
use crate::explain::{self, Bounds};
use crate::model::glossary::{self, Entry, Word};
use crate::report::explain::{ExplainReport, answer, cause, word};
use crate::session::Caller;

/// Say what a word, a cause, a pasted line, the output of ethtool, ip and tc, or a sosreport means: on any machine, without root
///
/// Give a word (engaged, super-packet, LSO), a cause (host-no-csum), a line in quotes, a file, a directory of outputs (ethtool -k, -i, -S; ip -s -d
/// link; tc -s qdisc; nstat; uname -a), a sosreport (tar, tar.gz, tar.xz, or unpacked), or - for standard input. Counters and flags show less than
/// packets do: the answer is never more than weak or supported, and says what to run on the machine itself.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 explained; 1 nothing of it is known, or it could not be read; 2 wrong usage.\n\nExamples:\n  vmnet explain \
    host-no-csum\n  vmnet explain 'tcp-segmentation-offload: off [fixed]'\n  ethtool -k eth0 | vmnet explain -\n  (ethtool -k eth0; ethtool -i \
    eth0; ip -s -d link show dev eth0; tc -s qdisc show dev eth0) | vmnet explain -\n  vmnet explain sosreport-web1-2026-11-29.tar.xz"
)]
pub(super) struct Args {
    /// A word, a cause or a line; a file, a directory, or - for standard input
    #[arg(value_name = "WORD|CAUSE|FILE|DIR|-")]
    what: Vec<String>,
    /// Write what a file, a directory or standard input says as JSON (vmnet.explain/1) to FILE, or to standard output for -
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    privacy: Privacy,
    #[command(flatten)]
    looks: Looks,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let asked = args.what.join(" ");
    let path = Path::new(&asked);
    // A sosreport is root's, and what is in it may be anybody's.
    let entry = glossary::look_up(&asked);
    let is_readable = path.exists() && !path.is_dir() && entry.is_none();
    let opened = is_readable.then(|| File::open(path)).transpose();
    let opened = opened.with_context(|| format!("cannot read {asked}"))?;
    Caller::from_environment()?.become_for_good().context("giving up root's privileges")?;
    let json = args.json.as_deref().map(|path| open_json(path, &Caller::default())).transpose()?;
    let mut output = Output::new(json, args.looks.plain);
    let style = output.style();
    if args.json.is_none() {
        match entry {
            Some(Entry::Word(found)) => {
                output.say(&word(found, &style));
                return Ok(ExitCode::SUCCESS);
            }
            Some(Entry::Cause(id)) => {
                output.say(&cause(id, &style));
                return Ok(ExitCode::SUCCESS);
            }
            None => {}
        }
    }
    let report = match args.what.as_slice() {
        [] if io::stdin().is_terminal() => {
            let names: Vec<&str> =
                glossary::WORDS.iter().filter_map(|word| word.names.first().copied()).collect();
            output.say(&style.paragraph("Words: ", &names.join(", ")));
            let causes = crate::model::cause::CauseId::ALL.map(crate::model::cause::CauseId::name);
            output.say(&style.paragraph("Causes: ", &causes.join(", ")));
            output.say(
                &style
                    .paragraph("", "Or paste: vmnet explain - (end with Ctrl-D); more: vmnet explain --help"),
            );
            return Ok(ExitCode::from(2));
        }
        [] => stdin()?,
        [one] if one == "-" => stdin()?,
        _ if path.exists() => {
            let bounds = Bounds::of_a_person();
            let report = match opened {
                Some(opened) => explain::file(&asked, opened, bounds),
                None => explain::directory(path, bounds),
            };
            report.with_context(|| format!("cannot read {asked}"))?
        }
        _ => {
            let mut report = explain::stream(asked.as_bytes(), Bounds::of_a_person())?;
            report.symptoms = explain::symptoms(&asked);
            // A line alone is no interface: what it means is enough.
            if !report.symptoms.is_empty() || report.interfaces.iter().all(|it| it.lines.is_empty()) {
                report.interfaces.clear();
            }
            report
        }
    };
    if report.is_empty() {
        // A line of `ethtool -k`, `ip -d link` or `tc`: what stands first in it is a word.
        let first = first_word(&asked);
        if args.json.is_some() && (entry.is_some() || first.is_some()) {
            bail!(
                "{asked:?} is a word or a cause, which has no JSON: what a file, a directory or standard input says has"
            );
        }
        let Some(first) = first else { return nothing(&asked, &report) };
        output.say(&word(first, &style));
        return Ok(ExitCode::SUCCESS);
    }
    output.say(&answer(&report, &style));
    output.json(&args.privacy.text(&report)?)?;
    Ok(ExitCode::SUCCESS)
}

fn first_word(line: &str) -> Option<&'static Word> {
    let first = line.trim().split([':', ' ', '\t']).next()?;
    match glossary::look_up(first) {
        Some(Entry::Word(word)) => Some(word),
        _ => None,
    }
}

fn stdin() -> Result<ExplainReport> {
    explain::stream(io::stdin().lock(), Bounds::of_a_person()).context("cannot read standard input")
}

/// What was given means nothing here.
fn nothing(asked: &str, report: &ExplainReport) -> Result<ExitCode> {
    if let Some(problem) = report.not_read.first() {
        bail!("{problem}");
    }
    let like = glossary::like(asked);
    if !like.is_empty() && !Path::new(asked).exists() {
        bail!("no word, cause or file {asked:?}; did you mean {}?", like.join(", "));
    }
    bail!(
        "nothing of it is known: give a word, a cause, a file or directory with the output of `ethtool -k`, `ip -s -d link`, `tc -s qdisc`, or a \
         sosreport; `vmnet explain --help` has examples"
    )
}
