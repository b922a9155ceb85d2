//! Cargo as a child of cargo.

use std::env;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use testbed::command::output;

/// What `cargo run` sets for the program it runs, and what another cargo must not take for its own settings.
const INHERITED: &[&str] = &[
    "CARGO",
    "CARGO_ENCODED_RUSTFLAGS",
    "LD_LIBRARY_PATH",
    "OUT_DIR",
    "RUSTC",
    "RUSTDOC",
    "RUSTFLAGS",
    "RUST_RECURSION_COUNT",
];

/// The cargo that built this program, in the root of the workspace.
pub(crate) fn cargo() -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let toolchain = env::var_os("RUSTUP_TOOLCHAIN");
    let mut command = foreign(&program);
    if let Some(toolchain) = toolchain {
        command.env("RUSTUP_TOOLCHAIN", toolchain);
    }
    command
}

/// Where the compiler that builds this workspace is, with its libraries and clippy's driver.
pub(crate) fn sysroot() -> Result<PathBuf> {
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    let said = output(rustc.args(["--print", "sysroot"]).env_remove("LD_LIBRARY_PATH")).context("rustc")?;
    Ok(PathBuf::from(said.trim()))
}

/// Flags that keep this machine's directories out of what rustc writes, so that a build elsewhere is the same, byte for byte.
pub(crate) fn without_paths() -> Result<Vec<String>> {
    let home = env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let cargo_home = env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
    // The last that fits is taken: the target directory may be below the workspace.
    let places = [
        (sysroot()?, "/rust"),
        (cargo_home, "/cargo"),
        (testbed::paths::workspace(), "/vmnet"),
        (testbed::paths::target(), "/target"),
    ];
    Ok(places.map(|(here, there)| format!("--remap-path-prefix={}={there}", here.display())).to_vec())
}

/// As `CARGO_ENCODED_RUSTFLAGS` takes them.
pub(crate) fn encoded(flags: &[String]) -> String {
    flags.join("\x1f")
}

/// Another cargo than the one that built this program, free of what that one left in the environment.
pub(crate) fn foreign(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(testbed::paths::workspace());
    command.env_remove("RUSTUP_TOOLCHAIN");
    for (name, _) in env::vars_os() {
        let Some(text) = name.to_str() else { continue };
        let of_the_package = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
        if INHERITED.contains(&text) || of_the_package.iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    command
}
