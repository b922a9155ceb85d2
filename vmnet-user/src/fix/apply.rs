//! Changing what causes ask for: journal, change, read back.

use super::journal::{Journal, Store};
use super::kernel::Here;
use super::{FixError, Kernel};
use crate::model::{
    cause::Action,
    fix::{self, Change, DeviceState, Outcome, Plan, Step, followed},
};
use crate::report::fix::schema::FixReport;

/// What would be done. Needs no privilege, and changes nothing.
///
/// # Errors
/// When a device cannot be read.
pub fn preview(
    kernel: &mut impl Kernel,
    here: &Here,
    interface: &str,
    actions: &[Action],
) -> Result<FixReport, FixError> {
    let (target, states) = read_all(kernel, interface, actions)?;
    let plan = fix::plan(actions, &states);
    let mut report = FixReport { dry_run: true, ..FixReport::new(&target, here.netns) };
    report.commands = plan.steps.iter().map(Step::command).collect();
    report.changes = plan.impossible.clone();
    for step in &plan.steps {
        if let Some(before) = state_of(step, &states) {
            report.changes.extend(step.changes(before, Outcome::Planned));
        }
    }
    Ok(report)
}

/// Does it. `interrupted` is asked before each step; what was done until then stays, and can be put back.
///
/// # Errors
/// When a device cannot be read or the journal cannot be kept: then nothing was changed. What the kernel refuses is no error here, but
/// in the report.
pub fn apply(
    kernel: &mut impl Kernel,
    store: &Store,
    here: &Here,
    interface: &str,
    actions: &[Action],
    mut interrupted: impl FnMut() -> bool,
) -> Result<FixReport, FixError> {
    let (target, states) = read_all(kernel, interface, actions)?;
    let Plan { steps, impossible } = fix::plan(actions, &states);
    let mut report = FixReport::new(&target, here.netns);
    report.commands = steps.iter().map(Step::command).collect();
    report.changes = impossible;
    let is_touched = |state: &&DeviceState| steps.iter().any(|step| step.device().ifindex == state.ifindex);
    let touched: Vec<&DeviceState> = states.iter().filter(is_touched).collect();
    let kept = if steps.is_empty() { Vec::new() } else { store.keep(&journals(here, &target, &touched))? };

    let mut outcomes: Vec<(&Step, Done)> = Vec::new();
    for step in &steps {
        report.interrupted |= interrupted();
        let done = if report.interrupted {
            Done::Not
        } else {
            kernel.carry_out(step).map_or_else(Done::Refused, |()| Done::Whole)
        };
        outcomes.push((step, done));
    }

    let after: Vec<(&DeviceState, Result<DeviceState, String>)> =
        touched.iter().map(|before| (*before, read_again(kernel, before))).collect();
    for (step, done) in &outcomes {
        let ends = after.iter().find(|(before, _)| before.ifindex == step.device().ifindex);
        if let Some((before, after)) = ends {
            report.changes.extend(came_of(step, done, before, after.as_ref()));
        }
    }
    let asked_for: Vec<String> = report.changes.iter().map(|change| change.what.clone()).collect();
    for (before, after) in &after {
        if let Ok(after) = after {
            report.followed.extend(followed(before, after, &asked_for));
        }
    }
    // Where nothing came of it, there is nothing to put back.
    let unchanged = after.iter().all(|(before, after)| after.as_ref().is_ok_and(|after| after == *before));
    if unchanged {
        for (path, _) in kept.iter().filter(|(_, is_new)| *is_new) {
            let _ = store.remove(path);
        }
    }
    let path = store.path(here.netns, target.ifindex);
    report.journal = path.exists().then_some(path);
    Ok(report)
}

/// How far a step went.
enum Done {
    Whole,
    Refused(String),
    Not,
}

fn came_of(
    step: &Step,
    done: &Done,
    before: &DeviceState,
    after: Result<&DeviceState, &String>,
) -> Vec<Change> {
    match (done, after) {
        (Done::Whole, Ok(after)) => step.changes(before, Outcome::Done(after)),
        (Done::Whole, Err(why)) => {
            let mut changes = step.changes(before, Outcome::Failed("", None));
            for change in &mut changes {
                change.note = Some(format!("done, but it cannot be read back: {why}"));
            }
            changes
        }
        (Done::Refused(why), after) => step.changes(before, Outcome::Failed(why, after.ok())),
        (Done::Not, after) => {
            let mut changes = step.changes(before, Outcome::Failed("", after.ok()));
            for change in &mut changes {
                change.note = Some("not done: interrupted".to_owned());
            }
            changes
        }
    }
}

/// What a fix may change of a device: queues are none of its business, nor then an undo's.
fn of_interest(state: &DeviceState) -> DeviceState {
    DeviceState { channels: None, xps: Vec::new(), ..state.clone() }
}

/// A journal for each device that is changed, and one for the interface that it is done for, which leads to the others.
fn journals(here: &Here, target: &DeviceState, touched: &[&DeviceState]) -> Vec<Journal> {
    let others: Vec<u32> =
        touched.iter().map(|state| state.ifindex).filter(|index| *index != target.ifindex).collect();
    let of_others = touched.iter().filter(|state| state.ifindex != target.ifindex);
    let mut journals: Vec<Journal> =
        of_others.map(|state| Journal::new("fix", here, of_interest(state), Vec::new())).collect();
    journals.push(Journal::new("fix", here, of_interest(target), others));
    journals
}

fn read_all(
    kernel: &mut impl Kernel,
    interface: &str,
    actions: &[Action],
) -> Result<(DeviceState, Vec<DeviceState>), FixError> {
    let target = kernel.read(interface).map_err(FixError::Device)?;
    let mut states = vec![target.clone()];
    for name in fix::interfaces(actions) {
        if !states.iter().any(|state| state.name == name) {
            states.push(kernel.read(&name).map_err(FixError::Device)?);
        }
    }
    Ok((target, states))
}

/// The same device, not another that has its name by now.
pub(super) fn read_again(kernel: &mut impl Kernel, before: &DeviceState) -> Result<DeviceState, String> {
    let now = kernel.read(&before.name)?;
    if now.ifindex == before.ifindex {
        Ok(now)
    } else {
        Err(format!("{} is another device now (index {}, was {})", before.name, now.ifindex, before.ifindex))
    }
}

pub(super) fn state_of<'a>(step: &Step, states: &'a [DeviceState]) -> Option<&'a DeviceState> {
    states.iter().find(|state| state.ifindex == step.device().ifindex)
}
