//! `vmnet path`: which device on the way segments.

use std::{net::IpAddr, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Result, bail};
use jiff::Zoned;

use super::options::{Looks, Namespace};
use super::output::{Output, open_json};
use super::run::{met, parse_positive, worst};
use crate::{
    model::path::State,
    output::OutputDir,
    path::{self, Plan, Target},
    report::kit::document::{self, Format},
    report::kit::json::Explained as _,
    report::path::{PathReport, answer},
    session::{self, Caller, Prints},
};

/// Without a command it ends by itself after this.
const DEFAULT_DURATION: Duration = Duration::from_secs(5);

/// Say which device on the way to an address segments super-packets, and why: a traceroute for segmentation
///
/// Finds the devices that packets to DEST pass, from the sender's namespace to the last device of this machine, across network namespaces, bridges,
/// tunnels and routes, and counts at all of them while traffic passes: what was queued to each, and what the device says it sent. Give the
/// traffic as COMMAND, which runs in the sender's namespace, or watch what passes by itself. Nothing on the machine is changed. Needs root.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 done; 1 it could not be done, or COMMAND failed; 2 wrong usage; 3 --expect not met; \
    4 not known where --expect was given.\n\nExamples:\n  sudo vmnet path 10.244.3.7 -d 10s\n  sudo vmnet path --netns 4711 10.244.3.7 -- iperf3 -c 10.244.3.7 \
    -t 5\n  sudo vmnet path 10.244.3.7 --expect whole --json - -- iperf3 -c 10.244.3.7"
)]
pub(super) struct Args {
    /// An address, or an interface that packets leave by
    #[arg(value_name = "DEST|IFACE")]
    target: String,
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
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    #[command(flatten)]
    namespace: Namespace,
    #[command(flatten)]
    looks: Looks,
    /// What sends, run as the person who called sudo
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let caller = Caller::from_environment();
    let json = args.json.as_deref().map(|path| open_json(path, &caller)).transpose()?;
    let to_stdout = args.json.as_ref().is_some_and(|path| path.as_os_str() == "-");
    session::be_in(args.namespace.netns.as_deref())?;
    let mut output = Output::new(json, args.looks.plain);
    let style = output.style();
    let plan = Plan {
        target: target(&args.target),
        asked: args.target.clone(),
        netns: args.namespace.netns.clone(),
        duration: args.duration.or(if args.command.is_empty() { Some(DEFAULT_DURATION) } else { None }),
        command: args.command.clone(),
        prints: if to_stdout { Prints::Stderr } else { Prints::Stdout },
        caller,
    };
    // Known before the traffic, not after.
    let start = Zoned::now();
    let owner = plan.caller.owner();
    let prepare =
        |directory: &PathBuf| OutputDir::prepare(directory, &format!("path-{}", args.target), &start, owner);
    let directory = args.output.as_ref().map(prepare).transpose()?;
    let outcome = path::trace(&plan, |watched| {
        output.say(&style.paragraph("watching  ", &style.data(watched)));
    });
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error) => {
            if let Some(directory) = directory {
                directory.remove_if_empty();
            }
            return Err(error);
        }
    };
    output.say(&answer(&outcome.report, &style));
    if let Some(directory) = &directory {
        let files = document::write(directory, &outcome.report, &Format::USUAL)?;
        if let Some(page) = files.first() {
            output.say(&format!("      {}\n", style.data(&page.display().to_string())));
        }
    }
    output.json(&outcome.report.to_text()?)?;
    if let Some(failure) = outcome.command_failed {
        bail!(failure);
    }
    let met = args.expect.as_deref().map(|expected| is_met(expected, &outcome.report));
    Ok(ExitCode::from(worst(met.into_iter())))
}

fn target(words: &str) -> Target {
    match words.parse::<IpAddr>() {
        Ok(address) => Target::Destination(address),
        Err(_) => Target::Interface(words.to_owned()),
    }
}

fn is_met(expected: &str, report: &PathReport) -> u8 {
    let verdict = &report.verdict;
    let segments = matches!(verdict.state, State::Segmented | State::Partial);
    let device =
        verdict.step.and_then(|step| report.steps.get(step)).map(|step| step.interface.name.as_str());
    let is_it = match expected {
        "whole" => verdict.state == State::Whole,
        name => segments && device == Some(name),
    };
    met(is_it, verdict.state == State::Unknown)
}
