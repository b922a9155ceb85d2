//! A file that the person names, as with `--json FILE`.
//!
//! | what is there | what is done |
//! |---|---|
//! | nothing, or a file | it is written beside and renamed: whole, or as it was |
//! | a link to a file | the link stays, and its file is written over |
//! | a pipe | it is written to; without a reader it is refused at once, and one that has gone is no failure |
//! | a character device (`/dev/stdout`, `/dev/full`) | it is written to, and its error is the command's |
//! | a block device, a directory, a socket | it is refused |
//!
//! All of it as the person who called: what they could not write is not written for them.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{
    FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown,
};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, renameat};

use super::{AsOwner, Owner, answered, beside, open_directory};

/// Opened before anything is done, so that it is known to take what will be said.
#[derive(Debug)]
pub struct NamedFile(To);

#[derive(Debug)]
enum To {
    /// Its directory, its name, and whose it will be.
    Beside(OwnedFd, OsString, Option<Owner>),
    /// As the bytes come.
    Through(File),
}

impl NamedFile {
    /// Looks at what is there, and tries whether it can be written. Nothing is changed.
    ///
    /// # Errors
    /// The kernel's answer, or why it is refused.
    pub fn open(path: &Path, owner: Option<&Owner>) -> io::Result<Self> {
        let as_owner = AsOwner::begin(owner)?;
        let opened = Self::looked_at(path, owner.cloned());
        drop(as_owner);
        opened.map_err(|error| answered(owner, error))
    }

    fn looked_at(path: &Path, owner: Option<Owner>) -> io::Result<Self> {
        let Some(name) = path.file_name() else { return Err(Errno::EISDIR.into()) };
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(there) if there.is_dir() => return Err(Errno::EISDIR.into()),
            Ok(there) if !there.is_file() => return through(path).map(Self),
            // Who may not write it may not replace it either.
            Ok(_) => drop(OpenOptions::new().write(true).custom_flags(libc::O_NOFOLLOW).open(path)?),
            Err(_) => {}
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = open_directory(parent.unwrap_or(Path::new(".")), OFlag::empty())?;
        beside::trial(&directory, b"")?;
        Ok(Self(To::Beside(directory, name.to_owned(), owner)))
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// The kernel's answer. What was there before is there still, if it was a file of that name.
    pub fn write(self, bytes: &[u8]) -> io::Result<()> {
        match self.0 {
            To::Through(mut file) => {
                // What was there is kept until there is something better. Pipes and devices have no length to set.
                let _ = file.set_len(0);
                match file.write_all(bytes) {
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                    written => written,
                }
            }
            To::Beside(directory, name, owner) => {
                let _as_owner = AsOwner::begin(owner.as_ref())?;
                beside_and_renamed(&directory, &name, bytes)
            }
        }
    }
}

fn beside_and_renamed(directory: &OwnedFd, name: &OsStr, bytes: &[u8]) -> io::Result<()> {
    beside::file(directory, |unfinished, mut file| {
        take_after(&file, directory, name)?;
        file.write_all(bytes)?;
        // Some file systems say only now that there is no room.
        file.sync_data()?;
        match renameat(directory, unfinished, directory, name) {
            // A container's file that is a mount has no other way.
            Err(Errno::EBUSY) => {
                let mut file = File::from(nix::fcntl::openat(
                    directory,
                    name,
                    OFlag::O_WRONLY | OFlag::O_TRUNC | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC,
                    nix::sys::stat::Mode::empty(),
                )?);
                file.write_all(bytes)?;
                Ok(beside::remove(directory, unfinished)?)
            }
            renamed => Ok(renamed?),
        }
    })
}

/// Permissions of the file that it takes the place of, and its owner, where root is who called.
fn take_after(file: &File, directory: &OwnedFd, name: &OsStr) -> io::Result<()> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let old = match nix::fcntl::openat(directory, name, flags, nix::sys::stat::Mode::empty()) {
        Ok(old) => File::from(old).metadata()?,
        Err(Errno::ENOENT) => return Ok(()),
        Err(errno) => return Err(errno.into()),
    };
    let own = file.metadata()?;
    if (own.uid(), own.gid()) != (old.uid(), old.gid()) {
        // A person gives nothing away, and what they replace is theirs then.
        match fchown(file, Some(old.uid()), Some(old.gid())) {
            Err(error) if error.kind() != io::ErrorKind::PermissionDenied => return Err(error),
            _ => {}
        }
    }
    file.set_permissions(fs::Permissions::from_mode(old.mode() & 0o777))
}

