//! Putting back what the journal says: `vmnet fix --undo` for one interface, `vmnet restore` for all that was left.

use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::apply::read_again;
use super::journal::{Journal, JournalError, Listed, Store};
use super::kernel::Here;
use super::{FixError, Kernel};
use crate::model::fix::{Change, DeviceState, Outcome, Step, not_as_before, way_back};
use crate::report::fix::schema::{FixReport, Interface, RESTORE_SCHEMA, RestoreReport, Restored};

/// Puts back an interface, and what was changed for its sake. With `dry_run`, says what that would change.
///
/// # Errors
/// When there is no journal of it, one is damaged, or a device is gone or another: then nothing was changed.
pub fn undo(
    kernel: &mut impl Kernel,
    store: &Store,
    here: &Here,
    interface: &str,
    dry_run: bool,
) -> Result<FixReport, FixError> {
    let target = match kernel.read(interface) {
        Ok(target) => target,
        Err(why) => return Err(FixError::Device(gone_with_journal(store, here, interface).unwrap_or(why))),
    };
    let journal = store.read(here.netns, target.ifindex)?;
    let Some(journal) = journal.filter(|journal| journal.boot_id == here.boot_id) else {
        let directory = store.directory().to_owned();
        return Err(FixError::NoJournal { interface: target.name, directory });
    };
    // All are read and found to fit before anything is put back.
    let mut ways = Vec::new();
    for index in &journal.also {
        // One that is gone from the journals has been put back already.
        if let Some(other) = store.read(here.netns, *index)?.filter(|other| other.boot_id == here.boot_id) {
            ways.push(other);
        }
    }
    ways.push(journal);
    let mut ends = Vec::new();
    for journal in ways {
        let now = the_same(kernel, here, &journal, None).map_err(FixError::NotTheSame)?;
        ends.push((journal, now));
    }
    let mut report = FixReport { undone: true, dry_run, ..FixReport::new(&target, here.netns) };
    for (journal, now) in ends {
        let steps = way_back(&journal.before, &now);
        report.commands.extend(steps.iter().map(Step::command));
        let path = store.path(journal.netns, journal.before.ifindex);
        if dry_run {
            report.changes.extend(steps.iter().flat_map(|step| step.changes(&now, Outcome::Planned)));
            report.journal = Some(path);
            continue;
        }
        let back = go_back(kernel, &journal.before, &now, &steps);
        report.changes.extend(back.changes);
        if back.not_as_before.is_empty() {
            if let Err(why) = store.remove(&path) {
                report.not_as_before.push(why);
            }
        } else {
            report.journal = Some(path);
            report.not_as_before.extend(back.not_as_before);
        }
    }
    Ok(report)
}

/// Puts back what experiments left, or where there are none, what fixes changed: a fix is meant to stay, and an experiment is not. Device by device; each is put back or left with its journal and the reason. With `forget`, journals
/// that cannot be served are removed. A device that may be another than the one that was changed is left alone, unless `adopt` is its name.
///
/// # Errors
/// When the journals cannot be listed.
pub fn restore(
    kernel: &mut impl Kernel,
    store: &Store,
    here: &Here,
    forget: bool,
    adopt: Option<&str>,
    mut interrupted: impl FnMut() -> bool,
) -> Result<RestoreReport, FixError> {
    let mut devices = Vec::new();
    let (fixes, experiments) = store.list()?;
    let is_due =
        |(_, journal): &Listed| !journal.as_ref().is_ok_and(|journal| journal.boot_id != here.boot_id);
    let (due, fixes_kept) = if experiments.iter().any(is_due) {
        (experiments, fixes)
    } else {
        (experiments.into_iter().chain(fixes).collect(), Vec::new())
    };
    for (path, journal) in due {
        let mut restored = if interrupted() {
            Restored { problem: Some("not done: interrupted".to_owned()), ..nothing_yet(path) }
        } else {
            restore_one(kernel, here, path, journal, adopt)
        };
        if restored.problem.is_none() || forget {
            match store.remove(&restored.journal) {
                Ok(()) => restored.removed = true,
                Err(why) => restored.problem = Some(why),
            }
        }
        if restored.removed
            && let Some(problem) = restored.problem.take()
        {
            restored.note = Some(format!("{problem}; forgotten"));
        }
        devices.push(restored);
    }
    let directory = store.directory().to_owned();
    let fixes_kept = fixes_kept.into_iter().map(|(path, _)| path).collect();
    Ok(RestoreReport { schema: RESTORE_SCHEMA.to_owned(), directory, devices, fixes_kept })
}

fn nothing_yet(journal: PathBuf) -> Restored {
    Restored {
        journal,
        interface: None,
        written: None,
        changes: Vec::new(),
        not_as_before: Vec::new(),
        problem: None,
        note: None,
        removed: false,
    }
}

