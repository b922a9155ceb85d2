//! `vmnet fix`: mends what can be mended from inside, and puts it back.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};

use super::output::{Output, open_json};
use crate::{
    device::change::Changer,
    fix::{self, FixError, Here, Interrupt, Store, state_directory, text},
    session::{self, Caller},
};

/// Switch on what keeps TSO off and can be switched from inside, and read back what the kernel made of it
///
/// What was there before is written to a journal first (in /var/lib/vmnet, or VMNET_STATE_DIR), so that --undo can put back every
/// feature bit, limit and qdisc option. Nothing else is touched. Lasts until the next boot.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 all is as it should be; 1 something is not, or it could not be done; 2 wrong usage.\n\n\
    Examples:\n  vmnet fix ens4 --dry-run\n  sudo vmnet fix ens4\n  sudo vmnet fix ens4 --undo"
)]
pub(super) struct Args {
    /// The interface, such as ens4
    #[arg(value_name = "IFACE")]
    interface: String,
    /// Say what would be changed, and by which commands; needs no root
    #[arg(long)]
    dry_run: bool,
    /// Put back what was there before the first fix
    #[arg(long)]
    undo: bool,
    /// Write the result as JSON (vmnet.fix/1) to FILE, or to standard output for -
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The interface is in this network namespace
    #[arg(long, value_name = "NAME")]
    netns: Option<String>,
    /// No colour, nothing but ASCII
    #[arg(long)]
    plain: bool,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let json = args.json.as_deref().map(|path| open_json(path, &Caller::from_environment())).transpose()?;
    let mut output = Output::new(json, args.plain);
    if let Some(name) = &args.netns {
        session::enter_netns(name)?;
    }
    let here = Here::read()?;
    let mut kernel = Changer::open()?;
    let name = &args.interface;
    let state = kernel.read(name);
    let report = if args.undo {
        root_for(name, &format!("fix {name} --undo"), "its journal is root's")?;
        let store = Store::open(&state_directory())?;
        fix::undo(&mut kernel, &store, &here, name, args.dry_run)?
    } else {
        let (actions, beyond) = fix::actions_by_features(&state?);
        let mut report = if args.dry_run {
            fix::preview(&mut kernel, &here, name, &actions)?
        } else if actions.is_empty() {
            fix::FixReport { dry_run: false, ..fix::preview(&mut kernel, &here, name, &actions)? }
        } else {
            root_for(name, &format!("fix {name}"), "--dry-run shows what would be, and needs no root")?;
            let store = Store::open(&state_directory())?;
            let mut interrupt = Interrupt::hold_back();
            fix::apply(&mut kernel, &store, &here, name, &actions, || interrupt.came())?
        };
        report.beyond = beyond;
        report
    };
    output.say(&text::fix(&report, &output.style()));
    output.json(&report.to_json().context("putting the result in JSON")?)?;
    Ok(ExitCode::from(u8::from(!report.ok())))
}

fn root_for(interface: &str, command: &str, without: &'static str) -> Result<(), FixError> {
    if fix::may_change() {
        return Ok(());
    }
    Err(FixError::NotRoot { interface: interface.to_owned(), command: command.to_owned(), without })
}
