//! Keeping settings over a restart: files for whoever sets the interface up at boot, merged with what is there.
//!
//! [`plan`] only reads and says what would change ([`Plan::diff`]); [`write`] changes all files or none; [`undo`] puts
//! back what was there, unless a person has changed a file since.

mod cloud_init;
mod diff;
mod error;
mod identity;
mod ini;
mod link_match;
mod name;
mod netplan;
mod networkd;
mod nm;
mod owned;
mod read;
mod settings;
mod swap;
mod udev;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use error::PersistError;
pub use identity::{Identity, LinkFile};
pub use link_match::{HostFacts, LinkFacts, Virtualization};
pub use settings::Settings;
pub use swap::{Written, undo, write};

/// Who sets the interface up at boot, and so where its settings are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// A systemd `.link` file or a drop-in for the one in force; read by udevd, with or without networkd.
    Networkd,
    /// A netplan file of its own, merged by netplan into the definition that configures the interface.
    Netplan,
    /// The `[ethtool]` section of the NetworkManager profile in force.
    Nm,
    /// A udev rule that runs ethtool and ip.
    Udev,
    /// A cloud-config with a `bootcmd`, for this machine and as user data for others.
    CloudInit,
}

/// One file that is to be made or changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChange {
    /// Absolute, below the plan's root.
    pub path: PathBuf,
    /// What is there; None where there is no such file.
    pub before: Option<String>,
    /// What will be.
    pub after: String,
    /// Permission bits of a new file. One that exists keeps its own, and its owner.
    pub mode: u32,
    /// What a person should know of it; one line.
    pub note: String,
    /// The command that makes a running consumer read the file before the next boot; empty where none is needed.
    pub reload: Vec<String>,
}

/// What is to be changed, and what cannot be kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The file system that the changes are for: `/`, or the root of an image.
    pub root: PathBuf,
    /// Empty where everything is there already.
    pub changes: Vec<FileChange>,
    /// Settings that this form has no words for, each with its reason.
    pub left_out: Vec<String>,
}

/// What has to be written below `root` so that `settings` hold on the interface from the next boot on.
///
/// Reads files below `root` only; nothing is changed. Where all of it is there already, the plan is empty.
///
/// # Errors
/// Where the form cannot express anything of it, the interface's name cannot be written safely in its syntax, an existing file is
/// damaged, or something else would win over what was written.
pub fn plan(
    form: Form,
    root: &Path,
    interface: &Identity,
    settings: &Settings,
) -> Result<Plan, PersistError> {
    name::check(&interface.name)?;
    let (kept, mut left_out) = settings.split_for(form);
    left_out.extend(settings.beyond_files.iter().cloned());
    if kept.is_empty() {
        return Err(PersistError::NothingToKeep { form: form.name(), left_out });
    }
    if matches!(form, Form::Networkd | Form::Udev) && udev::program(root, "udevadm").is_none() {
        return Err(PersistError::ProgramMissing { program: "udev" });
    }
    let change = match form {
        Form::Networkd => networkd::plan(root, interface, &kept),
        Form::Netplan => netplan::plan(root, interface, &kept),
        Form::Nm => nm::plan(root, interface, &kept),
        Form::Udev => udev::plan(root, interface, &kept),
        Form::CloudInit => cloud_init::plan(root, interface, &kept),
    }?;
    let changes = Some(change).filter(|change| change.before.as_ref() != Some(&change.after));
    Ok(Plan { root: root.to_path_buf(), changes: changes.into_iter().collect(), left_out })
}

impl Form {
    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Networkd => "networkd",
            Self::Netplan => "netplan",
            Self::Nm => "nm",
            Self::Udev => "udev",
            Self::CloudInit => "cloud-init",
        }
    }
}

impl FileChange {
    /// What would change, as a unified diff. Control characters are shown as escapes: names may hold them.
    pub fn diff(&self) -> String {
        diff::unified(self)
    }
}

impl Plan {
    /// What would change, as a unified diff. Control characters are shown as escapes: names may hold them.
    pub fn diff(&self) -> String {
        self.changes.iter().map(diff::unified).collect()
    }
}

#[cfg(test)]
mod tests;
