//! Changing several files, all or none, each at one instant: staged beside its target and synced, then renamed over it.

use std::fs::{self, File, OpenOptions, Permissions};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{PersistError, Plan, read};

/// What was done to one file, for the journal and for [`undo`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Absolute.
    pub path: PathBuf,
    /// What was there; None where there was no such file.
    pub before: Option<String>,
    /// What is there now.
    pub after: String,
    /// Directories that were made for it, innermost last.
    pub made_directories: Vec<PathBuf>,
    /// The command that makes a running consumer read the file, now and after [`undo`]; empty where none is needed.
    pub reload: Vec<String>,
}

/// One file from one content to another; None is no file.
struct Swap<'t> {
    path: &'t Path,
    from: Option<&'t str>,
    to: Option<&'t str>,
    /// Of a file that was not there.
    mode: u32,
}

/// Carries a plan out: all of its changes, or none.
///
/// # Errors
/// Where a file is not what it was when the plan was made, is reached through a symbolic link that leaves the plan's root, or the
/// system refuses (no space, read-only). Then every file is as it was.
pub fn write(plan: &Plan) -> Result<Vec<Written>, PersistError> {
    let swaps: Vec<Swap<'_>> = plan
        .changes
        .iter()
        .map(|change| Swap {
            path: &change.path,
            from: change.before.as_deref(),
            to: Some(&change.after),
            mode: change.mode,
        })
        .collect();
    for swap in &swaps {
        check(swap, "the change was planned")?;
        stays_below(&plan.root, swap.path)?;
    }
    let mut made: Vec<Vec<PathBuf>> = Vec::new();
    let done = swaps
        .iter()
        .try_for_each(|swap| make_parent(swap.path).map(|directories| made.push(directories)))
        .and_then(|()| carry_out(&swaps));
    if let Err(error) = done {
        made.iter().for_each(|directories| remove_if_empty(directories));
        return Err(error);
    }
    let written = plan.changes.iter().zip(made).map(|(change, made_directories)| Written {
        path: change.path.clone(),
        before: change.before.clone(),
        after: change.after.clone(),
        made_directories,
        reload: change.reload.clone(),
    });
    Ok(written.collect())
}

/// Puts back what was there before [`write`], all of it or nothing. What is so already is left alone.
///
/// # Errors
/// Where a person has changed one of the files since, or the system refuses.
pub fn undo(written: &[Written]) -> Result<(), PersistError> {
    let mut swaps = Vec::new();
    for file in written.iter().rev() {
        if read::text(&file.path)? == file.before {
            continue;
        }
        let swap =
            Swap { path: &file.path, from: Some(&file.after), to: file.before.as_deref(), mode: 0o600 };
        check(&swap, "vmnet wrote it")?;
        swaps.push(swap);
    }
    carry_out(&swaps)?;
    written.iter().for_each(|file| remove_if_empty(&file.made_directories));
    Ok(())
}

/// The file is what the change starts from, and a file.
fn check(swap: &Swap<'_>, since: &'static str) -> Result<(), PersistError> {
    let changed = || PersistError::ChangedSince { path: swap.path.to_path_buf(), when: since };
    match fs::symlink_metadata(swap.path) {
        Ok(metadata) if metadata.is_symlink() => Err(PersistError::SymbolicLink(swap.path.to_path_buf())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if swap.from.is_none() {
                Ok(())
            } else {
                Err(changed())
            }
        }
        Err(source) => Err(failed("cannot look at", swap.path, source)),
        Ok(_) if read::text(swap.path)?.as_deref() == swap.from => Ok(()),
        Ok(_) => Err(changed()),
    }
}

