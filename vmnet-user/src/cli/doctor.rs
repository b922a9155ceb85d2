//! `vmnet doctor`: the chain from the host's offer to the driver, without traffic.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Context, Result};

use super::options::{Looks, Namespace, Privacy};
use super::output::{Output, open_json};
use crate::doctor;
use crate::doctor::watch::Watch;
use crate::report::doctor::{answer, screen};
use crate::report::kit::format::printable;
use crate::report::kit::style::Style;
use crate::session::{self, Caller};

/// Say where TSO breaks, and who can fix it: the chain from the host's offer to the driver, without traffic
///
/// Reads what the device, the driver and the kernel say (ethtool features as their three sets, virtio bits, queues, XPS, qdiscs, limits,
/// devices above, files that set offloads) and, where it may (CAP_NET_RAW), asks the interface with a few hand-made super-packets, as
/// vmnet check does. Nothing on the machine is changed.
///
/// Exit codes: 0 done, whatever was found; 1 it could not be done; 2 wrong usage. A script asks vmnet check --expect.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  sudo vmnet doctor ens4\n  vmnet doctor ens4 --json - | jq '.causes[0].id'\n  vmnet doctor ens4 --watch"
)]
pub(super) struct Args {
    /// The interface, such as ens4
    #[arg(value_name = "IFACE")]
    interface: String,
    /// Write the result as JSON (vmnet.doctor/1) to FILE, or to standard output for -
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// After that, tell what changes and when, until Ctrl-C
    #[arg(long)]
    watch: bool,
    /// Send nothing, not even a few super-packets to the interface's own address
    #[arg(long)]
    no_check: bool,
    #[command(flatten)]
    namespace: Namespace,
    #[command(flatten)]
    privacy: Privacy,
    #[command(flatten)]
    looks: Looks,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let caller = Caller::from_environment()?;
    let json = args.json.as_deref().map(|path| open_json(path, &caller)).transpose()?;
    let to_stdout = args.json.as_ref().is_some_and(|path| path.as_os_str() == "-");
    let mut output = Output::new(json, args.looks.plain);
    session::be_in(args.namespace.netns.as_deref())?;
    let watch = args.watch.then(|| Watch::begin(&args.interface)).transpose()?;
    let report = doctor::examine(&args.interface, args.namespace.netns.as_deref(), !args.no_check)?;
    let style = output.style();
    let typed = args.namespace.typed(&[]);
    let words = args.looks.detail().of(|| screen(&report, &typed, &style), || answer(&report, &style));
    output.say(&words);
    output.json(&args.privacy.text(&report)?)?;
    match watch {
        Some(watch) => {
            output.say("watching what changes; Ctrl-C ends\n");
            until_interrupted(watch, to_stdout, &style)
        }
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Ctrl-C ends the process as it is: nothing was changed that would have to be put back.
fn until_interrupted(mut watch: Watch, json: bool, style: &Style) -> Result<ExitCode> {
    loop {
        let Some(noticed) = watch.wait()? else { continue };
        let at = noticed.at.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string();
        for line in &noticed.lines {
            let told = if json {
                serde_json::json!({ "at": at, "changed": line }).to_string() + "\n"
            } else {
                style.paragraph(&format!("{at}  "), &printable(line))
            };
            print(&told)?;
        }
    }
}

/// A reader that has gone ends it quietly.
fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        written => written.context("writing to standard output"),
    }
}
