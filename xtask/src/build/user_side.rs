//! The crate `vmnet-user`: the binary `vmnet`, one static file, so that what tests run is what is handed out.

use std::path::{Path, PathBuf};

use anyhow::Result;
use testbed::command::run;

use super::cargo::{cargo, encoded, without_paths};

/// Builds the binary, release, static, with the kernel side's object inside it. Returns the binary.
pub(crate) fn build(object: &Path) -> Result<PathBuf> {
    let mut build = cargo();
    build
        .args(["rustc", "--release", "--package", "vmnet-user", "--bin", "vmnet"])
        // Of the last step alone: what is linked there is all that is static about it.
        .args(["--", "-Ctarget-feature=+crt-static"])
        .env("VMNET_EBPF_OBJECT", object)
        .env("CARGO_ENCODED_RUSTFLAGS", encoded(&without_paths()?));
    run(&mut build)?;
    Ok(testbed::paths::vmnet())
}

/// Builds a program of the tests, likewise: the meter of what watching costs, the soak.
pub(crate) fn of_tests(program: &str, object: &Path) -> Result<()> {
    let mut build = cargo();
    build
        .args(["build", "--release", "--package", "vmnet-tests", "--bin", program])
        .env("VMNET_EBPF_OBJECT", object)
        // The same as the binary's, or everything would be built twice.
        .env("CARGO_ENCODED_RUSTFLAGS", encoded(&without_paths()?));
    run(&mut build)
}