fn restore_one(
    kernel: &mut impl Kernel,
    here: &Here,
    path: PathBuf,
    journal: Result<Journal, JournalError>,
    adopt: Option<&str>,
) -> Restored {
    let journal = match journal {
        Ok(journal) => journal,
        Err(error) => return Restored { problem: Some(error.to_string()), ..nothing_yet(path) },
    };
    let mut restored = Restored {
        interface: Some(Interface {
            name: journal.before.name.clone(),
            ifindex: journal.before.ifindex,
            netns: journal.netns,
        }),
        written: Some(format!("{}, {}", journal.by, journal.written)),
        ..nothing_yet(path)
    };
    if journal.boot_id != here.boot_id {
        restored.note = Some("from before the last boot, which undid it".to_owned());
        return restored;
    }
    match the_same(kernel, here, &journal, adopt) {
        Err(why) => restored.problem = Some(why),
        Ok(now) => {
            let steps = way_back(&journal.before, &now);
            let back = go_back(kernel, &journal.before, &now, &steps);
            restored.changes = back.changes;
            if !back.not_as_before.is_empty() {
                restored.problem = Some("not everything is as it was".to_owned());
            }
            restored.not_as_before = back.not_as_before;
        }
    }
    restored
}

/// The journaled device as it is now, or why it is not there or not the same. Whoever adopts it says that it is, by its name.
fn the_same(
    kernel: &mut impl Kernel,
    here: &Here,
    journal: &Journal,
    adopt: Option<&str>,
) -> Result<DeviceState, String> {
    let before = &journal.before;
    if journal.netns != here.netns {
        let inode = journal.netns;
        let way = namespace_with(Path::new("/run/netns"), inode).map_or_else(
            || "no namespace of that number has a name".to_owned(),
            |name| format!("vmnet restore --netns {name}"),
        );
        return Err(format!("{} is in another network namespace (inode {inode}): {way}", before.name));
    }
    match kernel.name_of(before.ifindex)? {
        None => Err(format!(
            "{} (index {}) is gone: removed, or moved to another network namespace",
            before.name, before.ifindex
        )),
        Some(name) if name != before.name => Err(format!(
            "index {} was {} and is called {name} now: rename it back, or another device is there",
            before.ifindex, before.name
        )),
        Some(name) => {
            let now = read_again(kernel, before)?;
            match journal.doubt(here, &now).filter(|_| adopt != Some(name.as_str())) {
                None => Ok(now),
                Some(doubt) => Err(format!(
                    "{doubt}. If it is to be as that one was: `vmnet restore --adopt {name}`; if not: `vmnet restore --forget`"
                )),
            }
        }
    }
}

fn namespace_with(directory: &Path, inode: u64) -> Option<String> {
    let entries = std::fs::read_dir(directory).ok()?;
    let found = entries
        .flatten()
        .find(|entry| std::fs::metadata(entry.path()).is_ok_and(|metadata| metadata.ino() == inode))?;
    Some(found.file_name().to_string_lossy().into_owned())
}

/// A journal about an interface of that name, which is not there.
fn gone_with_journal(store: &Store, here: &Here, interface: &str) -> Option<String> {
    let (fixes, _) = store.list().ok()?;
    let (path, _) = fixes.iter().find(|(_, journal)| {
        journal.as_ref().is_ok_and(|journal| {
            (journal.netns, journal.boot_id.as_str(), journal.before.name.as_str())
                == (here.netns, here.boot_id.as_str(), interface)
        })
    })?;
    Some(format!(
        "{interface} is gone: removed, or moved to another network namespace. Nothing was changed, and {} is kept \
         (`vmnet restore --forget` removes it)",
        path.display()
    ))
}

struct Back {
    changes: Vec<Change>,
    not_as_before: Vec<String>,
}

fn go_back(kernel: &mut impl Kernel, before: &DeviceState, now: &DeviceState, steps: &[Step]) -> Back {
    let refused: Vec<Option<String>> = steps.iter().map(|step| kernel.carry_out(step).err()).collect();
    match read_again(kernel, before) {
        Ok(after) => {
            let outcomes = steps.iter().zip(&refused).flat_map(|(step, refused)| {
                step.changes(
                    now,
                    match refused {
                        None => Outcome::Done(&after),
                        Some(why) => Outcome::Failed(why, Some(&after)),
                    },
                )
            });
            let mut changes: Vec<Change> = outcomes.collect();
            let not_as_before = not_as_before(before, &after);
            // A bit that was wanted and not active is as it was when it is so again.
            if not_as_before.is_empty() {
                for change in &mut changes {
                    (change.ok, change.note) = (Some(true), None);
                }
            }
            Back { changes, not_as_before }
        }
        Err(why) => Back {
            changes: steps.iter().flat_map(|step| step.changes(now, Outcome::Failed(&why, None))).collect(),
            not_as_before: vec![format!("{} cannot be read back: {why}", before.name)],
        },
    }
}
