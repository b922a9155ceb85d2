//! Where a run's files land.
//!
//! The run is root's, the directory above may be anybody's. So the run's own directory is made fresh, held open, and
//! every file is made inside it by that handle, new, never through a link that somebody put there meanwhile. Under sudo all of it is done as the
//! person who called.

mod as_owner;
mod beside;
mod latest;
mod named;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use jiff::Zoned;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use as_owner::{AsOwner, answered};
pub use latest::{LATEST, REPORTS, latest, newest};
pub use named::NamedFile;

/// No file of a report is longer: what it is made from is bounded, so this is for what nobody has thought of.
const MOST_FILE_BYTES: usize = 64 << 20;

/// More runs than this do not start on one interface in one second.
const SAME_SECOND_RUNS: u32 = 100;

/// Whose the files are: the person behind sudo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// All groups.
    pub groups: Vec<u32>,
}

/// The directory of one run.
#[derive(Debug)]
pub struct OutputDir {
    path: PathBuf,
    /// Where it was made; None where the person named it.
    parent: Option<OwnedFd>,
    directory: OwnedFd,
    owner: Option<Owner>,
}

/// A report could not be put where it should go. Each message is whole: it has the kernel's answer in it, so there is no
/// `source` that would say it again.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The directory could not be made, opened, or given away.
    #[error("could not make the report directory {}: {answer}; choose another place with -o DIR", path.display())]
    Directory {
        /// What was to be made.
        path: PathBuf,
        /// The kernel's answer.
        answer: io::Error,
    },
    /// The directory is there, but a trial file could not be written.
    #[error(
        "cannot write to the report directory {}: {answer}; make room or choose another place with -o DIR",
        path.display()
    )]
    NotWritable {
        /// The directory.
        path: PathBuf,
        /// The kernel's answer.
        answer: io::Error,
    },
    /// A file could not be written; what was written before it is whole.
    #[error(
        "could not write {}: {answer}; {}; make room or choose another place with -o DIR",
        path.display(),
        written_so_far(written)
    )]
    Write {
        /// The file; nothing of it is left.
        path: PathBuf,
        /// The kernel's answer.
        answer: io::Error,
        /// The files that are there, each complete.
        written: Vec<PathBuf>,
    },
    /// What it is made from was not written by vmnet.
    #[error(
        "{} would have {bytes} bytes, more than any report: what it is made from was not written by vmnet, or is damaged",
        path.display()
    )]
    TooLong {
        /// The file, which was not written.
        path: PathBuf,
        /// Its length.
        bytes: usize,
    },
}

fn written_so_far(written: &[PathBuf]) -> String {
    if written.is_empty() {
        return "no file of this report was written".to_owned();
    }
    let names: Vec<_> = written.iter().map(|path| path.display().to_string()).collect();
    format!("complete are {}", names.join(", "))
}

impl OutputDir {
    /// Makes `BASE/<time>-<interface>/`, `-2` and so on behind it if that is taken, and proves by a trial file that it
    /// takes data: before the traffic, because afterwards is too late to find out. All of it is done as `owner`.
    pub fn prepare(
        base: &Path,
        interface: &str,
        now: &Zoned,
        owner: Option<&Owner>,
    ) -> Result<Self, FilesError> {
        let refused = |path: PathBuf, error| FilesError::Directory { path, answer: answered(owner, error) };
        let _as_owner = AsOwner::begin(owner).map_err(|error| refused(base.to_owned(), error))?;
        let parent = make_missing(base).map_err(|errno| refused(base.to_owned(), errno.into()))?;
        let stem = directory_name(interface, now);
        for attempt in 1..=SAME_SECOND_RUNS {
            let name = if attempt == 1 { stem.clone() } else { format!("{stem}-{attempt}") };
            let path = base.join(&name);
            match make_directory(&parent, Path::new(&name)) {
                Ok(directory) => {
                    let output = Self { path, parent: Some(parent), directory, owner: owner.cloned() };
                    return match output.try_out() {
                        Ok(()) => Ok(output),
                        Err(error) => {
                            output.remove_if_empty();
                            Err(error)
                        }
                    };
                }
                // A link under that name counts as taken, wherever it leads.
                Err(Errno::EEXIST) => {}
                Err(errno) => return Err(refused(path, errno.into())),
            }
        }
        Err(refused(base.join(stem), io::ErrorKind::AlreadyExists.into()))
    }

    /// A directory that the person names, made if it is missing. Files of the same names in it will be replaced.
    ///
    /// # Errors
    /// As [`OutputDir::prepare`].
    pub fn at(path: &Path, owner: Option<&Owner>) -> Result<Self, FilesError> {
        let refused = |error| FilesError::Directory { path: path.to_owned(), answer: answered(owner, error) };
        let _as_owner = AsOwner::begin(owner).map_err(refused)?;
        let directory = make_missing(path).map_err(|errno| refused(errno.into()))?;
        let output = Self { path: path.to_owned(), parent: None, directory, owner: owner.cloned() };
        output.try_out()?;
        Ok(output)
    }

