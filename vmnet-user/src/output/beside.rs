//! What takes a place whole, or not at all: made under a name that nobody has, and renamed.
//!
//! The name is drawn anew each time. What a run left that was killed meanwhile is in nobody's way, and neither is what somebody put there.

use std::fs::File;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};

/// Drawn so often that a name is taken only where the directory itself says EEXIST to everything.
const DRAWN: usize = 8;

/// Makes something under a new name by `make`, which answers EEXIST where the name is taken.
pub(super) fn drawn<T>(mut make: impl FnMut(&str) -> Result<T, Errno>) -> io::Result<(String, T)> {
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

/// A new file in `directory`, never through a link.
pub(super) fn create(directory: impl AsFd) -> io::Result<(String, File)> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    drawn(|name| openat(&directory, name, flags, Mode::from_bits_truncate(0o644)).map(File::from))
}

/// Takes it away again.
pub(super) fn remove(directory: impl AsFd, name: &str) -> Result<(), Errno> {
    unlinkat(directory, name, UnlinkatFlags::NoRemoveDir)
}
