//! `cargo xtask build`: the kernel side, then the user side with the kernel side inside it.

mod cargo;
mod kernel_side;
mod linker;
mod toolchain;
mod user_side;

use std::path::PathBuf;

use anyhow::Result;

pub(crate) use cargo::cargo;
pub(crate) use kernel_side::object as kernel_side_object;
pub(crate) use linker::BpfLinker;
pub(crate) use toolchain::BpfToolchain;

/// Builds both sides in release mode. Returns the binary `vmnet`.
pub(crate) fn run() -> Result<PathBuf> {
    let object = kernel_side()?;
    user_side::build(&object)
}

/// Builds the kernel side alone. Returns the object file.
pub(crate) fn kernel_side() -> Result<PathBuf> {
    let toolchain = BpfToolchain::find_or_install()?;
    let linker = BpfLinker::find_or_install()?;
    kernel_side::build(&toolchain, &linker)
}
