//! The tar archive: for any distribution, to be unpacked anywhere.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use testbed::command::run;

use super::stage::Stage;
use super::{ARCHITECTURE, VERSION, time_of_sources};

/// `vmnet-<version>-x86_64.tar.gz`, with `usr/bin/vmnet` and the rest below one directory.
pub(super) fn pack(stage: &Stage, directory: &Path) -> Result<PathBuf> {
    let name = format!("vmnet-{VERSION}-{ARCHITECTURE}");
    let archive = directory.join(format!("{name}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.args(["--create", "--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--format=gnu"])
        .args(["--mode=u+rw,go+r,go-w,a+X", "--use-compress-program=gzip -9 -n"])
        .arg(format!("--mtime=@{}", time_of_sources()))
        .arg(format!("--transform=s,^usr/share,{name}/share,;s,^usr/bin,{name},"))
        .arg("--file")
        .arg(&archive)
        .arg("--directory")
        .arg(&stage.root)
        .args(["usr/bin", "usr/share"]);
    run(&mut tar)?;
    Ok(archive)
}
