//! `vmnet.fix/1` and `vmnet.restore/1`: what was done, as values. Text and JSON are drawn from them and from nothing else.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::model::absences::Reasons;
use crate::model::cause::{Cause, CauseId};
use crate::model::checked::State;
use crate::model::fact::{self, Fact, Why};
use crate::model::fix::{Change, DeviceState, Followed};
use crate::report::check::CheckReport;
use crate::report::kit::json::Explained;

/// Where nobody asked the driver.
pub(in crate::report) const NOT_PROVEN: Why = Why::is("nothing was sent to prove it");

/// The schema of [`FixReport`].
pub const FIX_SCHEMA: &str = "vmnet.fix/1";
/// The schema of [`RestoreReport`].
pub const RESTORE_SCHEMA: &str = "vmnet.restore/1";

/// What `vmnet fix` did, would do, or put back.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FixReport {
    /// Always [`FIX_SCHEMA`].
    pub schema: String,
    /// What it was about.
    pub interface: Interface,
    /// Nothing was changed: what would be.
    pub dry_run: bool,
    /// This was `--undo`.
    pub undone: bool,
    /// Each thing that was to be changed, and what the kernel made of it.
    pub changes: Vec<Change>,
    /// What changed besides.
    pub followed: Vec<Followed>,
    /// The same with `ethtool`, `ip`, `tc`.
    pub commands: Vec<String>,
    /// `--undo`: what is not as it was before.
    pub not_as_before: Vec<String>,
    /// Causes that cannot be fixed from inside, or that a person has to choose how to mend.
    pub beyond: Vec<Cause>,
    /// Files that were written, or would be, for the next boot (`--persist`); or put back (`--undo`).
    pub files: Vec<FileReport>,
    /// What of it the chosen form of files has no words for, each with its reason.
    pub left_out: Vec<String>,
    /// A signal ended it early.
    pub interrupted: bool,
    /// Where the state before is kept, for `--undo`; None where there is nothing to put back.
    pub journal: Option<PathBuf>,
    /// The check that ran afterwards: what the driver gets now.
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(test, schemars(with = "Option<CheckReport>"))]
    pub proof: Fact<CheckReport>,
    /// Path of a null → why.
    pub unmeasured: BTreeMap<String, String>,
}

/// A file for the next boot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FileReport {
    /// Which.
    pub path: PathBuf,
    /// What to know of it.
    pub note: String,
    /// What was, or would be, changed: a unified diff; empty where it was put back.
    pub diff: String,
    /// The command that makes a running program read it; empty where none is needed.
    pub reload: Vec<String>,
}

/// Which device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its index.
    pub ifindex: u32,
    /// Inode number of its network namespace.
    pub netns: u64,
}

impl FixReport {
    /// Of a device as it is, in the namespace with that inode, with nothing done.
    #[must_use]
    pub fn new(state: &DeviceState, netns: u64) -> Self {
        Self {
            schema: FIX_SCHEMA.to_owned(),
            interface: Interface { name: state.name.clone(), ifindex: state.ifindex, netns },
            dry_run: false,
            undone: false,
            changes: Vec::new(),
            followed: Vec::new(),
            commands: Vec::new(),
            not_as_before: Vec::new(),
            beyond: Vec::new(),
            files: Vec::new(),
            left_out: Vec::new(),
            interrupted: false,
            journal: None,
            proof: Err(NOT_PROVEN),
            unmeasured: BTreeMap::new(),
        }
    }

    /// Whether all is as it was asked for (with `--dry-run`: could be), and nothing is beyond fixing.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.changes.iter().all(|change| change.ok != Some(false))
            && self.not_as_before.is_empty()
            && !self.tso_is_beyond()
            && !self.interrupted
            && !self.proof_fails()
    }

    /// Whether something beyond fixing keeps TSO off. Without ECN's part of it TSO works, but for the few packets that carry CWR.
    #[must_use]
    pub fn tso_is_beyond(&self) -> bool {
        self.beyond.iter().any(|cause| cause.id != CauseId::HostNoEcn)
    }

    /// Whether the driver still gets segments: what was changed did not help.
    #[must_use]
    pub fn proof_fails(&self) -> bool {
        self.proof
            .as_ref()
            .is_ok_and(|proof| matches!(proof.state, State::Software | State::Partial | State::NotBuilt))
    }
}

impl Explained for FixReport {
    fn unmeasured(&mut self) -> &mut Reasons {
        &mut self.unmeasured
    }
}

/// What `vmnet restore` did.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RestoreReport {
    /// Always [`RESTORE_SCHEMA`].
    pub schema: String,
    /// Where journals are kept.
    pub directory: PathBuf,
    /// One for each journal that was left.
    pub devices: Vec<Restored>,
    /// Journals of fixes that were left alone, because what an interrupted experiment left was put back first.
    pub fixes_kept: Vec<PathBuf>,
}

impl RestoreReport {
    /// Whether nothing is left to put back.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.devices.iter().all(|device| device.problem.is_none())
    }
}

/// One journal, and what came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Restored {
    /// The journal's file.
    pub journal: PathBuf,
    /// The device; None where the journal does not tell.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub interface: Option<Interface>,
    /// Who had changed it, when.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub written: Option<String>,
    /// Each thing that was to be put back.
    pub changes: Vec<Change>,
    /// What is not as it was.
    pub not_as_before: Vec<String>,
    /// Why it was not put back; absent where it was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub problem: Option<String>,
    /// What to know.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
    /// Whether the journal is gone now.
    pub removed: bool,
}
