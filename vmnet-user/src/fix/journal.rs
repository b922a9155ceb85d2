//! The journal: what a device was like before it was first changed, on disk before the change is made.
//!
//! One file a device, `<inode of the network namespace>-<ifindex>.journal`, and while an experiment goes on one more, `…-ab.journal`: what is
//! put back after it is what it found, which may be what a fix had made. Each is of two lines of JSON: a header with the format's version
//! and a checksum of the second line, which holds the state. Written beside, synced and renamed, so that it is there whole or
//! not at all; names of interfaces are in it and never in a path.

use std::{
    fmt,
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::kernel::Here;
use crate::model::fix::{DeviceState, Splits};

const VERSION: u32 = 1;
/// Names another directory for the journals.
const STATE_DIR: &str = "VMNET_STATE_DIR";
/// Held by whoever changes devices.
const LOCK: &str = "lock";
const DEFAULT_STATE_DIR: &str = "/var/lib/vmnet";
const SUFFIX: &str = ".journal";
/// Of an experiment's journal.
const EXPERIMENT_SUFFIX: &str = "-ab.journal";
/// Larger than any journal: a file beyond it is none of ours.
const MOST_BYTES: u64 = 4 << 20;

/// Why the journal could not be kept or read. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It cannot be written.
    #[error(
        "cannot keep a journal in {}: {doing}: {cause}. Nothing was changed, for it could not be put back; \
         {STATE_DIR}=DIR names another place",
        directory.display()
    )]
    CannotKeep {
        /// Where.
        directory: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the kernel answered.
        cause: io::Error,
    },
    /// Somebody else is at it.
    #[error("another vmnet{holder} is changing devices; wait until it has ended. Nothing was changed")]
    Locked {
        /// ` (process N)`, where known, and whether it is suspended.
        holder: String,
    },
    /// It cannot be read.
    #[error("cannot read {}: {cause}. Nothing was changed", path.display())]
    CannotRead {
        /// The file, or the directory.
        path: PathBuf,
        /// What the kernel answered.
        cause: io::Error,
    },
    /// It is not what was written.
    #[error(
        "{} is damaged: {what}. Nothing was put back from it; put the device back by hand and remove the file",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where, and what is wrong.
        what: String,
    },
    /// An experiment was interrupted, and what it set is still there.
    #[error("{0}. Nothing was changed")]
    Unfinished(Unfinished),
    /// It is about a device that is gone, and another one has its place.
    #[error(
        "{} is of another {name}: {what}. `vmnet restore --forget` removes it. Nothing was changed",
        path.display()
    )]
    Another {
        /// The file.
        path: PathBuf,
        /// Its name, then and now.
        name: String,
        /// What tells them apart.
        what: String,
    },
    /// It is about a device that has another name now.
    #[error(
        "{} was written when index {ifindex} was called {was}, and now it is {is}: `vmnet restore` first. Nothing was changed",
        path.display()
    )]
    Renamed {
        /// The file.
        path: PathBuf,
        /// The index.
        ifindex: u32,
        /// Its name then.
        was: String,
        /// Its name now.
        is: String,
    },
}

/// What one device was like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// Who changed it: `fix`, `ab`.
    pub by: String,
    /// When it was first changed, RFC 3339.
    pub written: String,
    /// `/proc/sys/kernel/random/boot_id`: after a boot there is nothing to put back.
    pub boot_id: String,
    /// Inode number of its network namespace.
    pub netns: u64,
    /// What no other namespace has; None before 5.14, and in journals of before.
    #[serde(default)]
    pub netns_cookie: Option<u64>,
    /// Before the first change.
    pub before: DeviceState,
    /// Indexes of other devices that were changed for its sake, each with a journal of its own.
    pub also: Vec<u32>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    vmnet_journal: u32,
    crc32: String,
}

impl Journal {
    /// Of a device as it is now.
    #[must_use]
    pub fn new(by: &str, here: &Here, before: DeviceState, also: Vec<u32>) -> Self {
        Self {
            by: by.to_owned(),
            written: jiff::Timestamp::now().to_string(),
            boot_id: here.boot_id.clone(),
            netns: here.netns,
            netns_cookie: here.netns_cookie,
            before,
            also,
        }
    }

    /// What shows that a later one, of the same name and index, is of another device; None where nothing does.
    fn differs_from(&self, later: &Self) -> Option<String> {
        if let (Some(was), Some(is)) = (self.netns_cookie, later.netns_cookie)
            && was != is
        {
            return Some("its network namespace is gone, and another has its number".to_owned());
        }
        let differences = self.before.identity.as_ref()?.differences(later.before.identity.as_ref()?);
        (!differences.is_empty()).then(|| differences.join(", "))
    }

