//! `latest` beside the directories of runs: a link to the newest that is finished.

use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, readlinkat, renameat};
use nix::unistd::symlinkat;

use super::{AsOwner, OutputDir, beside};

/// Where runs land unless another place is named.
pub const REPORTS: &str = "reports";

/// The link's name.
pub const LATEST: &str = "latest";

impl OutputDir {
    /// Makes `latest` beside this directory lead here. Whatever else somebody keeps under that name stays.
    ///
    /// # Errors
    /// The kernel's, with EEXIST where `latest` is no link to a run.
    pub fn make_latest(&self) -> io::Result<()> {
        let (Some(parent), Some(name)) = (&self.parent, self.path.file_name()) else { return Ok(()) };
        let _as_owner = AsOwner::begin(self.owner.as_ref())?;
        match readlinkat(parent, LATEST) {
            Err(Errno::ENOENT) => {}
            Ok(target) if is_of_a_run(Path::new(&target)) => {}
            Ok(_) | Err(Errno::EINVAL) => return Err(Errno::EEXIST.into()),
            Err(errno) => return Err(errno.into()),
        }
        // A link is never changed: the new one takes the old one's place, so that there is one all the time.
        beside::placed(
            parent,
            |unfinished| symlinkat(name, parent, unfinished),
            |unfinished, ()| Ok(renameat(parent, unfinished, parent, LATEST)?),
        )
    }
}

/// The newest directories of runs below `base` that hold one of `files`, the oldest of them first: at most `count`.
#[must_use]
pub fn newest(base: &Path, count: usize, files: &[&str]) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(base).into_iter().flatten().flatten();
    let mut runs: Vec<(Order, PathBuf)> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter(|entry| files.iter().any(|file| entry.path().join(file).is_file()))
        .filter_map(|entry| Some((order(Path::new(&entry.file_name()))?, entry.path())))
        .collect();
    runs.sort();
    runs.split_off(runs.len().saturating_sub(count)).into_iter().map(|(_, path)| path).collect()
}

/// Where `latest` below `base` leads to. None where there is no such link, or it leads nowhere.
#[must_use]
pub fn latest(base: &Path) -> Option<PathBuf> {
    let target = readlinkat(AT_FDCWD, &base.join(LATEST)).ok()?;
    let run = base.join(target);
    run.is_dir().then_some(run)
}

fn is_of_a_run(target: &Path) -> bool {
    target.components().count() == 1 && order(target).is_some()
}

/// Time, and the number behind it where several began in one second.
type Order = (String, String, u32);

/// Of `20261122-101112-ens4-2`; None of a name that is no run's.
fn order(name: &Path) -> Option<Order> {
    let name = name.to_str()?;
    let (time, behind) = name.split_at_checked(16)?;
    let is_time = time.bytes().enumerate().all(|(at, byte)| match at {
        8 | 15 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    let numbered =
        behind.rsplit_once('-').and_then(|(interface, number)| Some((interface, number.parse().ok()?)));
    let (interface, number) = numbered.unwrap_or((behind, 1));
    (is_time && !interface.is_empty()).then(|| (time.to_owned(), interface.to_owned(), number))
}
