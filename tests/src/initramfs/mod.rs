//! The guest's whole file system, in memory: one cpio archive that the kernel unpacks, the same for every guest of that kernel, and one
//! that its first program unpacks when it is told to go, with what this run is about.

mod cpio;
mod libraries;
mod modules;
mod tree;

use std::hash::Hasher;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};

use crate::command::find;
use crate::kernel::KernelFiles;
use tree::Tree;

/// The guest's first program.
const INIT: &str = include_str!("init.sh");
/// Hands files to the host, in the guest's PATH.
const SEND_FILE: &str = include_str!("send-file.sh");
/// Reads the host's tap counters, in the guest's PATH.
const MARK: &str = include_str!("mark.sh");

/// Programs of this machine that every guest has, at their usual places.
const PROGRAMS: &[&str] = &["ip", "tc", "ss", "nstat", "ethtool", "iperf3"];

/// What one run of a guest is about, beyond what every guest has.
#[derive(Debug)]
pub(crate) struct Luggage<'a> {
    /// Modules to load before the script.
    pub(crate) modules: &'a [String],
    /// More programs of this machine, by name (`bpftrace`), with the libraries they need.
    pub(crate) programs: &'a [String],
    /// More files: here, in the guest.
    pub(crate) files: &'a [(PathBuf, PathBuf)],
    /// What the guest runs, for its `sh`.
    pub(crate) script: &'a str,
}

/// What every guest of one kernel has: programs, modules, and [`INIT`].
#[derive(Debug)]
pub(crate) struct Base {
    tree: Tree,
}

impl Base {
    /// For this kernel.
    pub(crate) fn new(kernel: &KernelFiles) -> Result<Self> {
        let mut tree = Tree::default();
        busybox(&mut tree)?;
        // The shell is dash, as busybox's own prefers its applets (`ip`, `tc`) to what is in PATH.
        add_program(&mut tree, &program("dash")?, "/usr/bin/sh")?;
        for name in PROGRAMS {
            add_program(&mut tree, &program(name)?, Path::new("/usr/bin").join(name))?;
        }
        modules::add(&mut tree, kernel)?;
        tree.text("/init", INIT, 0o755);
        tree.text("/usr/bin/send-file", SEND_FILE, 0o755);
        tree.text("/usr/bin/mark", MARK, 0o755);
        tree.text("/etc/passwd", "root:x:0:0:root:/root:/usr/bin/sh\n", 0o644);
        tree.text("/etc/group", "root:x:0:\n", 0o644);
        tree.text("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n10.10.1.10 host\n", 0o644);
        tree.text("/etc/hostname", "vmnet-guest\n", 0o644);
        tree.text("/etc/os-release", "ID=debian\nPRETTY_NAME=\"vmnet testbed guest\"\n", 0o644);
        for directory in ["/proc", "/sys", "/dev", "/tmp", "/root", "/var/lib", "/var/tmp", "/run"] {
            tree.directory(directory);
        }
        tree.symlink("/etc/mtab", "/proc/mounts");
        tree.symlink("/var/run", "/run");
        Ok(Self { tree })
    }

    /// The archive that the kernel unpacks, uncompressed: it does so in less time than gzip would take in emulation.
    pub(crate) fn archive(&self) -> Result<Vec<u8>> {
        cpio::archive(&self.tree)
    }

    /// The same for as long as nothing in it has changed.
    pub(crate) fn fingerprint(&self, hasher: &mut impl Hasher) {
        self.tree.fingerprint(hasher);
    }

    /// The archive that [`INIT`] unpacks when the guest is told to go: what the base has already is left out.
    pub(crate) fn luggage(&self, kernel: &KernelFiles, luggage: &Luggage<'_>) -> Result<Vec<u8>> {
        let mut tree = Tree::default();
        for name in luggage.programs {
            add_program(&mut tree, &program(name)?, Path::new("/usr/bin").join(name))?;
        }
        let vmnet = crate::paths::vmnet();
        if vmnet.is_file() {
            add_program(&mut tree, &vmnet, "/usr/bin/vmnet")?;
        }
        for (here, inside) in luggage.files {
            add_program(&mut tree, here, inside)?;
        }
        modules::add_requested(&mut tree, kernel, luggage.modules)?;
        tree.text("/run/vmnet/script", luggage.script, 0o755);
        cpio::archive(&tree.without(&self.tree))
    }
}

/// Its applets, in `/bin` and `/sbin`: after the real programs of `/usr/bin` in the guest's PATH.
fn busybox(tree: &mut Tree) -> Result<()> {
    let path = program("busybox")?;
    tree.file("/bin/busybox", &path)?;
    let listed = crate::command::output(std::process::Command::new(&path).arg("--list"))?;
    // It lists itself too.
    for applet in listed.lines().filter(|applet| *applet != "busybox") {
        tree.symlink(Path::new("/bin").join(applet), "/bin/busybox");
    }
    tree.symlink("/bin/sh", "/usr/bin/sh");
    // Where the kernel itself looks for it.
    tree.symlink("/sbin/modprobe", "/bin/busybox");
    Ok(())
}

fn add_program(tree: &mut Tree, here: &Path, inside: impl Into<PathBuf>) -> Result<()> {
    tree.file(inside, here)?;
    for library in libraries::of(here)? {
        tree.file(library.clone(), &library)?;
    }
    Ok(())
}

fn program(name: &str) -> Result<PathBuf> {
    find(name).ok_or_else(|| anyhow!("{name} is not installed (`cargo xtask setup` installs it)"))
}