    /// Why the device that is there by the name and index of this one's may be another; None where it is the same.
    pub(super) fn doubt(&self, here: &Here, now: &DeviceState) -> Option<String> {
        let DeviceState { name, ifindex, .. } = &self.before;
        let there = Self { netns_cookie: here.netns_cookie, before: now.clone(), ..self.clone() };
        if let Some(what) = self.differs_from(&there) {
            return Some(format!(
                "{name} (index {ifindex}) is another device than the one that was changed: {what}"
            ));
        }
        let is_told_apart = self.netns_cookie.is_some() && here.netns_cookie.is_some();
        (!here.is_of_process_1 && !is_told_apart).then(|| {
            format!(
                "whether {name} (index {ifindex}) is the device that was changed is not known: its network namespace is not process 1's, and \
                 may have been recreated with the same number (the kernel tells them apart from 5.14 on)"
            )
        })
    }

    /// This one, with what is new in a later one: what was before stays, qdiscs that it does not know are added.
    #[must_use]
    fn and_then(mut self, later: Self) -> Self {
        for qdisc in later.before.qdiscs {
            let is_known = |known: &&_| {
                let known: &crate::model::fix::QdiscState = known;
                (known.handle, &known.kind) == (qdisc.handle, &qdisc.kind)
            };
            if qdisc.splits != Splits::No && !self.before.qdiscs.iter().any(|known| is_known(&known)) {
                self.before.qdiscs.push(qdisc);
            }
        }
        for index in later.also {
            if !self.also.contains(&index) {
                self.also.push(index);
            }
        }
        self
    }

    /// A journal that is read is written, read and written again without a change.
    #[cfg(any(test, feature = "fuzzing"))]
    #[allow(clippy::expect_used, reason = "what does not hold is a finding")]
    pub(crate) fn stays(text: &str) {
        // The check sum keeps most of what is made up from being looked at.
        let body = text.split_once('\n').map_or(text, |(_, body)| body).trim_end_matches('\n');
        let Ok(journal) = serde_json::from_str::<Self>(body) else { return drop(Self::parse(text)) };
        let written = journal.to_text().expect("a tree");
        let again = Self::parse(&written).expect("what was written is read");
        assert_eq!(again.to_text().expect("a tree"), written);
    }

    fn to_text(&self) -> Result<String, serde_json::Error> {
        let body = serde_json::to_string(self)?;
        let crc32 = format!("{:08x}", crc32fast::hash(body.as_bytes()));
        let header = serde_json::to_string(&Header { vmnet_journal: VERSION, crc32 })?;
        Ok(format!("{header}\n{body}\n"))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let (header, body) = text.split_once('\n').ok_or("line 1: there is no second line")?;
        let header: Header = serde_json::from_str(header).map_err(|error| format!("line 1: {error}"))?;
        if header.vmnet_journal != VERSION {
            let version = header.vmnet_journal;
            return Err(format!("line 1: its version is {version}, and this vmnet knows version {VERSION}"));
        }
        let body = body.strip_suffix('\n').ok_or("line 2: it does not end")?;
        let found = format!("{:08x}", crc32fast::hash(body.as_bytes()));
        if header.crc32 != found {
            return Err(format!("line 2: its checksum is {found}, not {}", header.crc32));
        }
        serde_json::from_str(body).map_err(|error| format!("line 2: {error}"))
    }
}

/// A file, and the journal in it.
pub type Listed = (PathBuf, Result<Journal, JournalError>);

/// An experiment that was ended before it could put back what it had set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// The device.
    pub interface: String,
    /// When it began, RFC 3339.
    pub written: String,
    /// Its journal.
    pub path: PathBuf,
}

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { interface, written, path } = self;
        write!(
            f,
            "an experiment on {interface} ({written}) was interrupted, and the settings that it made may still be there: `sudo vmnet restore` \
             puts back what was before ({})",
            path.display()
        )
    }
}

/// The experiments of this boot that were interrupted, as far as this process may see journals. None while a vmnet changes
/// devices: an experiment that goes on is not one that was interrupted.
#[must_use]
pub fn unfinished(directory: &Path, boot_id: &str) -> Vec<Unfinished> {
    let left = of_experiments(directory, boot_id);
    if left.is_empty() || is_held(directory) { Vec::new() } else { left }
}

/// The experiments of this boot that have a journal.
fn of_experiments(directory: &Path, boot_id: &str) -> Vec<Unfinished> {
    listed(directory)
        .unwrap_or_default()
        .into_iter()
        .filter(|path| is_of_experiment(path))
        .filter_map(|path| Some((read(&path).ok()?, path)))
        .filter(|(journal, _)| journal.boot_id == boot_id)
        .map(|(journal, path)| Unfinished { interface: journal.before.name, written: journal.written, path })
        .collect()
}

