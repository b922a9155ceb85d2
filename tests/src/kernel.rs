//! The Debian kernels that the testbed boots.

use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use anyhow::{Context as _, Result, anyhow, bail};

use crate::apt::Suite;
use crate::command::output;
use crate::paths::testbed_cache;

/// Depends on the newest cloud kernel of its suite.
const METAPACKAGE: &str = "linux-image-cloud-amd64";

/// One kernel, named as in `cargo xtask vm --kernel`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// Debian 11, bullseye.
    V5_10,
    /// Debian 12, bookworm.
    V6_1,
    /// Debian 13, trixie.
    V6_12,
    /// Debian unstable: whatever is there today.
    Sid,
}

impl Kernel {
    /// Oldest first.
    pub const ALL: [Self; 4] = [Self::V5_10, Self::V6_1, Self::V6_12, Self::Sid];

    /// `5.10`, `6.1`, `6.12`, `sid`.
    pub fn name(self) -> &'static str {
        match self {
            Self::V5_10 => "5.10",
            Self::V6_1 => "6.1",
            Self::V6_12 => "6.12",
            Self::Sid => "sid",
        }
    }

    /// Debian's suite that has it.
    pub fn suite(self) -> &'static str {
        match self {
            Self::V5_10 => "bullseye",
            Self::V6_1 => "bookworm",
            Self::V6_12 => "trixie",
            Self::Sid => "sid",
        }
    }

    /// The kernel if an earlier [`Kernel::fetch`] left it here.
    pub fn cached(self) -> Option<KernelFiles> {
        KernelFiles::open(&self.directory()).ok()
    }

    /// The kernel, downloaded (10 to 40 MB) and unpacked where it is not here yet. Needs `kmod` and `xz`.
    pub fn fetch(self) -> Result<KernelFiles> {
        if let Some(files) = self.cached() {
            return Ok(files);
        }
        let cache = testbed_cache();
        fs::create_dir_all(cache.join("kernels"))?;
        // Two commands at once must not unpack into one another.
        let lock = File::create(cache.join(format!("kernels/{}.lock", self.name())))?;
        lock.lock()?;
        if let Some(files) = self.cached() {
            return Ok(files);
        }
        self.download().with_context(|| format!("kernel {} (Debian {})", self.name(), self.suite()))
    }

    fn directory(self) -> PathBuf {
        testbed_cache().join("kernels").join(self.name())
    }

    fn download(self) -> Result<KernelFiles> {
        let suite = Suite::open(self.suite(), &testbed_cache().join("apt").join(self.suite()))?;
        let packages: Vec<String> = suite
            .closure_of(METAPACKAGE)?
            .into_iter()
            .filter(|package| carries_kernel_files(package))
            .collect();
        if packages.is_empty() {
            bail!("{METAPACKAGE} brings no package with a kernel in it");
        }
        eprintln!("downloading kernel {}: {} (Debian {})", self.name(), packages.join(" "), self.suite());
        let unpacked = tempfile::tempdir_in(testbed_cache().join("kernels"))?;
        suite.unpack(&packages, unpacked.path())?;
        prepare(unpacked.path(), &packages)?;
        let _ = fs::remove_dir_all(self.directory());
        let unpacked = unpacked.keep();
        fs::rename(&unpacked, self.directory())?;
        KernelFiles::open(&self.directory())
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl FromStr for Kernel {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|kernel| kernel.name() == name)
            .ok_or_else(|| anyhow!("no kernel `{name}`; there are 5.10, 6.1, 6.12 and sid"))
    }
}

/// An unpacked kernel.
#[derive(Debug, Clone)]
pub struct KernelFiles {
    /// As `uname -r` says it.
    pub release: String,
    /// The image that QEMU boots.
    pub image: PathBuf,
    /// `lib/modules/<release>`: uncompressed modules and depmod's indices.
    pub modules: PathBuf,
}

impl KernelFiles {
    fn open(directory: &Path) -> Result<Self> {
        // The image is put in its place last.
        let image = directory.join("vmlinuz");
        if !image.is_file() {
            bail!("{} is not there", image.display());
        }
        let parent = directory.join("lib/modules");
        let modules = only_entry_of(&parent)?;
        let release = modules.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { release, image, modules })
    }
}

/// Up to trixie one package; since then the image, the modules and their indices are apart.
fn carries_kernel_files(package: &str) -> bool {
    ["linux-image-", "linux-binary-", "linux-modules-", "linux-base-"]
        .iter()
        .filter_map(|prefix| package.strip_prefix(prefix))
        .any(|version| version.starts_with(|first: char| first.is_ascii_digit()))
}

fn prepare(root: &Path, packages: &[String]) -> Result<()> {
    fs::write(root.join("packages"), packages.join("\n"))?;
    let modules = find_modules_directory(root)?;
    decompress(&modules)?;
    let release = modules.file_name().unwrap_or_default().to_owned();
    output(
        Command::new(
            crate::command::find("depmod").ok_or_else(|| anyhow!("depmod (package kmod) is missing"))?,
        )
        .arg("-b")
        .arg(root)
        .arg(&release),
    )?;
    let image = first_vmlinuz(root, &modules)?;
    fs::rename(image, root.join("vmlinuz"))?;
    Ok(())
}

/// `/usr/lib/modules` on merged systems: moved to where every tool looks.
fn find_modules_directory(root: &Path) -> Result<PathBuf> {
    let merged = root.join("usr/lib/modules");
    if merged.is_dir() {
        fs::create_dir_all(root.join("lib"))?;
        fs::rename(&merged, root.join("lib/modules"))?;
    }
    only_entry_of(&root.join("lib/modules"))
}

fn first_vmlinuz(root: &Path, modules: &Path) -> Result<PathBuf> {
    for directory in [root.join("boot"), modules.to_path_buf(), root.join("usr/lib/kernel")] {
        if let Ok(entries) = fs::read_dir(&directory) {
            for entry in entries {
                let path = entry?.path();
                if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz")) {
                    return Ok(path);
                }
            }
        }
    }
    bail!("the packages hold no vmlinuz")
}

/// In the guest nothing has to know xz.
fn decompress(modules: &Path) -> Result<()> {
    let compressed = files_in(modules, ".ko.xz")?;
    for some in compressed.chunks(500) {
        output(Command::new("xz").arg("--decompress").args(some))?;
    }
    Ok(())
}

fn only_entry_of(directory: &Path) -> Result<PathBuf> {
    let mut entries =
        fs::read_dir(directory).with_context(|| format!("{} could not be read", directory.display()))?;
    let first = entries.next().ok_or_else(|| anyhow!("{} is empty", directory.display()))??;
    Ok(first.path())
}

/// All files below `directory` whose name ends with `suffix`.
fn files_in(directory: &Path, suffix: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(files_in(&entry.path(), suffix)?);
        } else if entry.file_name().to_string_lossy().ends_with(suffix) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_is_found_by_its_own_name() {
        for kernel in Kernel::ALL {
            assert_eq!(kernel.name().parse::<Kernel>().unwrap(), kernel);
        }
        assert!("6.2".parse::<Kernel>().is_err());
    }

    #[test]
    fn only_packages_that_carry_a_kernel_are_taken_from_its_dependencies() {
        assert!(carries_kernel_files("linux-image-6.1.0-40-cloud-amd64"));
        assert!(carries_kernel_files("linux-modules-7.2.13+deb14-cloud-amd64"));
        assert!(!carries_kernel_files("linux-image-cloud-amd64"));
        assert!(carries_kernel_files("linux-base-7.2.13+deb14-cloud-amd64"));
        assert!(!carries_kernel_files("linux-base"));
    }
}