    /// Where it is, as the person gave it.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// To write files into it, one after the other.
    #[must_use]
    pub fn files(&self) -> Files<'_> {
        Files { output: self, written: Vec::new() }
    }

    /// Removes the directory if nothing was put into it: for a run that failed before it had anything to say.
    pub fn remove_if_empty(self) {
        let _as_owner = AsOwner::begin(self.owner.as_ref());
        drop(self.directory);
        // Not empty is the ordinary case, and a directory left over harms nobody.
        let _ = std::fs::remove_dir(&self.path);
    }

    fn try_out(&self) -> Result<(), FilesError> {
        let owner = self.owner.as_ref();
        let refused =
            |error| FilesError::NotWritable { path: self.path.clone(), answer: answered(owner, error) };
        beside::trial(&self.directory, b"vmnet\n").map_err(refused)
    }

    fn write_file(&self, name: &str, text: &str, written: &[PathBuf]) -> Result<PathBuf, FilesError> {
        let path = self.path.join(name);
        if text.len() > MOST_FILE_BYTES {
            return Err(FilesError::TooLong { path, bytes: text.len() });
        }
        match self.write_beside_and_rename(name, text) {
            Ok(()) => Ok(path),
            Err(answer) => Err(FilesError::Write { path, answer, written: written.to_vec() }),
        }
    }

    fn write_beside_and_rename(&self, name: &str, text: &str) -> io::Result<()> {
        let _as_owner = AsOwner::begin(self.owner.as_ref())?;
        beside::file(&self.directory, |unfinished, mut file| {
            file.write_all(text.as_bytes())?;
            // Some file systems say only now that there is no room.
            file.sync_data()?;
            Ok(renameat(&self.directory, unfinished, &self.directory, name)?)
        })
    }

    /// Takes a file away again, if it is there.
    pub fn remove(&self, name: &str) {
        let _as_owner = AsOwner::begin(self.owner.as_ref());
        let _ = unlinkat(&self.directory, name, UnlinkatFlags::NoRemoveDir);
    }

    /// Makes a new file, to be written by the caller: never through a link that somebody put there.
    ///
    /// # Errors
    /// The kernel's, with EEXIST where it is there already.
    pub fn create(&self, name: &str) -> io::Result<File> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let _as_owner = AsOwner::begin(self.owner.as_ref())?;
        Ok(File::from(openat(&self.directory, name, flags, Mode::from_bits_truncate(0o644))?))
    }
}

/// Files that are written into a directory.
#[derive(Debug)]
pub struct Files<'a> {
    output: &'a OutputDir,
    written: Vec<PathBuf>,
}

impl Files<'_> {
    /// Writes one under its name: it is complete there, or not there.
    ///
    /// # Errors
    /// The kernel's, with the files that are complete.
    pub fn write(&mut self, name: &str, text: &str) -> Result<(), FilesError> {
        let path = self.output.write_file(name, text, &self.written)?;
        self.written.push(path);
        Ok(())
    }

    /// Their paths, in the order of writing.
    #[must_use]
    pub fn written(self) -> Vec<PathBuf> {
        self.written
    }

    /// The same, but for the last, which is first.
    #[must_use]
    pub fn written_last_first(mut self) -> Vec<PathBuf> {
        self.written.rotate_right(1);
        self.written
    }
}

/// `20261122-101112-ens4`: the time as `now` has it, the name reduced to what every file system and every shell takes.
fn directory_name(interface: &str, now: &Zoned) -> String {
    let mut name: String = interface
        .chars()
        .take(32)
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@') { c } else { '_' })
        .collect();
    if name.is_empty() || name.starts_with('.') {
        name.insert(0, '_');
    }
    format!("{}-{name}", now.strftime("%Y%m%d-%H%M%S"))
}

/// Opens `base`, making what is missing of it. Links in what is there are followed: the person gave that path.
fn make_missing(base: &Path) -> Result<OwnedFd, Errno> {
    let base = if base.as_os_str().is_empty() { Path::new(".") } else { base };
    let mut there = base;
    let mut missing: Vec<OsString> = Vec::new();
    let mut directory = loop {
        match open_directory(there, OFlag::empty()) {
            Ok(directory) => break directory,
            Err(Errno::ENOENT) => {}
            Err(errno) => return Err(errno),
        }
        let Some(Component::Normal(name)) = there.components().next_back() else {
            return Err(Errno::ENOENT);
        };
        missing.push(name.to_owned());
        there = match there.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        if missing.len() > 64 {
            return Err(Errno::ENAMETOOLONG);
        }
    };
    for name in missing.iter().rev() {
        directory = match make_directory(&directory, Path::new(name)) {
            // Another run made it meanwhile.
            Err(Errno::EEXIST) => openat(&directory, Path::new(name), directory_flags(), Mode::empty()),
            made => made,
        }?;
    }
    Ok(directory)
}

fn make_directory(parent: &OwnedFd, name: &Path) -> Result<OwnedFd, Errno> {
    mkdirat(parent, name, Mode::from_bits_truncate(0o755))?;
    let made = openat(parent, name, directory_flags() | OFlag::O_NOFOLLOW, Mode::empty());
    if made.is_err() {
        let _ = unlinkat(parent, name, UnlinkatFlags::RemoveDir);
    }
    made
}

fn open_directory(path: &Path, flags: OFlag) -> Result<OwnedFd, Errno> {
    openat(nix::fcntl::AT_FDCWD, path, directory_flags() | flags, Mode::empty())
}

fn directory_flags() -> OFlag {
    OFlag::O_DIRECTORY | OFlag::O_RDONLY | OFlag::O_CLOEXEC
}

#[cfg(test)]
mod tests;
