//! The package for Debian and what descends from it. dpkg's own builder makes it: it is on every Debian, and honours the time of the sources.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use testbed::command::{output, run};

use super::stage::Stage;
use super::{VERSION, time_of_sources};

/// `vmnet_<version>_amd64.deb`: it depends on nothing, and nothing runs when it comes or goes.
pub(super) fn pack(stage: &Stage, directory: &Path) -> Result<PathBuf> {
    let root = tempfile::tempdir_in(directory)?;
    let inside = root.path().join("vmnet");
    output(Command::new("cp").arg("-a").arg(&stage.root).arg(&inside))?;
    fs::create_dir(inside.join("DEBIAN"))?;
    fs::write(inside.join("DEBIAN/control"), control(installed_kib(&stage.root)?))?;
    let package = directory.join(format!("vmnet_{VERSION}_amd64.deb"));
    let mut build = Command::new("dpkg-deb");
    // xz is what dpkg reads since Debian 7; one thread, as more make another file.
    build
        .args(["--root-owner-group", "-Zxz", "-z6", "--threads-max=1", "--build"])
        .arg(&inside)
        .arg(&package);
    run(build.env("SOURCE_DATE_EPOCH", time_of_sources()).stdout(std::process::Stdio::null()))
        .context("dpkg-deb makes the .deb: install dpkg")?;
    Ok(package)
}

fn control(installed_kib: u64) -> String {
    format!(
        "Package: vmnet\nVersion: {VERSION}\nArchitecture: amd64\nMaintainer: The vmnet authors <maintainers@vmnet.invalid>\n\
         Installed-Size: {installed_kib}\nSection: net\nPriority: optional\nDescription: {}\n {}\n {}\n {}\n",
        "segmentation profiler: is TSO really happening on this interface?",
        "vmnet answers with proof whether TCP segmentation offload (TSO, which others",
        "call LSO) and that of UDP (USO) happen on a network interface, and if not, why,",
        "what it costs and how to fix it. Begin with: sudo vmnet check IFACE"
    )
}

/// Whole KiB of each file, as Debian's policy counts.
fn installed_kib(directory: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        sum += if metadata.is_dir() { installed_kib(&entry.path())? } else { metadata.len().div_ceil(1024) };
    }
    Ok(sum)
}
