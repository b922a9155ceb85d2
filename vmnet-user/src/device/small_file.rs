//! Small files of `/sys`, `/proc` and `/etc`, whose content may be anything.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use nix::fcntl::OFlag;

/// The text of a regular file of at most `most_bytes`; what is not UTF-8 in it is replaced.
///
/// A FIFO does not block it, a device is not touched, and a longer file is an error rather than half read.
pub(super) fn read(path: &Path, most_bytes: u64) -> io::Result<String> {
    // O_NONBLOCK: opening a FIFO would wait for a writer.
    read_open(OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?, most_bytes)
}

/// The same of a file that is open.
pub(super) fn read_open(file: File, most_bytes: u64) -> io::Result<String> {
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(most_bytes + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > most_bytes) {
        return Err(io::Error::other(format!("longer than {most_bytes} bytes")));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The same for a file of `/sys` or `/proc`, with its path in the error's text.
pub(super) fn read_setting(path: &Path) -> Result<String, String> {
    read(path, 1 << 20).map_err(|error| unreadable(path, &error))
}

/// A whole number.
pub(super) fn read_number(path: &Path) -> Result<u32, String> {
    let text = read_setting(path)?;
    let text = text.trim();
    text.parse().map_err(|_| {
        format!("{} holds {:?}, not a number", path.display(), text.chars().take(32).collect::<String>())
    })
}

/// Why a file could not be read, with its path.
pub(super) fn unreadable(path: &Path, error: &io::Error) -> String {
    format!("cannot read {}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_too_long_is_not_half_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), "12345");
        assert!(read(&path, 4).is_err());
    }

    #[test]
    fn a_fifo_a_directory_and_a_device_are_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for path in [&*fifo, directory.path(), Path::new("/dev/zero")] {
            assert!(read(path, 100).is_err(), "{}", path.display());
        }
    }

    #[test]
    fn what_is_not_a_number_is_an_error_that_names_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tcp_ecn");
        std::fs::write(&path, "2\n").unwrap();
        assert_eq!(read_number(&path), Ok(2));
        std::fs::write(&path, "two").unwrap();
        assert!(read_number(&path).unwrap_err().contains("tcp_ecn"));
    }
}
