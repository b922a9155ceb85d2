//! `vmnet restore`: puts back what an interrupted `fix` or `ab` left.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};

use super::options::{Looks, Namespace};
use super::output::{Output, open_json};
use crate::device::change::Changer;
use crate::fix::{FixError, Here, Interrupt, Store, state_directory};
use crate::report::fix::text;
use crate::session::Caller;
use crate::{fix, session};

/// Put back every device that a fix or an experiment changed, as their journals say
///
/// For after a crash, and for all devices at once; `vmnet fix IFACE --undo` does it for one. What an interrupted experiment left comes first, and by
/// itself: a fix is meant to stay, and is put back only where no experiment was interrupted, or by asking once more. A device that is gone, or in another
/// network namespace, keeps its journal, and is named; so does another one that has its name and index by now.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 nothing is left to put back; 1 something is; 2 wrong usage.")]
pub(super) struct Args {
    /// Remove also the journals that cannot be served: of devices that are gone, and damaged ones
    #[arg(long)]
    forget: bool,
    /// Take the interface of that name for the one that was changed, though it may be another one in its place
    #[arg(long, value_name = "IFACE", conflicts_with = "forget")]
    adopt: Option<String>,
    #[command(flatten)]
    namespace: Namespace,
    /// Write the result as JSON (vmnet.restore/1) to FILE, or to standard output for -
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    looks: Looks,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let json = args.json.as_deref().map(|path| open_json(path, &Caller::from_environment()?)).transpose()?;
    let mut output = Output::new(json, args.looks.plain);
    if !fix::may_change() {
        return Err(FixError::NotRoot {
            interface: "devices back".to_owned(),
            command: "restore".to_owned(),
            without: "the journals are root's",
        }
        .into());
    }
    session::be_in(args.namespace.netns.as_deref())?;
    let here = Here::read()?;
    let mut kernel = Changer::open()?;
    let store = Store::open(&state_directory())?;
    let mut interrupt = Interrupt::hold_back();
    let report =
        fix::restore(&mut kernel, &store, &here, args.forget, args.adopt.as_deref(), || interrupt.came())?;
    output.say(&text::restore(&report, &output.style()));
    let json = serde_json::to_string_pretty(&report).context("putting the result in JSON")?;
    output.json(&format!("{json}\n"))?;
    Ok(ExitCode::from(u8::from(!report.ok())))
}
