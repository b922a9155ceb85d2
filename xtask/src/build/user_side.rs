//! The crate `vmnet-user`: the binary `vmnet`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use testbed::command::run;

use super::cargo::cargo;

/// Builds the binary, release, with the kernel side's object inside it. Returns the binary.
pub(crate) fn build(object: &Path) -> Result<PathBuf> {
    let mut build = cargo();
    build.args(["build", "--release", "--package", "vmnet-user"]).env("VMNET_EBPF_OBJECT", object);
    run(&mut build)?;
    Ok(testbed::paths::vmnet())
}

/// Builds the meter of what watching costs, likewise.
pub(crate) fn meter(object: &Path) -> Result<()> {
    let mut build = cargo();
    build
        .args(["build", "--release", "--package", "vmnet-tests", "--bin", "watching-costs"])
        .env("VMNET_EBPF_OBJECT", object);
    run(&mut build)
}
