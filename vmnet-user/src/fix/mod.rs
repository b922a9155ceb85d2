//! Mending a device, and putting it back: `vmnet fix`, `vmnet restore`.
//!
//! The way of every change: lock → read → journal (on disk before anything is touched) → change → read back → report.
//! What is changed is decided in [`crate::model::fix`] and sent by [`crate::device::change`].

mod apply;
mod by_features;
mod interrupt;
mod journal;
mod kernel;
pub mod report;
mod restore;
pub mod text;

use std::path::PathBuf;

pub use apply::{apply, preview};
pub use by_features::actions_by_features;
pub use interrupt::Interrupt;
pub use journal::{Journal, JournalError, Listed, Store, state_directory};
pub use kernel::{Here, Kernel};
pub use report::{FixReport, RestoreReport};
pub use restore::{restore, undo};

use crate::model::cause::{Action, Cause};

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

/// Whether this process may change network devices here.
#[must_use]
pub fn may_change() -> bool {
    caps::has_cap(None, caps::CapSet::Effective, caps::Capability::CAP_NET_ADMIN).unwrap_or(false)
}

#[cfg(test)]
mod tests;
