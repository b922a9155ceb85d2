//! Where things are in this checkout.

use std::env;
use std::path::{Path, PathBuf};

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_path_buf()
}

/// Cargo's target directory (absolute): `CARGO_TARGET_DIR` where set, else `target` in the workspace.
pub fn target() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => workspace().join(directory),
        None => workspace().join("target"),
    }
}

/// The release binary that `cargo xtask build` makes.
pub fn vmnet() -> PathBuf {
    target().join("release/vmnet")
}

/// The static file that `cargo xtask dist` makes.
pub fn dist() -> PathBuf {
    target().join(format!("dist/vmnet-{}-x86_64", env!("CARGO_PKG_VERSION")))
}

/// The package beside it.
pub fn dist_deb() -> PathBuf {
    target().join(format!("dist/vmnet_{}_amd64.deb", env!("CARGO_PKG_VERSION")))
}

/// What the testbed keeps between runs: kernels, package lists.
pub fn testbed_cache() -> PathBuf {
    target().join("testbed")
}
