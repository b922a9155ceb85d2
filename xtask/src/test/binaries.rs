//! Every test binary of the workspace, built once and linted as it is built.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::Value;
use testbed::command::{output, shown};

use super::summary::Phase;
use crate::build;

/// The crate whose integration tests are scenarios.
const SCENARIOS: &str = "vmnet-tests";

/// What its tests need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Nothing but itself.
    Unit,
    /// Network namespaces of this machine.
    Namespaces,
    /// A browser.
    Browser,
    /// Virtual machines.
    VirtualMachines,
}

impl Kind {
    /// All that need more than themselves.
    pub(super) const SCENARIOS: [Self; 3] = [Self::Namespaces, Self::Browser, Self::VirtualMachines];

    /// Scenarios go by the name of their binary.
    fn of(package: &str, target: &str, is_scenario: bool) -> Self {
        if !is_scenario || package != SCENARIOS {
            Self::Unit
        } else if target.starts_with("vm_") {
            Self::VirtualMachines
        } else if target.starts_with("browser") {
            Self::Browser
        } else {
            Self::Namespaces
        }
    }
}

/// A program that runs tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binary {
    /// What its tests need.
    pub(super) kind: Kind,
    /// `vm_exact`; of unit tests the crate's name.
    pub(super) name: String,
    /// The file.
    pub(super) program: PathBuf,
    /// Where cargo would run it: the package's directory.
    pub(super) directory: PathBuf,
}

/// Builds them all with clippy as the compiler (as `cargo clippy` checks), so that tests and lints share one build. A warning
/// fails the phase, as in `cargo clippy -- -D warnings`. What could not be built is a failure too.
pub(super) fn build(phase: &mut Phase) -> Vec<Binary> {
    let mut binaries = Vec::new();
    let outcome = try_build(&mut binaries, phase);
    phase.count(outcome);
    // In the same order whatever cargo finished first.
    binaries.sort_by(|left, right| left.name.cmp(&right.name));
    binaries
}

fn try_build(binaries: &mut Vec<Binary>, phase: &mut Phase) -> Result<()> {
    let mut cargo = build::cargo();
    cargo.args(["test", "--no-run", "--all-targets", "--workspace", "--exclude", "vmnet-ebpf"]).args([
        "--features",
        "vmnet-common/user",
        "--message-format",
        "json-diagnostic-rendered-ansi",
    ]);
    cargo.env("RUSTC_WORKSPACE_WRAPPER", clippy_driver()?);
    let mut child = cargo
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("`{}` could not be started", shown(&cargo)))?;
    let stdout = child.stdout.take().ok_or_else(|| anyhow!("no standard output"))?;
    let mut warnings = 0;
    for line in BufReader::new(stdout).lines() {
        let message: Value = serde_json::from_str(&line?).context("cargo's messages")?;
        binaries.extend(binary_of(&message));
        if let Some(said) = said_of_code(&message) {
            eprint!("{said}");
            warnings += 1;
        }
    }
    if !child.wait()?.success() {
        bail!("`{}` failed", shown(&cargo));
    }
    // Built: that is one check, and free of warnings is the other.
    phase.passed += 1;
    if warnings > 0 {
        bail!("clippy warns {warnings} times");
    }
    Ok(())
}

/// A warning or an error, as the compiler would print it. None for anything else that cargo says.
fn said_of_code(message: &Value) -> Option<&str> {
    let is_one = message["reason"] == "compiler-message"
        && ["warning", "error"].iter().any(|level| message["message"]["level"] == *level);
    is_one.then(|| message["message"]["rendered"].as_str().unwrap_or("a warning without words\n"))
}

/// What cargo says of a test binary that it has made. None for anything else it says.
fn binary_of(message: &Value) -> Option<Binary> {
    if message["reason"] != "compiler-artifact" || message["profile"]["test"] != true {
        return None;
    }
    let directory = Path::new(message["manifest_path"].as_str()?).parent()?;
    let package = directory.file_name()?.to_str()?;
    let package = if package == "tests" { SCENARIOS } else { package };
    let target = &message["target"];
    let name = target["name"].as_str()?;
    let is_scenario = target["kind"].as_array()?.iter().any(|kind| kind == "test");
    let kind = Kind::of(package, name, is_scenario);
    Some(Binary {
        kind,
        name: if kind == Kind::Unit { package.to_owned() } else { name.to_owned() },
        program: message["executable"].as_str()?.into(),
        directory: directory.to_path_buf(),
    })
}

/// Beside the compiler of this workspace.
fn clippy_driver() -> Result<PathBuf> {
    let driver = build::sysroot()?.join("bin/clippy-driver");
    if !driver.is_file() {
        bail!("{} is not there: `rustup component add clippy`", driver.display());
    }
    Ok(driver)
}

impl Binary {
    /// Those of its tests that `wanted` names: as a part of their name, or as the binary's.
    pub(super) fn tests_named(&self, wanted: &str) -> Result<Vec<String>> {
        let mut tests = self.tests()?;
        tests.retain(|test| self.name == wanted || format!("{}::{test}", self.name).contains(wanted));
        Ok(tests)
    }

    /// The names of its tests.
    pub(super) fn tests(&self) -> Result<Vec<String>> {
        let listed = output(Command::new(&self.program).args(["--list", "--format", "terse"]))?;
        Ok(listed.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn artifact(package: &str, target: &str, kind: &str, test: bool) -> Value {
        json!({
            "reason": "compiler-artifact", "manifest_path": format!("/w/{package}/Cargo.toml"),
            "target": {"name": target, "kind": [kind]}, "profile": {"test": test}, "executable": "/w/target/x",
        })
    }

    #[test]
    fn a_test_binary_is_known_by_what_cargo_says_of_it() {
        let kind = |package, target, kind, test| {
            binary_of(&artifact(package, target, kind, test)).map(|binary| binary.kind)
        };
        assert_eq!(kind("tests", "vm_exact", "test", true), Some(Kind::VirtualMachines));
        assert_eq!(kind("tests", "browser_itself", "test", true), Some(Kind::Browser));
        assert_eq!(kind("tests", "ns_run", "test", true), Some(Kind::Namespaces));
        assert_eq!(kind("tests", "testbed", "lib", true), Some(Kind::Unit));
        assert_eq!(kind("vmnet-user", "vmnet", "bin", true), Some(Kind::Unit));
        assert_eq!(kind("vmnet-user", "vmnet", "bin", false), None);
        assert_eq!(binary_of(&json!({"reason": "build-finished"})), None);
    }

    #[test]
    fn a_warning_is_heard_though_cargo_goes_on() {
        let message =
            |level| json!({"reason": "compiler-message", "message": {"level": level, "rendered": "odd"}});
        assert_eq!(said_of_code(&message("warning")), Some("odd"));
        assert_eq!(said_of_code(&message("note")), None);
    }
}
