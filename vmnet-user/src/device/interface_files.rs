//! The files of one interface in `/sys/class/net`, and of no other: a name may mean another interface by now, and `/sys` may show
//! another network namespace (`nsenter --net` leaves it as it was), where the same name can be there too.

use std::{
    fs::File,
    io::{self, Write},
    os::fd::OwnedFd,
    path::Path,
};

use nix::{
    fcntl::{OFlag, open, openat},
    sys::{
        stat::Mode,
        statfs::{SYSFS_MAGIC, fstatfs},
    },
};

use super::small_file;

/// What the kernel says over netlink of an interface, of the namespace that is meant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identity<'a> {
    pub(super) ifindex: u32,
    pub(super) name: &'a str,
    pub(super) hardware_address: &'a [u8],
}

/// Its directory, held open: it stays that of this interface, whatever is renamed meanwhile.
#[derive(Debug)]
pub(super) struct InterfaceFiles {
    directory: OwnedFd,
}

const CLASS_NET: &str = "/sys/class/net";

impl InterfaceFiles {
    /// Opens it, and finds that it is the same interface by index and hardware address.
    pub(super) fn open(interface: Identity<'_>) -> io::Result<Self> {
        let files = Self::open_in(Path::new(CLASS_NET), interface)?;
        files.require_sysfs()?;
        Ok(files)
    }

    /// In a directory that need not be of sysfs.
    pub(super) fn open_in(class_net: &Path, interface: Identity<'_>) -> io::Result<Self> {
        let name = interface.name;
        // `dev_valid_name` refuses these too.
        if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
            return Err(io::Error::other(format!("{name:?} is not the name of an interface")));
        }
        // In sysfs the name itself is a link to the device's directory.
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let files = Self { directory: open(&class_net.join(name), flags, Mode::empty())? };
        let ifindex = files.read("ifindex", 64)?;
        // `sysfs_format_mac`.
        let address = files.read("address", 1024)?.trim().replace(':', "");
        if ifindex.trim() != interface.ifindex.to_string()
            || address != hex::encode(interface.hardware_address)
        {
            return Err(io::Error::other(
                "/sys shows another interface of that name: it is another network namespace's",
            ));
        }
        Ok(files)
    }

    fn require_sysfs(&self) -> io::Result<()> {
        match fstatfs(&self.directory)?.filesystem_type() {
            SYSFS_MAGIC => Ok(()),
            _ => Err(io::Error::other("/sys is not sysfs")),
        }
    }

    /// A file by its path below the directory.
    pub(super) fn read(&self, path: &str, most_bytes: u64) -> io::Result<String> {
        small_file::read_open(self.open_file(path, OFlag::O_RDONLY)?, most_bytes)
    }

    /// Writes to a file that is there.
    pub(super) fn write(&self, path: &str, text: &str) -> io::Result<()> {
        let mut file = self.open_file(path, OFlag::O_WRONLY)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        // At once: sysfs takes each write for a value of its own.
        match file.write(text.as_bytes())? {
            length if length == text.len() => Ok(()),
            length => Err(io::Error::other(format!("only {length} of {} bytes were taken", text.len()))),
        }
    }

    fn open_file(&self, path: &str, how: OFlag) -> io::Result<File> {
        // O_NONBLOCK: opening a FIFO would wait for its other end.
        let flags = how | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        Ok(openat(&self.directory, path, flags, Mode::empty())?.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENS4: Identity<'_> =
        Identity { ifindex: 7, name: "ens4", hardware_address: &[2, 0, 0, 0, 0, 0xfe] };

    fn sys() -> tempfile::TempDir {
        let sys = tempfile::tempdir().unwrap();
        let ens4 = sys.path().join("ens4");
        std::fs::create_dir(&ens4).unwrap();
        for (file, content) in [("ifindex", "7\n"), ("address", "02:00:00:00:00:fe\n"), ("mask", "00\n")] {
            std::fs::write(ens4.join(file), content).unwrap();
        }
        sys
    }

    #[test]
    fn what_is_written_goes_to_the_interface_that_is_meant() {
        let sys = sys();
        let files = InterfaceFiles::open_in(sys.path(), ENS4).unwrap();
        std::fs::rename(sys.path().join("ens4"), sys.path().join("other")).unwrap();
        files.write("mask", "03").unwrap();
        assert_eq!(files.read("mask", 100).unwrap(), "03\n");
        assert_eq!(std::fs::read_to_string(sys.path().join("other/mask")).unwrap(), "03\n");
    }

    #[test]
    fn an_interface_of_that_name_in_another_namespace_is_not_touched() {
        let sys = sys();
        for other in [
            Identity { ifindex: 8, ..ENS4 },
            Identity { hardware_address: &[2, 0, 0, 0, 0, 0xff], ..ENS4 },
            Identity { hardware_address: &[], ..ENS4 },
        ] {
            let error = InterfaceFiles::open_in(sys.path(), other).unwrap_err().to_string();
            assert!(error.contains("another network namespace"), "{error}");
        }
    }

    #[test]
    fn a_name_is_not_a_path() {
        let sys = sys();
        for name in ["", ".", "..", "../ens4", "ens4/", "/ens4", "ens4\0"] {
            let error = InterfaceFiles::open_in(sys.path(), Identity { name, ..ENS4 }).unwrap_err();
            assert!(error.to_string().contains("not the name of an interface"), "{error}");
        }
    }

    #[test]
    fn what_is_missing_or_no_file_is_neither_made_nor_followed() {
        let sys = sys();
        let files = InterfaceFiles::open_in(sys.path(), ENS4).unwrap();
        assert_eq!(files.write("missing", "1").unwrap_err().kind(), io::ErrorKind::NotFound);
        let ens4 = sys.path().join("ens4");
        std::os::unix::fs::symlink(ens4.join("mask"), ens4.join("link")).unwrap();
        assert!(files.write("link", "1").is_err() && files.read("link", 100).is_err());
        nix::unistd::mkfifo(&ens4.join("fifo"), Mode::S_IRWXU).unwrap();
        assert!(files.write("fifo", "1").is_err() && files.read("fifo", 100).is_err());
    }

    #[test]
    fn what_is_not_sysfs_is_not_taken_for_it() {
        let sys = sys();
        let files = InterfaceFiles::open_in(sys.path(), ENS4).unwrap();
        assert_eq!(files.require_sysfs().unwrap_err().to_string(), "/sys is not sysfs");
    }
}
