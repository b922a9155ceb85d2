//! Where a run's files land.
//!
//! The run is root's, the directory above may be anybody's. So the run's own directory is made fresh, held open, and
//! every file is made inside it by that handle, new, never through a link that somebody put there meanwhile.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::fchown;
use std::path::{Component, Path, PathBuf};

use jiff::Zoned;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::report::run::charts::{CHARTS, ChartError};
use crate::report::run::csv;
use crate::report::run::csv::CsvError;
use crate::report::run::html;
use crate::report::run::html::HtmlError;
use crate::report::run::json;
use crate::report::run::json::JsonError;
use crate::report::run::schema::RunReport;

/// The page for people: what a person opens first.
pub const PAGE: &str = "report.html";

/// More runs than this do not start on one interface in one second.
const SAME_SECOND_RUNS: u32 = 100;

/// To whom the files are given: the person behind sudo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// How a report can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// report.html: one page with everything
    Html,
    /// Each chart as a picture
    Svg,
    /// run.json: all of it, for programs (vmnet.run/1)
    Json,
    /// samples.csv: each interval, for a spreadsheet
    Csv,
}

/// The directory of one run.
#[derive(Debug)]
pub struct OutputDir {
    path: PathBuf,
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
    /// A chart could not be drawn.
    #[error("could not draw {file}: {why}")]
    Chart {
        /// The file that it was for.
        file: &'static str,
        /// What plotters said.
        why: ChartError,
    },
    /// The report could not be serialised.
    #[error("could not write run.json: {0}")]
    Json(JsonError),
    /// The samples could not be written as CSV.
    #[error("could not write samples.csv: {0}")]
    Csv(CsvError),
    /// The page could not be made.
    #[error("could not make {PAGE}: {0}")]
    Html(HtmlError),
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
    /// takes data: before the traffic, because afterwards is too late to find out. Directories that this makes are given
    /// to `owner`, those that were there are left alone.
    pub fn prepare(
        base: &Path,
        interface: &str,
        now: &Zoned,
        owner: Option<Owner>,
    ) -> Result<Self, FilesError> {
        let parent = make_missing(base, owner)?;
        let stem = directory_name(interface, now);
        for attempt in 1..=SAME_SECOND_RUNS {
            let name = if attempt == 1 { stem.clone() } else { format!("{stem}-{attempt}") };
            let path = base.join(&name);
            match make_directory(&parent, Path::new(&name), owner) {
                Ok(directory) => {
                    let output = Self { path, directory, owner };
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
                Err(errno) => return Err(FilesError::Directory { path, answer: errno.into() }),
            }
        }
        Err(FilesError::Directory { path: base.join(stem), answer: io::ErrorKind::AlreadyExists.into() })
    }

    /// A directory that the person names, made if it is missing. Files of the same names in it will be replaced.
    ///
    /// # Errors
    /// As [`OutputDir::prepare`].
    pub fn at(path: &Path, owner: Option<Owner>) -> Result<Self, FilesError> {
        let directory = make_missing(path, owner)?;
        let output = Self { path: path.to_owned(), directory, owner };
        output.try_out()?;
        Ok(output)
    }

    /// Where it is, as the person gave it.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes `run.json`, every chart, and the page, as every run does.
    ///
    /// # Errors
    /// As [`OutputDir::write_as`].
    pub fn write(&self, report: &RunReport) -> Result<Vec<PathBuf>, FilesError> {
        self.write_as(report, &[Format::Json, Format::Svg, Format::Html])
    }

    /// Writes the report in these formats. Each file is complete under its name or not there. Returns their paths, the page's
    /// first: it is what a person opens. On the disk it comes last, because all others can be made into it again.
    ///
    /// # Errors
    /// The first that could not be made or written, with those that were.
    pub fn write_as(&self, report: &RunReport, formats: &[Format]) -> Result<Vec<PathBuf>, FilesError> {
        let mut written = Vec::new();
        let wanted = |format| formats.contains(&format);
        if wanted(Format::Json) {
            self.write_file("run.json", &json::to_text(report).map_err(FilesError::Json)?, &mut written)?;
        }
        if wanted(Format::Csv) {
            self.write_file("samples.csv", &csv::samples(report).map_err(FilesError::Csv)?, &mut written)?;
        }
        for chart in CHARTS.iter().filter(|_| wanted(Format::Svg)) {
            let svg = (chart.draw)(report).map_err(|why| FilesError::Chart { file: chart.file, why })?;
            self.write_file(chart.file, &svg, &mut written)?;
        }
        if wanted(Format::Html) {
            self.write_file(PAGE, &html::page(report).map_err(FilesError::Html)?, &mut written)?;
            written.rotate_right(1);
        }
        Ok(written)
    }

    /// Writes each text under its name. Each file is complete under its name or not there. Returns their paths.
    ///
    /// # Errors
    /// The first that could not be written, with those that were.
    pub fn write_all(&self, files: &[(&str, &str)]) -> Result<Vec<PathBuf>, FilesError> {
        let mut written = Vec::new();
        for (name, text) in files {
            self.write_file(name, text, &mut written)?;
        }
        Ok(written)
    }

    /// Removes the directory if nothing was put into it: for a run that failed before it had anything to say.
    pub fn remove_if_empty(self) {
        drop(self.directory);
        // Not empty is the ordinary case, and a directory left over harms nobody.
        let _ = std::fs::remove_dir(&self.path);
    }

    fn try_out(&self) -> Result<(), FilesError> {
        let refused = |answer| FilesError::NotWritable { path: self.path.clone(), answer };
        let tried = self.create(".trial").and_then(|mut file| file.write_all(b"vmnet\n"));
        if let Err(answer) = tried {
            let _ = unlinkat(&self.directory, ".trial", UnlinkatFlags::NoRemoveDir);
            return Err(refused(answer));
        }
        unlinkat(&self.directory, ".trial", UnlinkatFlags::NoRemoveDir).map_err(|errno| refused(errno.into()))
    }

    fn write_file(&self, name: &str, text: &str, written: &mut Vec<PathBuf>) -> Result<(), FilesError> {
        let path = self.path.join(name);
        let unfinished = format!(".{name}.unfinished");
        let result = self
            .create(&unfinished)
            .and_then(|mut file| {
                file.write_all(text.as_bytes())?;
                // Some file systems say only now that there is no room.
                file.sync_data()
            })
            .and_then(|()| Ok(renameat(&self.directory, unfinished.as_str(), &self.directory, name)?));
        if let Err(answer) = result {
            let _ = unlinkat(&self.directory, unfinished.as_str(), UnlinkatFlags::NoRemoveDir);
            return Err(FilesError::Write { path, answer, written: written.clone() });
        }
        written.push(path);
        Ok(())
    }

    /// Takes a file away again, if it is there.
    pub fn remove(&self, name: &str) {
        let _ = unlinkat(&self.directory, name, UnlinkatFlags::NoRemoveDir);
    }

    /// Makes a new file, to be written by the caller: never through a link that somebody put there.
    ///
    /// # Errors
    /// The kernel's, with EEXIST where it is there already.
    pub fn create(&self, name: &str) -> io::Result<File> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = File::from(openat(&self.directory, name, flags, Mode::from_bits_truncate(0o644))?);
        give(&file, self.owner)?;
        Ok(file)
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
fn make_missing(base: &Path, owner: Option<Owner>) -> Result<OwnedFd, FilesError> {
    let base = if base.as_os_str().is_empty() { Path::new(".") } else { base };
    let refused = |errno: Errno| FilesError::Directory { path: base.to_owned(), answer: errno.into() };
    let mut there = base;
    let mut missing: Vec<OsString> = Vec::new();
    let mut directory = loop {
        match open_directory(there, OFlag::empty()) {
            Ok(directory) => break directory,
            Err(Errno::ENOENT) => {}
            Err(errno) => return Err(refused(errno)),
        }
        let Some(Component::Normal(name)) = there.components().next_back() else {
            return Err(refused(Errno::ENOENT));
        };
        missing.push(name.to_owned());
        there = match there.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        if missing.len() > 64 {
            return Err(refused(Errno::ENAMETOOLONG));
        }
    };
    for name in missing.iter().rev() {
        directory = match make_directory(&directory, Path::new(name), owner) {
            // Another run made it meanwhile.
            Err(Errno::EEXIST) => openat(&directory, Path::new(name), directory_flags(), Mode::empty()),
            made => made,
        }
        .map_err(refused)?;
    }
    Ok(directory)
}

fn make_directory(parent: &OwnedFd, name: &Path, owner: Option<Owner>) -> Result<OwnedFd, Errno> {
    mkdirat(parent, name, Mode::from_bits_truncate(0o755))?;
    let made =
        openat(parent, name, directory_flags() | OFlag::O_NOFOLLOW, Mode::empty()).and_then(|directory| {
            give(&directory, owner)
                .map_err(|error| error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw))?;
            Ok(directory)
        });
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

fn give(file: &impl AsFd, owner: Option<Owner>) -> io::Result<()> {
    match owner {
        Some(Owner { uid, gid }) => fchown(file, Some(uid), Some(gid)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