/// An experiment that goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoingOn {
    /// The device.
    pub interface: String,
    /// When it began, RFC 3339.
    pub written: String,
    /// ` (process N)`, where known, and whether it is suspended.
    pub holder: String,
}

impl fmt::Display for GoingOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { interface, written, holder } = self;
        write!(
            f,
            "an experiment on {interface} is going on since {written}{holder}: it switches settings to and fro, and puts them back at its end"
        )
    }
}

/// The experiments of this boot that go on, as far as this process may see journals.
#[must_use]
pub fn going_on(directory: &Path, boot_id: &str) -> Vec<GoingOn> {
    let there = of_experiments(directory, boot_id);
    if there.is_empty() || !is_held(directory) {
        return Vec::new();
    }
    let holder = holder(directory);
    there
        .into_iter()
        .map(|Unfinished { interface, written, .. }| GoingOn { interface, written, holder: holder.clone() })
        .collect()
}

/// Who holds the journals, in words: ` (process N)`, or nothing.
fn holder(directory: &Path) -> String {
    let pid = std::fs::read_to_string(directory.join(LOCK)).ok().and_then(|text| text.parse::<i32>().ok());
    let Some(pid) = pid else { return String::new() };
    let stat = procfs::process::Process::new(pid).and_then(|process| process.stat());
    if stat.is_ok_and(|stat| matches!(stat.state, 'T' | 't')) {
        format!(" (process {pid}, suspended: fg has it go on, or kill -CONT {pid})")
    } else {
        format!(" (process {pid})")
    }
}

/// Whether a process holds the journals.
fn is_held(directory: &Path) -> bool {
    let Ok(file) = File::open(directory.join(LOCK)) else { return false };
    matches!(Flock::lock(file, FlockArg::LockSharedNonblock), Err((_, nix::errno::Errno::EWOULDBLOCK)))
}

fn is_of_experiment(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(EXPERIMENT_SUFFIX.as_bytes())
}

/// Where journals are: `VMNET_STATE_DIR`, or `/var/lib/vmnet`.
#[must_use]
pub fn state_directory() -> PathBuf {
    std::env::var_os(STATE_DIR)
        .filter(|place| !place.is_empty())
        .map_or_else(|| DEFAULT_STATE_DIR.into(), Into::into)
}

/// The journals, held against other processes until dropped.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
    _lock: Flock<File>,
}

