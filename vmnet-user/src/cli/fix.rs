//! `vmnet fix`: fixes what can be fixed from inside, and puts it back.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result};
use clap::ValueEnum as _;

use super::options::{Looks, Namespace, Privacy};
use super::output::{Output, open_json};
use crate::check::Options;
use crate::device::change::Changer;
use crate::device::facts;
use crate::fix::persist::{FileChange, Form, Identity, Plan, Settings, Written};
use crate::fix::{FixError, Here, Interrupt, Kept, Store, persist, state_directory};
use crate::model::cause::{Action, Cause};
use crate::model::chain::Answers;
use crate::model::fact::Why;
use crate::model::machine::{Machine, Relation};
use crate::report::fix::schema::{FileReport, FixReport};
use crate::report::fix::{screen, text};
use crate::report::kit::typed::Typed;
use crate::session::Caller;
use crate::{check, doctor, fix, session};

/// Switch on what keeps TSO off and can be switched from inside, and read back what the kernel made of it
///
/// What was there before is written to a journal first (in /var/lib/vmnet, or VMNET_STATE_DIR), so that --undo can put back every
/// feature bit, limit and qdisc option. Nothing else is touched. Lasts until the next boot, or for good with --persist. Then it asks the driver, as vmnet check does, whether it helped.
///
/// Exit codes: 0 all is as it should be; 1 something is not, or it could not be done; 2 wrong usage.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
        vmnet fix ens4 --dry-run\n  \
        sudo vmnet fix ens4\n  \
        sudo vmnet fix ens4 --persist networkd\n  \
        sudo vmnet fix ens4 --undo")]
pub(super) struct Args {
    /// The interface, such as ens4
    #[arg(value_name = "IFACE")]
    interface: String,
    /// Also write it where it holds after the next boot, merged with what is there
    #[arg(long, value_name = "FORM", value_enum, conflicts_with = "undo")]
    persist: Option<Form>,
    /// Say what would be changed, and by which commands; needs no root
    #[arg(long)]
    dry_run: bool,
    /// Put back what was there before the first fix
    #[arg(long)]
    undo: bool,
    /// Write the result as JSON (vmnet.fix/1) to FILE, or to standard output for -
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    namespace: Namespace,
    #[command(flatten)]
    privacy: Privacy,
    #[command(flatten)]
    looks: Looks,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let json = args.json.as_deref().map(|path| open_json(path, &Caller::from_environment()?)).transpose()?;
    let mut output = Output::new(json, args.looks.plain);
    session::be_in(args.namespace.netns.as_deref())?;
    let here = Here::read()?;
    let report = if args.undo { undo(args, &here)? } else { mend(args, &here)? };
    let form = args.persist.and_then(|form| form.to_possible_value());
    let keep = form.map(|form| format!("--persist {}", form.get_name()));
    let (style, typed) = (output.style(), Typed { keep, ..args.namespace.typed(&[]) });
    output.say(&args.looks.detail().of(|| screen(&report, &typed, &style), || text::fix(&report, &style)));
    output.json(&args.privacy.text(&report).context("putting the result in JSON")?)?;
    Ok(ExitCode::from(u8::from(!report.ok())))
}

fn mend(args: &Args, here: &Here) -> Result<FixReport> {
    let name = &args.interface;
    let machine = facts::read(name)?;
    let causes = causes(args, &machine);
    let actions = fix::actions(&causes);
    let mut kernel = Changer::open()?;
    // `/etc` configures the namespace of process 1: what is written there for another would hold for a namesake in that one.
    if args.persist.is_some() && !here.is_of_process_1 {
        return Err(FixError::NoBootFiles.into());
    }
    let plan = args.persist.map(|form| kept_plan(form, &machine, &actions)).transpose()?;
    let mut report = if args.dry_run {
        fix::preview(&mut kernel, here, name, &actions)?
    } else if actions.is_empty() && plan.is_none() {
        FixReport { dry_run: false, ..fix::preview(&mut kernel, here, name, &actions)? }
    } else {
        root_for(name, &format!("fix {name}"), "--dry-run shows what would be, and needs no root")?;
        let store = Store::open(&state_directory())?;
        let mut interrupt = Interrupt::hold_back();
        // The files first, all or none: what cannot be kept leaves the device as it is too.
        let before = Kept::read(&store, name)?;
        let written = plan.as_ref().map(|plan| Kept::write(&store, name, plan)).transpose()?;
        fix::apply(&mut kernel, &store, here, name, &actions, || interrupt.came())
            .map_err(|error| take_back(error, &before, &store, &written.unwrap_or_default()))?
    };
    if let Some(plan) = plan {
        report.files = plan.changes.iter().map(file_report).collect();
        report.left_out = plan.left_out;
    }
    report.beyond = fix::beyond(&causes);
    if !args.dry_run && !report.interrupted {
        prove(&mut report, args);
    }
    Ok(report)
}

