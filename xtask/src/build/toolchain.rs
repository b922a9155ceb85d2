//! A compiler for the kernel side: `bpfel-unknown-none` needs `core` built from source, so a compiler and its own
//! rust-src, one that this workspace's sources are written for, and whose LLVM is not newer than the linker's.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, anyhow, bail};
use testbed::apt;
use testbed::command::{captured, find, output};

use super::linker::LLVM_MAJOR;

/// The nightly that rustup is asked for where it can fetch one. LLVM 22, as the linker has.
const PINNED_NIGHTLY: &str = "nightly-2026-05-19";

/// The oldest compiler that the sources are written for: the workspace's `rust-version`.
const OLDEST: &str = env!("CARGO_PKG_RUST_VERSION");

/// Debian's newer compiler, which security updates of browsers bring into stable releases.
const DEBIAN_PACKAGES: &[&str] = &["rustc-web", "cargo-web", "rust-web-src"];

/// A compiler that can build `core` for BPF.
#[derive(Debug)]
pub(crate) struct BpfToolchain {
    /// Its cargo.
    pub(crate) cargo: PathBuf,
    /// Its compiler.
    pub(crate) rustc: PathBuf,
    /// `rustc --version` and where it comes from.
    pub(crate) name: String,
}

impl fmt::Display for BpfToolchain {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.name)
    }
}

impl BpfToolchain {
    /// An installed one, else Debian's by apt, else the pinned nightly by rustup. The error tells what each answered.
    pub(crate) fn find_or_install() -> Result<Self> {
        type Way = (&'static str, fn() -> Result<BpfToolchain>);
        let ways: [Way; 4] = [
            ("an installed nightly with rust-src", installed_nightly),
            ("Debian's rustc-web, installed", installed_debian),
            ("Debian's rustc-web, by apt", debian_by_apt),
            ("a nightly by rustup", nightly_by_rustup),
        ];
        let mut tried = String::new();
        for (way, attempt) in ways {
            match attempt() {
                Ok(toolchain) => return Ok(toolchain),
                Err(error) => tried.push_str(&format!("\n- {way}: {error:#}")),
            }
        }
        bail!(
            "no compiler for the kernel side. Tried:{tried}\nEither of these helps: \
             `apt-get install {}` or `rustup toolchain install {PINNED_NIGHTLY} -c rust-src`",
            DEBIAN_PACKAGES.join(" ")
        )
    }

    fn check(cargo: PathBuf, rustc: PathBuf) -> Result<Self> {
        let versions = output(Command::new(&rustc).arg("-vV"))?;
        if release(&versions).is_none_or(|release| Some(release) < parts(OLDEST)) {
            let version = versions.lines().next().unwrap_or_default();
            bail!("{} is {version}, and {OLDEST} is needed", rustc.display());
        }
        let llvm =
            llvm_major(&versions).ok_or_else(|| anyhow!("{} names no LLVM version", rustc.display()))?;
        if llvm > LLVM_MAJOR {
            bail!("{} has LLVM {llvm}, newer than the linker's {LLVM_MAJOR}", rustc.display());
        }
        let sysroot = output(Command::new(&rustc).args(["--print", "sysroot"]))?;
        let core = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core/Cargo.toml");
        if !core.exists() {
            bail!("{} has no rust-src ({} is not there)", rustc.display(), core.display());
        }
        if !cargo.exists() {
            bail!("{} is not there", cargo.display());
        }
        let version = versions.lines().next().unwrap_or_default();
        Ok(Self { name: format!("{version}, {}", rustc.display()), cargo, rustc })
    }
}

/// Major and minor version of `rustc -vV`.
fn release(versions: &str) -> Option<(u32, u32)> {
    parts(versions.lines().find_map(|line| line.strip_prefix("release: "))?)
}

/// Of `1.96.0` or `1.97.0-nightly`.
fn parts(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.trim().split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn llvm_major(versions: &str) -> Option<u32> {
    let version = versions.lines().find_map(|line| line.strip_prefix("LLVM version: "))?;
    version.split('.').next()?.trim().parse().ok()
}

fn installed_nightly() -> Result<BpfToolchain> {
    let listed = output(rustup()?.args(["toolchain", "list", "-q"]))?;
    let mut nightlies: Vec<&str> = listed.lines().filter(|name| name.starts_with("nightly")).collect();
    if nightlies.is_empty() {
        bail!("rustup has no nightly");
    }
    nightlies.sort_by_key(|name| !name.starts_with(PINNED_NIGHTLY));
    let mut refused = Vec::new();
    for name in nightlies {
        match rustup_toolchain(name) {
            Ok(toolchain) => return Ok(toolchain),
            Err(error) => refused.push(format!("{error:#}")),
        }
    }
    bail!("{}", refused.join("; "))
}

fn rustup_toolchain(name: &str) -> Result<BpfToolchain> {
    let which = |program: &str| -> Result<PathBuf> {
        Ok(PathBuf::from(output(rustup()?.args(["which", "--toolchain", name, program]))?.trim()))
    };
    BpfToolchain::check(which("cargo")?, which("rustc")?)
}

fn rustup() -> Result<Command> {
    let program = find("rustup").ok_or_else(|| anyhow!("there is no rustup"))?;
    let mut command = Command::new(program);
    command.env_remove("RUSTUP_TOOLCHAIN");
    Ok(command)
}

fn installed_debian() -> Result<BpfToolchain> {
    BpfToolchain::check("/usr/bin/cargo".into(), existing("/usr/bin/rustc")?)
}

fn existing(path: &str) -> Result<PathBuf> {
    let path = PathBuf::from(path);
    if !path.exists() {
        bail!("{} is not there", path.display());
    }
    Ok(path)
}

fn debian_by_apt() -> Result<BpfToolchain> {
    apt::install(DEBIAN_PACKAGES)?;
    installed_debian().or_else(|_| {
        apt::renew(DEBIAN_PACKAGES)?;
        installed_debian()
    })
}

fn nightly_by_rustup() -> Result<BpfToolchain> {
    let mut install = rustup()?;
    install.args(["toolchain", "install", PINNED_NIGHTLY, "--profile", "minimal", "--component", "rust-src"]);
    eprintln!("installing with rustup: {PINNED_NIGHTLY} with rust-src");
    let done = captured(&mut install).context("rustup")?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        bail!("{}", said.trim().lines().last().unwrap_or("rustup failed without a word"));
    }
    rustup_toolchain(PINNED_NIGHTLY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_llvm_version_is_read_from_what_rustc_says_of_itself() {
        assert_eq!(llvm_major("rustc 1.96.0\nrelease: 1.96.0\nLLVM version: 22.1.2\n"), Some(22));
        assert_eq!(llvm_major("rustc 1.96.0\n"), None);
    }

    #[test]
    fn a_compiler_older_than_the_sources_is_told_by_its_release() {
        let said = |release: &str| format!("rustc {release}\nbinary: rustc\nrelease: {release}\n");
        assert!(release(&said("1.85.0")) < parts(OLDEST));
        assert!(release(&said("1.100.0-nightly")) > parts(OLDEST));
        assert_eq!(release("rustc 1.96.0\n"), None);
    }
}
