//! Files that set offloads of an interface: those that turn TSO off again at the next boot, or did at this one.
//!
//! Only lines are read, not what programs make of them: a line that could be meant for the interface is shown, one that is plainly
//! meant for another is not. Files may hold anything: at most [`MOST_BYTES`] of a regular file are read, and at most [`MOST_FILES`] of a directory.

mod command_lines;
mod link_files;
mod matching;
mod netplan;
mod network_manager;
mod tuned;

use std::{
    cell::RefCell,
    collections::BTreeMap,
    ffi::OsString,
    os::unix::fs::FileTypeExt as _,
    path::{Path, PathBuf},
};

use super::ini::Entry;
use super::{links::Link, small_file};
use crate::model::machine::Setter;

/// Longer files are left out.
const MOST_BYTES: u64 = 1 << 20;
/// More files of one directory are left out.
const MOST_FILES: usize = 1024;
/// Longer lines are cut when they are shown.
const MOST_LINE_CHARS: usize = 300;

/// The interface that settings may be meant for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// Its name, and others that it answers to.
    pub names: Vec<String>,
    /// `52:54:00:12:34:56`, lower case; None where it has no Ethernet address.
    pub mac_address: Option<String>,
    /// Its driver.
    pub driver: Option<String>,
    /// `IFLA_INFO_KIND`.
    pub kind: Option<String>,
}

impl Target {
    /// An interface as the kernel described it, with its driver.
    #[must_use]
    pub fn of(link: &Link, driver: Option<String>) -> Self {
        let bytes: Vec<String> = link.hardware_address.iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            names: [vec![link.name.clone()], link.alternative_names.clone()].concat(),
            mac_address: (bytes.len() == 6).then(|| bytes.join(":")),
            driver,
            kind: link.kind.clone(),
        }
    }
}

/// The settings found on this machine, in the order of their files; and the files that could not be read, each with its reason.
#[must_use]
pub fn find(target: &Target) -> (Vec<Setter>, Vec<String>) {
    find_below(Path::new("/"), target)
}

/// The same of the machine whose root directory that is.
pub(crate) fn find_below(root: &Path, target: &Target) -> (Vec<Setter>, Vec<String>) {
    let files = Files { root, unread: RefCell::default() };
    let found = find_in(&files, target);
    (found, files.unread.into_inner())
}

fn find_in(files: &Files<'_>, target: &Target) -> Vec<Setter> {
    [link_files::find, netplan::find, network_manager::find, tuned::find, command_lines::find]
        .into_iter()
        .flat_map(|find| find(files, target))
        .collect()
}

/// The files below a root directory.
struct Files<'a> {
    root: &'a Path,
    unread: RefCell<Vec<String>>,
}

/// A file's text, and its path as it is on the machine that the root is of.
struct Source {
    path: PathBuf,
    text: String,
}

impl Files<'_> {
    /// None where it is not there, is a mask, may not be read, or is no regular file of a size to be read.
    fn read(&self, path: &Path) -> Option<Source> {
        let real = self.root.join(path.strip_prefix("/").unwrap_or(path));
        if is_mask(&real) {
            return None;
        }
        match small_file::read(&real, MOST_BYTES) {
            Ok(text) => Some(Source { path: path.to_owned(), text }),
            Err(error) => {
                if error.kind() != std::io::ErrorKind::NotFound {
                    self.unread.borrow_mut().push(format!("{}: {error}", path.display()));
                }
                None
            }
        }
    }

    fn cannot_read(&self, source: &Source, why: &str) {
        self.unread.borrow_mut().push(format!("{}: {why}", source.path.display()));
    }

    /// The paths of a directory's files with that ending, in order; empty where there is no such directory.
    fn list(&self, directory: &str, ending: &str) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.root.join(directory.trim_start_matches('/'))) else {
            return Vec::new();
        };
        let mut names: Vec<OsString> = entries
            .flatten()
            .map(|entry| entry.file_name())
            .filter(|name| name.as_encoded_bytes().ends_with(ending.as_bytes()))
            .collect();
        names.sort_unstable();
        names.truncate(MOST_FILES);
        names.into_iter().map(|name| Path::new(directory).join(name)).collect()
    }

    /// The files of several directories of which an earlier one's file hides a later one's of the same name, by name.
    fn list_overriding(&self, directories: &[&str], ending: &str) -> Vec<PathBuf> {
        let mut by_name = BTreeMap::new();
        for path in directories.iter().flat_map(|directory| self.list(directory, ending)) {
            if let Some(name) = path.file_name().map(ToOwned::to_owned) {
                by_name.entry(name).or_insert(path);
            }
        }
        by_name.into_values().collect()
    }
}

/// A file that hides its namesakes and says nothing: empty, or a link to `/dev/null`. What has such a name is not read, nor are drop-ins.
fn is_mask(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|there| {
        let kind = there.file_type();
        kind.is_char_device() || (kind.is_file() && there.len() == 0)
    })
}

impl Source {
    /// The lines with their numbers from 1.
    fn lines(&self) -> impl Iterator<Item = (u32, &str)> {
        (1..).zip(self.text.lines())
    }

    fn setter_of(&self, entry: &Entry, turns_off: bool) -> Setter {
        let text = self.text.lines().nth(entry.first_line).unwrap_or_default();
        self.setter(u32::try_from(entry.first_line + 1).unwrap_or(u32::MAX), text, turns_off)
    }

    /// `line` is from 1, as YAML counts: a carriage return alone ends a line too.
    fn setter_in_yaml(&self, line: usize, turns_off: bool) -> Setter {
        let mut lines = self.text.lines().flat_map(|line| line.split('\r'));
        let text = lines.nth(line.saturating_sub(1)).unwrap_or_default();
        self.setter(u32::try_from(line).unwrap_or(u32::MAX), text, turns_off)
    }

    fn setter(&self, line: u32, text: &str, turns_off: bool) -> Setter {
        Setter {
            path: self.path.display().to_string(),
            line,
            text: text.trim().chars().take(MOST_LINE_CHARS).collect(),
            turns_off,
        }
    }
}

/// What the programs that read such files take for yes or no; None for anything else.
fn yes_or_no(word: &str) -> Option<bool> {
    match word.trim().trim_matches(['"', '\'']).to_ascii_lowercase().as_str() {
        "1" | "yes" | "y" | "true" | "t" | "on" => Some(true),
        "0" | "no" | "n" | "false" | "f" | "off" => Some(false),
        _ => None,
    }
}

/// Whether an offload, by its ethtool name, short or long, is segmentation of TCP or what it depends on.
fn affects_segmentation(feature: &str) -> bool {
    matches!(
        feature,
        "tso"
            | "gso"
            | "sg"
            | "tx"
            | "tcp-segmentation-offload"
            | "generic-segmentation-offload"
            | "scatter-gather"
            | "tx-checksumming"
            | "tx-tcp-segmentation"
            | "tx-tcp6-segmentation"
            | "tx-tcp-ecn-segmentation"
            | "tx-generic-segmentation"
            | "tx-scatter-gather"
            | "tx-checksum-ip-generic"
            | "tx-checksum-ipv4"
            | "tx-checksum-ipv6"
    )
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
