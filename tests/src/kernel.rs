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

/// Directories of modules that no guest has a use for, and that would take minutes to unpack.
const NOT_FOR_GUESTS: [&str; 14] = [
    "kernel/sound",
    "kernel/drivers/gpu",
    "kernel/drivers/hid",
    "kernel/drivers/hwmon",
    "kernel/drivers/iio",
    "kernel/drivers/infiniband",
    "kernel/drivers/input",
    "kernel/drivers/media",
    "kernel/drivers/mtd",
    "kernel/drivers/net/wireless",
    "kernel/drivers/platform",
    "kernel/drivers/scsi",
    "kernel/drivers/staging",
    "kernel/drivers/usb",
];

/// Which of Debian's builds of a kernel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Build {
    /// For clouds: with drivers of paravirtual devices, and few others.
    #[default]
    Cloud,
    /// For any machine, with drivers of the hardware that QEMU imitates (e1000, e1000e, igb).
    Generic,
}

impl Build {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Cloud, Self::Generic];

    /// Depends on the newest kernel of its suite.
    fn metapackage(self) -> &'static str {
        match self {
            Self::Cloud => "linux-image-cloud-amd64",
            Self::Generic => "linux-image-amd64",
        }
    }
}

impl fmt::Display for Build {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Cloud => "cloud",
            Self::Generic => "generic",
        })
    }
}

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
    pub fn cached(self, build: Build) -> Option<KernelFiles> {
        KernelFiles::open(&self.directory(build)).ok()
    }

    /// The kernel, downloaded (cloud 10 to 40 MB, generic 50 to 110 MB) and unpacked where it is not here yet. Needs `kmod` and `xz`.
    pub fn fetch(self, build: Build) -> Result<KernelFiles> {
        if let Some(files) = self.cached(build) {
            return Ok(files);
        }
        let cache = testbed_cache();
        fs::create_dir_all(cache.join("kernels"))?;
        // Two commands at once must not unpack into one another.
        let lock = File::create(cache.join(format!("kernels/{}.lock", self.name())))?;
        lock.lock()?;
        if let Some(files) = self.cached(build) {
            return Ok(files);
        }
        self.download(build).with_context(|| format!("kernel {self}, {build} (Debian {})", self.suite()))
    }

    fn directory(self, build: Build) -> PathBuf {
        let kernels = testbed_cache().join("kernels");
        match build {
            Build::Cloud => kernels.join(self.name()),
            Build::Generic => kernels.join(format!("{}-generic", self.name())),
        }
    }

    fn download(self, build: Build) -> Result<KernelFiles> {
        let suite = Suite::open(self.suite(), &testbed_cache().join("apt").join(self.suite()))?;
        let metapackage = build.metapackage();
        let packages: Vec<String> = suite
            .closure_of(metapackage)?
            .into_iter()
            .filter(|package| carries_kernel_files(package))
            .collect();
        if packages.is_empty() {
            bail!("{metapackage} brings no package with a kernel in it");
        }
        eprintln!("downloading kernel {self}, {build}: {} (Debian {})", packages.join(" "), self.suite());
        let unpacked = tempfile::tempdir_in(testbed_cache().join("kernels"))?;
        suite.unpack(&packages, unpacked.path())?;
        prepare(unpacked.path(), &packages)?;
        let directory = self.directory(build);
        let _ = fs::remove_dir_all(&directory);
        let unpacked = unpacked.keep();
        fs::rename(&unpacked, &directory)?;
        KernelFiles::open(&directory)
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

impl fmt::Display for KernelFiles {
    /// Its release, and what it takes on disk.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: u64 =
            files_in(&self.modules, "").unwrap_or_default().iter().chain([&self.image]).map(size_of).sum();
        write!(out, "{}, {} MB on disk", self.release, bytes / 1_000_000)
    }
}

fn size_of(path: &PathBuf) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
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
    for directory in NOT_FOR_GUESTS {
        // Not every build has each.
        let _ = fs::remove_dir_all(modules.join(directory));
    }
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
