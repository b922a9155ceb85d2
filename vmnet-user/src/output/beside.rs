//! What takes a place whole, or not at all: made under a name that nobody has, and renamed.
//!
//! The name is drawn anew each time. What a run left that was killed meanwhile is in nobody's way, and neither is what somebody put there.

use std::fs::File;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Write as _};
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::signal::{SigSet, SigmaskHow};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};

/// Drawn so often that a name is taken only where the directory itself says EEXIST to everything.
const DRAWN: usize = 8;

/// Makes something in `directory` under a new name by `make`, which answers EEXIST where the name is taken, and has `place` give it its own: a
/// signal ends this process before or after that, and what could not be placed is taken away again.
pub(super) fn placed<T>(
    directory: impl AsFd,
    make: impl FnMut(&str) -> Result<T, Errno>,
    place: impl FnOnce(&str, T) -> io::Result<()>,
) -> io::Result<()> {
    let _held = Held::begin()?;
    let (unfinished, made) = drawn(make)?;
    place(&unfinished, made).inspect_err(|_| {
        let _ = remove(directory, &unfinished);
    })
}

/// The same of a file, never through a link.
pub(super) fn file(directory: impl AsFd, place: impl FnOnce(&str, File) -> io::Result<()>) -> io::Result<()> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mode = Mode::from_bits_truncate(0o644);
    placed(&directory, |name| openat(&directory, name, flags, mode).map(File::from), place)
}

/// Whether a file can be made and written there: one is, and taken away again.
pub(super) fn trial(directory: impl AsFd, bytes: &[u8]) -> io::Result<()> {
    file(&directory, |trial, mut file| {
        file.write_all(bytes)?;
        Ok(remove(&directory, trial)?)
    })
}

fn drawn<T>(mut make: impl FnMut(&str) -> Result<T, Errno>) -> io::Result<(String, T)> {
    for _ in 0..DRAWN {
        let number = RandomState::new().hash_one(std::process::id());
        let name = format!(".vmnet-{number:016x}.unfinished");
        match make(&name) {
            Err(Errno::EEXIST) => {}
            made => return Ok((name, made?)),
        }
    }
    Err(Errno::EEXIST.into())
}

/// Takes it away again.
pub(super) fn remove(directory: impl AsFd, name: &str) -> Result<(), Errno> {
    unlinkat(directory, name, UnlinkatFlags::NoRemoveDir)
}

/// Signals that wait until it is dropped.
struct Held(SigSet);

impl Held {
    fn begin() -> io::Result<Self> {
        Ok(Self(SigSet::all().thread_swap_mask(SigmaskHow::SIG_BLOCK)?))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.thread_set_mask();
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::Signal;

    use super::*;

    #[test]
    fn a_signal_waits_until_everything_has_its_place() {
        let directory = tempfile::tempdir().unwrap();
        let handle = File::open(directory.path()).unwrap();
        let blocked = || SigSet::thread_get_mask().unwrap().contains(Signal::SIGTERM);
        file(&handle, |unfinished, _| {
            assert!(blocked());
            assert!(directory.path().join(unfinished).exists());
            Err(Errno::ENOSPC.into())
        })
        .unwrap_err();
        assert!(!blocked());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
