//! Open vSwitch with DPDK: Debian's packages, unpacked beside the kernels rather than installed, as their installation
//! would start a switch of the machine's own.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::apt::Suite;
use crate::paths::testbed_cache;

/// The same switch on whichever Debian: OVS 3.1 and DPDK 22.11. What it offers to guests is what scenarios are about.
const SUITE: &str = "bookworm";

/// The second has the driver of DPDK's packet pools, which the first only recommends and cannot do without.
const PACKAGES: [&str; 2] = ["openvswitch-switch-dpdk", "librte-mempool-ring23"];

/// A plugin of DPDK, to be loaded by name: in a directory that others may write to (or one below such) DPDK would
/// refuse it.
pub(crate) const MEMPOOL_DRIVER: &str = "librte_mempool_ring.so.23";

/// Where the packages have their libraries.
const LIBRARIES: [&str; 3] =
    ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu/dpdk/pmds-23.0"];

/// The switch's programs, unpacked.
#[derive(Debug, Clone)]
pub struct OvsDpdk {
    root: PathBuf,
}

impl OvsDpdk {
    /// The switch if an earlier [`OvsDpdk::fetch`] left it here.
    pub fn cached() -> Option<Self> {
        let root = testbed_cache().join("ovs-dpdk");
        root.is_dir().then_some(Self { root })
    }

    /// The switch, downloaded (17 MB) and unpacked where it is not here yet.
    pub fn fetch() -> Result<Self> {
        if let Some(switch) = Self::cached() {
            return Ok(switch);
        }
        let cache = testbed_cache();
        fs::create_dir_all(&cache)?;
        // Two commands at once must not unpack into one another.
        let lock = File::create(cache.join("ovs-dpdk.lock"))?;
        lock.lock()?;
        match Self::cached() {
            Some(switch) => Ok(switch),
            None => Self::download(&cache)
                .with_context(|| format!("Open vSwitch with DPDK (Debian {SUITE}) could not be fetched")),
        }
    }

    fn download(cache: &Path) -> Result<Self> {
        // Apart from the kernels', as apt lets only one at a time at its state.
        let suite = Suite::open(SUITE, &cache.join("apt/ovs-dpdk"))?;
        let mut packages = Vec::new();
        for package in PACKAGES {
            packages.extend(suite.closure_of(package)?.into_iter().filter(|package| is_needed(package)));
        }
        packages.sort();
        packages.dedup();
        eprintln!("downloading Open vSwitch with DPDK: {} packages (Debian {SUITE})", packages.len());
        let unpacked = tempfile::tempdir_in(cache)?;
        suite.unpack(&packages, unpacked.path())?;
        let switch = Self { root: unpacked.path().to_path_buf() };
        for program in [switch.vswitchd(), switch.ovsdb_server(), switch.ovsdb_tool(), switch.vsctl()] {
            if !program.is_file() {
                bail!("the packages hold no {}", program.display());
            }
        }
        let root = cache.join("ovs-dpdk");
        fs::rename(unpacked.keep(), &root)?;
        Ok(Self { root })
    }

    /// The switch itself.
    pub(crate) fn vswitchd(&self) -> PathBuf {
        self.root.join("usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk")
    }

    /// Keeps the switch's configuration.
    pub(crate) fn ovsdb_server(&self) -> PathBuf {
        self.root.join("usr/sbin/ovsdb-server")
    }

    /// Makes the database.
    pub(crate) fn ovsdb_tool(&self) -> PathBuf {
        self.root.join("usr/bin/ovsdb-tool")
    }

    /// Changes the configuration.
    pub(crate) fn vsctl(&self) -> PathBuf {
        self.root.join("usr/bin/ovs-vsctl")
    }

    /// What a database of the switch may hold.
    pub(crate) fn schema(&self) -> PathBuf {
        self.root.join("usr/share/openvswitch/vswitch.ovsschema")
    }

    /// The value of `LD_LIBRARY_PATH` with which the programs run.
    pub(crate) fn library_path(&self) -> OsString {
        let directories = LIBRARIES.map(|directory| self.root.join(directory).into_os_string());
        directories.join(OsStr::new(":"))
    }
}

/// Of all that installing on an empty system would bring: the switch and its libraries. The C library is the machine's,
/// and interpreters are for scripts around the switch.
fn is_needed(package: &str) -> bool {
    let is_library = package.starts_with("lib") && !package.ends_with("-perl");
    let is_the_machines = ["libc6", "libperl", "libpython"].iter().any(|name| package.starts_with(name));
    package.starts_with("openvswitch-") || (is_library && !is_the_machines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_switch_comes_with_its_libraries_but_without_interpreters_and_the_c_library() {
        for package in ["openvswitch-switch-dpdk", "librte-vhost23", "libssl3", "libunbound8"] {
            assert!(is_needed(package), "{package}");
        }
        for package in ["libc6", "libpython3.11-stdlib", "libtext-glob-perl", "python3", "adduser"] {
            assert!(!is_needed(package), "{package}");
        }
    }
}
