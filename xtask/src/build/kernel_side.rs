//! The crate `vmnet-ebpf`, for the kernel.

use std::env::consts::ARCH;
use std::path::PathBuf;

use anyhow::{Result, bail};
use testbed::command::run;

use super::cargo::{encoded, foreign, without_paths};
use super::{BpfLinker, BpfToolchain};

const TARGET: &str = "bpfel-unknown-none";

/// Builds the object, release, with debug information (BTF comes from it). Returns its absolute path.
pub(crate) fn build(toolchain: &BpfToolchain, linker: &BpfLinker) -> Result<PathBuf> {
    eprintln!("kernel side: {toolchain}");
    let target_directory = target_directory();
    let mut cargo = foreign(&toolchain.cargo);
    cargo
        .args([
            "build",
            "--quiet",
            "--release",
            "--package",
            "vmnet-ebpf",
            "-Z",
            "build-std=core",
            "--target",
            TARGET,
        ])
        .arg("--target-dir")
        .arg(&target_directory)
        .env("RUSTC", &toolchain.rustc)
        // -Z flags, on a compiler that is not a nightly too.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", encoded(&flags(linker)?))
        // For the linker, which looks there for LLVM.
        .env("LD_LIBRARY_PATH", &linker.libraries);
    run(&mut cargo)?;
    let object = object();
    if !object.is_file() {
        bail!("cargo made no {}", object.display());
    }
    Ok(object)
}

/// Where the object is once it was built.
pub(crate) fn object() -> PathBuf {
    target_directory().join(TARGET).join("release/vmnet-ebpf")
}

fn target_directory() -> PathBuf {
    testbed::paths::target().join("ebpf")
}

fn flags(linker: &BpfLinker) -> Result<Vec<String>> {
    let mut flags = vec![
        // aya-ebpf's bindings differ by the architecture of the kernel that will run them.
        format!("--cfg=bpf_target_arch=\"{ARCH}\""),
        "-Cdebuginfo=2".to_owned(),
        format!("-Clinker={}", linker.program.display()),
        "-Clink-arg=--btf".to_owned(),
    ];
    // BTF names the files that its lines are of.
    flags.extend(without_paths()?);
    Ok(flags)
}