/// Directories on the way may be links, as long as they end below `root`.
fn stays_below(root: &Path, path: &Path) -> Result<(), PersistError> {
    let root = fs::canonicalize(root).map_err(|source| failed("cannot look at", root, source))?;
    for parent in path.ancestors().skip(1) {
        match fs::canonicalize(parent) {
            Ok(real) if real.starts_with(&root) => return Ok(()),
            Ok(_) => return Err(PersistError::SymbolicLink(path.to_path_buf())),
            // A link that leads nowhere is not a directory to be made.
            Err(_) if fs::symlink_metadata(parent).is_ok() => {
                return Err(PersistError::SymbolicLink(path.to_path_buf()));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(failed("cannot look at", parent, source)),
        }
    }
    Err(PersistError::SymbolicLink(path.to_path_buf()))
}

fn make_parent(path: &Path) -> Result<Vec<PathBuf>, PersistError> {
    let missing: Vec<&Path> = path.ancestors().skip(1).take_while(|parent| !parent.exists()).collect();
    let mut made = Vec::new();
    for directory in missing.into_iter().rev() {
        if let Err(source) = fs::create_dir(directory) {
            remove_if_empty(&made);
            return Err(failed("cannot make the directory", directory, source));
        }
        made.push(directory.to_path_buf());
    }
    Ok(made)
}

fn remove_if_empty(directories: &[PathBuf]) {
    for directory in directories.iter().rev() {
        // Someone else's file in it is a reason to leave it.
        let _ = fs::remove_dir(directory);
    }
}

fn carry_out(swaps: &[Swap<'_>]) -> Result<(), PersistError> {
    // Everything that needs space comes first, so that nothing has changed yet where there is none.
    let staged = swaps.iter().map(Staged::new).collect::<Result<Vec<_>, _>>()?;
    for (index, one) in staged.iter().enumerate() {
        if let Err(error) = one.commit() {
            return Err(staged[..index].iter().rev().fold(error, take_back));
        }
    }
    for one in &staged {
        // The change is made; whether it survives a power cut in the next seconds is the file system's affair.
        let _ = one.directory().and_then(File::open).and_then(|directory| directory.sync_all());
    }
    Ok(())
}

fn take_back(first: PersistError, one: &Staged<'_>) -> PersistError {
    match one.revert() {
        Ok(()) => first,
        Err(source) => {
            one.keep_backup.set(true);
            PersistError::NotPutBack {
                first: first.to_string(),
                path: one.swap.path.to_path_buf(),
                kept: one.backup.clone(),
                source,
            }
        }
    }
}

/// A swap with its new content on disk, and a second name for what is there.
struct Staged<'s> {
    swap: &'s Swap<'s>,
    new: PathBuf,
    backup: PathBuf,
    keep_backup: std::cell::Cell<bool>,
}

impl<'s> Staged<'s> {
    fn new(swap: &'s Swap<'s>) -> Result<Self, PersistError> {
        let staged = Self {
            swap,
            new: beside(swap.path, "new"),
            backup: beside(swap.path, "before"),
            keep_backup: false.into(),
        };
        staged.prepare().map_err(|source| failed("cannot write", swap.path, source))?;
        Ok(staged)
    }

    fn prepare(&self) -> io::Result<()> {
        let old = self.swap.from.map(|_| fs::symlink_metadata(self.swap.path)).transpose()?;
        if let Some(text) = self.swap.to {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.new)?;
            file.write_all(text.as_bytes())?;
            if let Some(old) = &old {
                fchown(&file, Some(old.uid()), Some(old.gid()))?;
            }
            let mode = old.as_ref().map_or(self.swap.mode, |old| old.mode() & 0o7777);
            file.set_permissions(Permissions::from_mode(mode))?;
            file.sync_all()?;
        }
        if old.is_some() {
            fs::hard_link(self.swap.path, &self.backup)?;
        }
        Ok(())
    }

    fn commit(&self) -> Result<(), PersistError> {
        match (self.swap.from, self.swap.to) {
            (_, None) => fs::remove_file(self.swap.path),
            (Some(_), Some(_)) => fs::rename(&self.new, self.swap.path),
            // Unlike a rename, refuses where something has come to be there.
            (None, Some(_)) => fs::hard_link(&self.new, self.swap.path),
        }
        .map_err(|source| failed("cannot write", self.swap.path, source))
    }

    fn revert(&self) -> io::Result<()> {
        match self.swap.from {
            Some(_) => fs::rename(&self.backup, self.swap.path),
            None => fs::remove_file(self.swap.path),
        }
    }

    fn directory(&self) -> io::Result<&Path> {
        self.swap.path.parent().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        // Either may never have been, or have been renamed away.
        let _ = fs::remove_file(&self.new);
        if !self.keep_backup.get() {
            let _ = fs::remove_file(&self.backup);
        }
    }
}

/// A name that no consumer reads: hidden, and with an ending of its own. Drawn, since a process that was killed may have had the same number
/// (in a container, each has) and left one.
fn beside(path: &Path, what: &str) -> PathBuf {
    let number = RandomState::new().hash_one(std::process::id());
    path.with_file_name(format!(".vmnet-{number:016x}-{what}"))
}

fn failed(what: &'static str, path: &Path, source: io::Error) -> PersistError {
    PersistError::Io { what, path: path.to_path_buf(), source }
}
