//! The least of each Debian release in which its dpkg works: unpacked, never installed, and entered by chroot.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::apt::Suite;
use crate::command::output;
use crate::netns::Netns;
use crate::paths::testbed_cache;

/// Debian 11, 12, 13, and unstable.
pub const SUITES: [&str; 4] = ["bullseye", "bookworm", "trixie", "sid"];
/// dpkg, and what it calls.
const PACKAGES: [&str; 6] = ["coreutils", "dash", "diffutils", "dpkg", "libc-bin", "tar"];
/// What the directory holds: other packages are another directory.
const DIRECTORY: &str = "roots-2";

fn directory(suite: &str) -> PathBuf {
    testbed_cache().join(DIRECTORY).join(suite)
}

/// Whether an earlier [`fetch`] left it here.
pub fn is_cached(suite: &str) -> bool {
    directory(suite).is_dir()
}

/// Downloads (15 MB) and unpacks a release where it is not here yet.
pub fn fetch(suite: &str) -> Result<()> {
    if is_cached(suite) {
        return Ok(());
    }
    let cache = testbed_cache().join(DIRECTORY);
    fs::create_dir_all(&cache)?;
    // Two commands at once must not unpack into one another.
    let lock = File::create(cache.join(format!("{suite}.lock")))?;
    lock.lock()?;
    if is_cached(suite) {
        return Ok(());
    }
    let apt = Suite::open(suite, &testbed_cache().join("apt").join(suite))?;
    let packages = apt.closure_of_all(&PACKAGES)?;
    eprintln!("downloading {} (Debian {suite}), to be unpacked and not installed", PACKAGES.join(" "));
    let unpacked = tempfile::tempdir_in(&cache)?;
    apt.unpack_merged(&packages, unpacked.path())?;
    fs::rename(unpacked.keep(), directory(suite))?;
    Ok(())
}

/// A copy of a release that can be changed. Gone with the value.
#[derive(Debug)]
pub struct Root {
    root: TempDir,
}

impl Root {
    /// With nothing installed, as its dpkg sees it.
    pub fn new(suite: &str) -> Result<Self> {
        let root = tempfile::tempdir()?;
        let from = directory(suite);
        output(Command::new("cp").arg("-a").arg("--reflink=auto").arg(from.join(".")).arg(root.path()))?;
        for directory in ["dev", "proc", "sys", "tmp", "var/lib/dpkg/info", "var/lib/dpkg/updates"] {
            fs::create_dir_all(root.path().join(directory))?;
        }
        fs::write(root.path().join("var/lib/dpkg/status"), "")?;
        Ok(Self { root })
    }

    /// With nothing in it at all.
    pub fn empty() -> Result<Self> {
        let root = tempfile::tempdir()?;
        for directory in ["proc", "sys"] {
            fs::create_dir(root.path().join(directory))?;
        }
        Ok(Self { root })
    }

    /// Where it is, seen from here.
    pub fn path(&self) -> &Path {
        self.root.path()
    }

    /// A program of its own, in a network namespace. Mounts are the command's own and end with it.
    pub fn command(&self, namespace: &Netns, program: &str) -> Command {
        const SCRIPT: &str = "mount --make-rprivate / && mount -t proc proc \"$1/proc\" && mount -t sysfs sysfs \"$1/sys\" && \
                              root=$1 && shift && exec chroot \"$root\" \"$@\"";
        let mut command = namespace.command("unshare");
        command.args(["--mount", "sh", "-c", SCRIPT, "sh"]).arg(self.path()).arg(program);
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C");
        command
    }

    /// Every file, link and directory in it, by name: what a package leaves behind shows here.
    pub fn names(&self) -> Result<Vec<String>> {
        let found =
            output(Command::new("find").arg(self.path()).args(["-mindepth", "1", "-printf", "%P\\n"]))?;
        let mut names: Vec<String> = found.lines().map(str::to_owned).collect();
        names.sort();
        Ok(names)
    }
}

/// As on a merged system; without them packages would make directories of these names.
pub(crate) fn merged(directory: &Path) -> Result<()> {
    for name in ["bin", "lib", "lib64", "sbin"] {
        fs::create_dir_all(directory.join("usr").join(name))?;
        symlink(Path::new("usr").join(name), directory.join(name)).context("a link into usr")?;
    }
    Ok(())
}
