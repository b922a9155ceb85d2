//! bpf-linker, which turns LLVM bitcode into one BPF object with BTF.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};
use testbed::command::{captured, run};

use super::cargo::{cargo, sysroot};

/// 0.11 and later want an LLVM 23 of the system's; 0.10 finds LLVM 22 in the Rust toolchain that built it.
const VERSION: &str = "^0.10";
const VERSION_PREFIX: &str = "0.10.";

/// The LLVM that bpf-linker 0.10 reads: a compiler with a newer one makes bitcode it cannot read.
pub(crate) const LLVM_MAJOR: u32 = 22;

/// A bpf-linker that runs.
#[derive(Debug)]
pub(crate) struct BpfLinker {
    /// The program.
    pub(crate) program: PathBuf,
    /// Where it finds libLLVM when it runs: for its `LD_LIBRARY_PATH`.
    pub(crate) libraries: PathBuf,
}

impl BpfLinker {
    /// One of PATH, or of an earlier run, else built (a minute) into `target/tools`.
    pub(crate) fn find_or_install() -> Result<Self> {
        let libraries = toolchain_libraries()?;
        let tools = testbed::paths::target().join("tools");
        let ours = tools.join("bin/bpf-linker");
        let path = env::var_os("PATH").unwrap_or_default();
        let of_path = env::split_paths(&path).map(|directory| directory.join("bpf-linker"));
        for program in [ours.clone()].into_iter().chain(of_path).filter(|program| program.is_file()) {
            if let Some(version) = version_of(&program, &libraries)
                && version.starts_with(VERSION_PREFIX)
            {
                return Ok(Self { program, libraries });
            }
        }
        eprintln!("installing with cargo: bpf-linker {VERSION} (half a minute to a minute)");
        let mut install = cargo();
        install
            // What takes time in a linker is LLVM, which comes compiled: optimizing the rest costs a minute and saves nothing.
            .args(["--config", "profile.release.opt-level=0"])
            .args(["install", "--quiet", "--locked", "bpf-linker", "--version", VERSION, "--force", "--root"])
            .arg(&tools);
        run(install.env_remove("CARGO_TARGET_DIR"))?;
        match version_of(&ours, &libraries) {
            Some(_) => Ok(Self { program: ours, libraries }),
            None => bail!(
                "{} was built but does not run with LD_LIBRARY_PATH={}",
                ours.display(),
                libraries.display()
            ),
        }
    }
}

/// The libraries of the compiler that builds this workspace, LLVM among them.
fn toolchain_libraries() -> Result<PathBuf> {
    Ok(sysroot()?.join("lib"))
}

fn version_of(program: &Path, libraries: &Path) -> Option<String> {
    let said = captured(Command::new(program).arg("--version").env("LD_LIBRARY_PATH", libraries)).ok()?;
    let text = String::from_utf8(said.stdout).ok()?;
    text.split_whitespace().nth(1).map(str::to_owned)
}
