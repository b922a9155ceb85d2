//! Entering a named network namespace, as `ip netns exec` does: `/sys` is mounted anew, for it shows the interfaces of the
//! namespace that it was mounted in.

use std::{fs::File, path::PathBuf};

use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, setns, unshare},
};
use thiserror::Error;

/// Why a namespace could not be entered.
#[derive(Debug, Error)]
pub enum NetnsError {
    /// A name with a slash, or a special one.
    #[error("{0:?} is not the name of a network namespace")]
    BadName(String),
    /// No such namespace.
    #[error("cannot open network namespace {name}: {source}; there are: {there}")]
    NotFound {
        /// As asked for.
        name: String,
        /// What the kernel answered.
        source: std::io::Error,
        /// Those in `/run/netns`.
        there: String,
    },
    /// The kernel refused.
    #[error("cannot {what} network namespace {name}: {source}; it takes root")]
    Refused {
        /// What was tried.
        what: &'static str,
        /// The namespace.
        name: String,
        /// What the kernel answered.
        source: nix::Error,
    },
}

const DIRECTORY: &str = "/run/netns";

/// Moves this process into the namespace. Call it before threads are started.
///
/// # Errors
/// [`NetnsError`].
pub fn enter(name: &str) -> Result<(), NetnsError> {
    if name.is_empty() || name.contains('/') || name == "." || name == ".." {
        return Err(NetnsError::BadName(name.to_owned()));
    }
    let file = File::open(PathBuf::from(DIRECTORY).join(name)).map_err(|source| NetnsError::NotFound {
        name: name.to_owned(),
        source,
        there: there(),
    })?;
    let refused = |what| move |source| NetnsError::Refused { what, name: name.to_owned(), source };
    setns(file, CloneFlags::CLONE_NEWNET).map_err(refused("enter"))?;
    unshare(CloneFlags::CLONE_NEWNS).map_err(refused("make a mount namespace for"))?;
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_SLAVE | MsFlags::MS_REC, none)
        .map_err(refused("detach the mounts of"))?;
    // Not being able to take the old one away does no harm: the new one covers it.
    let _ = umount2("/sys", MntFlags::MNT_DETACH);
    mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), none).map_err(refused("mount /sys for"))
}

fn there() -> String {
    let mut names: Vec<String> = std::fs::read_dir(DIRECTORY)
        .map(|entries| {
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
        })
        .unwrap_or_default();
    names.sort_unstable();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_not_a_path() {
        for name in ["", "..", "../net", "a/b"] {
            assert!(matches!(enter(name), Err(NetnsError::BadName(_))), "{name}");
        }
    }
}
