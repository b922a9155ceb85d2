//! Fixing a device, and putting it back: `vmnet fix`, `vmnet restore`.
//!
//! The way of every change: lock → read → journal (on disk before anything is touched) → change → read back → report.
//! What is changed is decided in [`crate::model::fix`] and sent by [`crate::device::change`].

mod apply;
#[cfg(test)]
mod by_features;
mod interrupt;
mod journal;
mod kept;
mod kernel;
pub mod persist;
mod restore;

use std::path::PathBuf;

pub use crate::model::fix::Kernel;
pub use crate::report::fix::schema::{FIX_SCHEMA, FixReport, RESTORE_SCHEMA, RestoreReport};
pub use apply::{apply, preview};
#[cfg(test)]
use by_features::actions_by_features;
pub use interrupt::Interrupt;
pub use journal::{
    GoingOn, Journal, JournalError, Listed, Store, Unfinished, going_on, state_directory, unfinished,
};
pub use kept::{Kept, KeptError};
pub use kernel::Here;
pub use restore::{restore, undo};

use crate::model::{
    breaks::Family,
    cause::{Action, Cause},
    machine::Machine,
};

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum FixError {
    /// The device.
    #[error("{0}")]
    Device(String),
    /// Not root.
    #[error(
        "changing {interface} needs root (CAP_NET_ADMIN): sudo vmnet {command}; nothing was changed ({without})"
    )]
    NotRoot {
        /// Which.
        interface: String,
        /// To be run as root.
        command: String,
        /// What works without.
        without: &'static str,
    },
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// `--undo` without a journal.
    #[error("there is nothing to put back for {interface}: no journal of it in {}", directory.display())]
    NoJournal {
        /// Which.
        interface: String,
        /// Where journals are.
        directory: PathBuf,
    },
    /// `--persist` where no files are read at boot.
    #[error(
        "--persist is refused in this network namespace: it is not process 1's, whose interfaces the files in /etc are about. Have whatever \
         makes the namespace set its interfaces up; `vmnet fix` without --persist lasts until then. Nothing was changed"
    )]
    NoBootFiles,
    /// The journaled device is not there, or not the same.
    #[error("{0}; nothing was changed")]
    NotTheSame(String),
}

/// What causes ask for, in their order (the first broken link first), each action once.
#[must_use]
pub fn actions(causes: &[Cause]) -> Vec<Action> {
    let mut actions: Vec<Action> = Vec::new();
    for action in causes.iter().flat_map(|cause| &cause.fix.actions) {
        if !actions.contains(action) {
            actions.push(action.clone());
        }
    }
    actions
}

/// The causes that keep super-packets from the device and that no action fixes.
#[must_use]
pub fn beyond(causes: &[Cause]) -> Vec<Cause> {
    causes.iter().filter(|cause| cause.fix.actions.is_empty()).cloned().collect()
}

/// What is to hold after the next boot: TSO for both families where it can be switched, and what the actions ask for.
#[must_use]
pub fn to_be_kept(machine: &Machine, actions: &[Action]) -> Vec<Action> {
    let Ok(features) = &machine.device.features else { return actions.to_vec() };
    let tso = Family::ALL.into_iter().map(Family::feature);
    let switchable = tso.filter(|name| features.get(name).is_some_and(|feature| !feature.fixed()));
    let mut kept = vec![Action::switch_on(&machine.device.name, switchable)];
    kept.extend(actions.iter().cloned());
    kept
}

/// Whether this process may change network devices here.
#[must_use]
pub fn may_change() -> bool {
    caps::has_cap(None, caps::CapSet::Effective, caps::Capability::CAP_NET_ADMIN).unwrap_or(false)
}

#[cfg(test)]
mod tests;