impl Store {
    /// Makes the directory where it is missing, and takes the lock.
    ///
    /// # Errors
    /// When it cannot be written, or another process holds it.
    pub fn open(directory: &Path) -> Result<Self, JournalError> {
        let failed = |doing| {
            let directory = directory.to_owned();
            move |cause| JournalError::CannotKeep { directory, doing, cause }
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(failed("making the directory"))?;
        let path = directory.join(LOCK);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed("opening its lock"))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => {
                // For whoever finds it locked. A full disk does not matter yet.
                let _ = lock.set_len(0);
                let _ = (&*lock).write_all(std::process::id().to_string().as_bytes());
                Ok(Self { directory: directory.to_owned(), _lock: lock })
            }
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => {
                Err(JournalError::Locked { holder: holder(directory) })
            }
            Err((_, errno)) => Err(failed("locking it")(errno.into())),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The file of a device.
    #[must_use]
    pub fn path(&self, netns: u64, ifindex: u32) -> PathBuf {
        path_in(&self.directory, netns, ifindex)
    }

    /// Writes what devices were like before they are changed. Where a journal of this boot is there already, what it says stays.
    /// On an error, no file is left that was not there before. Returns the paths, and which of them are new.
    ///
    /// # Errors
    /// When one cannot be written, or one that is there cannot be read or is about another device.
    pub fn keep(&self, journals: &[Journal]) -> Result<Vec<(PathBuf, bool)>, JournalError> {
        let mut merged = Vec::new();
        for journal in journals {
            self.no_experiment_before(journal)?;
            let path = self.path(journal.netns, journal.before.ifindex);
            let known = read_if_there(&path)?.filter(|known| known.boot_id == journal.boot_id);
            if let Some(known) = &known
                && known.before.name != journal.before.name
            {
                return Err(JournalError::Renamed {
                    path,
                    ifindex: journal.before.ifindex,
                    was: known.before.name.clone(),
                    is: journal.before.name.clone(),
                });
            }
            if let Some(what) = known.as_ref().and_then(|known| known.differs_from(journal)) {
                return Err(JournalError::Another { path, name: journal.before.name.clone(), what });
            }
            let is_new = known.is_none();
            let journal = known.map_or_else(|| journal.clone(), |known| known.and_then(journal.clone()));
            merged.push((path, is_new, journal));
        }
        let mut kept: Vec<(PathBuf, bool)> = Vec::new();
        for (path, is_new, journal) in merged {
            if let Err(error) = self.write(&path, &journal) {
                for (path, _) in kept.iter().filter(|(_, is_new)| *is_new) {
                    let _ = std::fs::remove_file(path);
                }
                return Err(error);
            }
            kept.push((path, is_new));
        }
        Ok(kept)
    }

    /// Writes what a device is like before an experiment. Returns the path.
    ///
    /// # Errors
    /// When it cannot be written, or an experiment on the same device was interrupted and not put back yet.
    pub fn keep_for_experiment(&self, journal: &Journal) -> Result<PathBuf, JournalError> {
        self.no_experiment_before(journal)?;
        let path = self.experiment_path(journal);
        self.write(&path, journal)?;
        Ok(path)
    }

    fn experiment_path(&self, journal: &Journal) -> PathBuf {
        self.directory.join(format!("{}-{}{EXPERIMENT_SUFFIX}", journal.netns, journal.before.ifindex))
    }

    /// What an interrupted experiment left is nothing to go back to.
    fn no_experiment_before(&self, journal: &Journal) -> Result<(), JournalError> {
        let path = self.experiment_path(journal);
        match read_if_there(&path)?.filter(|left| left.boot_id == journal.boot_id) {
            None => Ok(()),
            Some(left) => Err(JournalError::Unfinished(Unfinished {
                interface: left.before.name,
                written: left.written,
                path,
            })),
        }
    }

    fn write(&self, path: &Path, journal: &Journal) -> Result<(), JournalError> {
        let failed = |doing| {
            let directory = self.directory.clone();
            move |cause| JournalError::CannotKeep { directory, doing, cause }
        };
        let text = journal.to_text().map_err(io::Error::other).map_err(failed("putting it in words"))?;
        self.write_text(path, &text)
    }

    /// A file of the directory, whole or not at all.
    pub(super) fn write_text(&self, path: &Path, text: &str) -> Result<(), JournalError> {
        let failed = |doing| {
            let directory = self.directory.clone();
            move |cause| JournalError::CannotKeep { directory, doing, cause }
        };
        // Under the lock: what is there by that name, a killed process left.
        let beside = self.directory.join("unfinished");
        let written = (|| {
            let _ = std::fs::remove_file(&beside);
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&beside, path)?;
            File::open(&self.directory)?.sync_all()
        })();
        written.inspect_err(|_| drop(std::fs::remove_file(&beside))).map_err(failed("writing it"))
    }

    /// A device's journal; None where there is none.
    ///
    /// # Errors
    /// When it cannot be read or is damaged.
    pub fn read(&self, netns: u64, ifindex: u32) -> Result<Option<Journal>, JournalError> {
        read_if_there(&self.path(netns, ifindex))
    }

    /// Every journal, in order of their names: those of fixes, and those of experiments.
    ///
    /// # Errors
    /// When the directory cannot be read. Each journal has an error of its own.
    pub fn list(&self) -> Result<(Vec<Listed>, Vec<Listed>), JournalError> {
        let paths = listed(&self.directory)
            .map_err(|cause| JournalError::CannotRead { path: self.directory.clone(), cause })?;
        let listed = paths.into_iter().map(|path| (path.clone(), read(&path)));
        Ok(listed.partition(|(path, _)| !is_of_experiment(path)))
    }

    /// Removes a journal that has served.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(&self, path: &Path) -> Result<(), String> {
        std::fs::remove_file(path)
            .and_then(|()| File::open(&self.directory)?.sync_all())
            .map_err(|cause| format!("cannot remove {}: {cause}", path.display()))
    }
}

fn listed(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.as_os_str().as_encoded_bytes().ends_with(SUFFIX.as_bytes()) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn path_in(directory: &Path, netns: u64, ifindex: u32) -> PathBuf {
    directory.join(format!("{netns}-{ifindex}{SUFFIX}"))
}

fn read_if_there(path: &Path) -> Result<Option<Journal>, JournalError> {
    match read(path) {
        Err(JournalError::CannotRead { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

fn read(path: &Path) -> Result<Journal, JournalError> {
    let damaged = |what: String| JournalError::Damaged { path: path.to_owned(), what };
    let unreadable = |cause| JournalError::CannotRead { path: path.to_owned(), cause };
    let mut bytes = Vec::new();
    // Not what stands in the way of reading: a pipe, a link out of the directory.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
        .map_err(unreadable)?;
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(damaged(format!("it is longer than {MOST_BYTES} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|error| damaged(error.utf8_error().to_string()))?;
    Journal::parse(&text).map_err(damaged)
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