/// What stands in the way. Where flags alone show nothing, or a device below may be what segments, the driver is asked: what it answers may show more.
fn causes(args: &Args, machine: &Machine) -> Vec<Cause> {
    let by_flags = doctor::causes(machine, Answers::NONE);
    let has_below = machine.stack.iter().any(|at| at.relation == Relation::Below);
    if !by_flags.is_empty() && !has_below {
        return by_flags;
    }
    let options = Options { netns: args.namespace.netns.clone(), ..Options::default() };
    let asked = check::check(&args.interface, &options);
    asked.map_or(by_flags, |report| doctor::causes(machine, report.answers()))
}

/// The device is as it was, and so are its files to be.
fn take_back(error: FixError, before: &Kept, store: &Store, written: &[Written]) -> anyhow::Error {
    match before.take_back(store, written) {
        Ok(()) => error.into(),
        Err(files) => {
            anyhow::Error::from(error).context(format!("its files were written and stay written: {files}"))
        }
    }
}

fn kept_plan(form: Form, machine: &Machine, actions: &[Action]) -> Result<Plan> {
    let name = &machine.device.name;
    let settings = Settings::of(&fix::to_be_kept(machine, actions), name);
    Ok(persist::plan(form, Path::new("/"), &Identity::read(name), &settings)?)
}

fn file_report(change: &FileChange) -> FileReport {
    FileReport {
        path: change.path.clone(),
        note: change.note.clone(),
        diff: change.diff(),
        reload: change.reload.clone(),
    }
}

/// Asks the driver, where that may be done: what the kernel says is on is one thing, what arrives another.
fn prove(report: &mut FixReport, args: &Args) {
    let options = Options { netns: args.namespace.netns.clone(), ..Options::default() };
    report.proof = doctor::check(&args.interface, &options).map_err(Why::said);
}

fn undo(args: &Args, here: &Here) -> Result<FixReport> {
    let name = &args.interface;
    root_for(name, &format!("fix {name} --undo"), "its journal is root's")?;
    let store = Store::open(&state_directory())?;
    let mut kernel = Changer::open()?;
    // The files are of a namesake in process 1's namespace, where this is not that.
    let kept = if here.is_of_process_1 { Kept::read(&store, name)? } else { Kept::none(name) };
    let files = kept.files.iter().map(|file| FileReport {
        path: file.path.clone(),
        note: String::new(),
        diff: String::new(),
        reload: file.reload.clone(),
    });
    let files: Vec<FileReport> = files.collect();
    // First what a person may have changed since: then the device stays as it is, too.
    if !args.dry_run && here.is_of_process_1 {
        Kept::undo(&store, name)?;
    }
    // After a boot there is no journal any more, but the files are there all the same.
    let mut report = match fix::undo(&mut kernel, &store, here, name, args.dry_run) {
        Err(FixError::NoJournal { .. }) if !files.is_empty() => {
            let here = fix::preview(&mut kernel, here, name, &[])?;
            FixReport { dry_run: args.dry_run, undone: true, ..here }
        }
        Err(error) if !files.is_empty() && !args.dry_run => {
            return Err(anyhow::Error::from(error).context("its files were put back, the device was not"));
        }
        done => done?,
    };
    report.files = files;
    Ok(report)
}

fn root_for(interface: &str, command: &str, without: &'static str) -> Result<(), FixError> {
    if fix::may_change() {
        return Ok(());
    }
    Err(FixError::NotRoot { interface: interface.to_owned(), command: command.to_owned(), without })
}