fn through(path: &Path) -> io::Result<To> {
    let refused = |there: &Metadata| -> io::Result<()> {
        if there.is_dir() {
            return Err(Errno::EISDIR.into());
        }
        if there.file_type().is_socket() {
            return Err(Errno::ENXIO.into());
        }
        if there.file_type().is_block_device() {
            return Err(io::Error::other("it is a block device, whose content would be lost"));
        }
        Ok(())
    };
    refused(&fs::metadata(path)?)?;
    // A pipe would be waited on until somebody reads it.
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = OpenOptions::new().write(true).custom_flags(flags).open(path).map_err(|error| {
        if error.raw_os_error() == Some(libc::ENXIO) {
            io::Error::other("nobody reads at its other end; start the reader first")
        } else {
            error
        }
    })?;
    // What was opened, whatever was there a moment before.
    refused(&file.metadata()?)?;
    let flags = OFlag::from_bits_truncate(fcntl(&file, FcntlArg::F_GETFL)?);
    fcntl(&file, FcntlArg::F_SETFL(flags - OFlag::O_NONBLOCK))?;
    Ok(To::Through(file))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::fs::symlink;

    use nix::sys::stat::Mode;

    use super::*;

    fn names_in(path: &Path) -> Vec<String> {
        let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
        let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_whole_or_as_it_was_and_keeps_its_permissions() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("result.json");
        let opened = NamedFile::open(&path, None).unwrap();
        assert_eq!(names_in(place.path()), Vec::<String>::new(), "the trial leaves nothing");
        opened.write(b"one").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let before = fs::metadata(&path).unwrap().ino();
        let opened = NamedFile::open(&path, None).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        opened.write(b"two").unwrap();
        let after = fs::metadata(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(after.mode() & 0o777, 0o600);
        assert_ne!(after.ino(), before, "not written over, but renamed");
        assert_eq!(names_in(place.path()), ["result.json"]);
    }

    #[test]
    fn a_link_stays_and_its_file_is_written_over() {
        let place = tempfile::tempdir().unwrap();
        let (file, link) = (place.path().join("file"), place.path().join("link"));
        fs::write(&file, "longer than what comes").unwrap();
        symlink("file", &link).unwrap();
        NamedFile::open(&link, None).unwrap().write(b"short").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "short");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        symlink("nothing", place.path().join("nowhere")).unwrap();
        assert!(NamedFile::open(&place.path().join("nowhere"), None).is_err());
    }

    #[test]
    fn a_pipe_takes_it_with_a_reader_and_is_refused_without_one() {
        let place = tempfile::tempdir().unwrap();
        let pipe = place.path().join("pipe");
        nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).unwrap();
        let said = NamedFile::open(&pipe, None).unwrap_err().to_string();
        assert!(said.contains("start the reader first"), "{said}");
        let mut reader = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&pipe).unwrap();
        NamedFile::open(&pipe, None).unwrap().write(b"through").unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through");
        // One that has gone wants no more.
        let opened = NamedFile::open(&pipe, None).unwrap();
        drop(reader);
        opened.write(b"nobody").unwrap();
    }

    #[test]
    fn a_full_device_is_the_commands_error_and_null_takes_all() {
        let full = NamedFile::open(Path::new("/dev/full"), None).unwrap();
        assert_eq!(full.write(b"x").unwrap_err().kind(), io::ErrorKind::StorageFull);
        NamedFile::open(Path::new("/dev/null"), None).unwrap().write(b"x").unwrap();
    }

    #[test]
    fn what_is_no_place_for_a_file_is_refused_at_once() {
        let place = tempfile::tempdir().unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(place.path().join("socket")).unwrap();
        for path in [place.path().to_owned(), place.path().join("socket"), place.path().join("none/file")] {
            assert!(NamedFile::open(&path, None).is_err(), "{}", path.display());
        }
    }
}
