//! Scenarios: the test binaries `tests/tests/*.rs`. Those named `vm_…` boot virtual machines,
//! those named `browser…` look at reports in a browser.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result};
use testbed::command::is_root;
use testbed::{paths, skip};

use super::libtest;
use super::summary::{Phase, Skip};
use crate::build;

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// In network namespaces of this machine.
    Namespaces,
    /// In virtual machines.
    VirtualMachines,
    /// In a browser.
    Browser,
}

impl Kind {
    /// By the name of the test binary.
    fn of(name: &str) -> Self {
        if name.starts_with("vm_") {
            Self::VirtualMachines
        } else if name.starts_with("browser") {
            Self::Browser
        } else {
            Self::Namespaces
        }
    }
}

/// Runs them one after another, as each wants the machine for itself.
pub(super) fn run(kind: Kind, phase: &mut Phase) {
    if let Err(error) = try_run(kind, phase) {
        phase.failed.push(format!("{error:#}"));
    }
}

fn try_run(kind: Kind, phase: &mut Phase) -> Result<()> {
    let names = names(kind)?;
    if names.is_empty() {
        return Ok(());
    }
    let skips = paths::target().join("skipped-scenarios");
    let _ = fs::remove_file(&skips);
    let mut command = build::cargo();
    command
        .args(["test", "--quiet", "--package", "vmnet-tests", "--no-fail-fast"])
        .env(skip::SKIPS_FILE, &skips);
    if !is_root() {
        // Built by the caller, run by root.
        command.args(["--config", r#"target."cfg(unix)".runner = ["sudo", "--preserve-env"]"#]);
    }
    for name in &names {
        command.args(["--test", name]);
    }
    let one_by_one = ["--", "--test-threads=1", "--format=pretty"];
    libtest::run(command.args(one_by_one), phase);
    if kind == Kind::VirtualMachines {
        once_more(&command, phase);
    }
    let written = fs::read_to_string(&skips).unwrap_or_default();
    for line in written.lines() {
        let (name, reason) = line.split_once('\t').unwrap_or((line, "no reason given"));
        phase.skipped.push(Skip { name: name.to_owned(), reason: reason.to_owned() });
        // For the harness a skipped scenario is one that ended well.
        phase.passed = phase.passed.saturating_sub(1);
    }
    Ok(())
}

/// Guests are emulated on a machine that others use too, and some scenarios hang on how far a guest gets in a second. So what failed is
/// tried once more by itself, and told; what fails twice has failed. Where many fail, something is wrong, and nothing is tried again.
fn once_more(all: &Command, phase: &mut Phase) {
    const MOST: usize = 3;
    if phase.failed.is_empty() || phase.failed.len() > MOST {
        return;
    }
    for name in std::mem::take(&mut phase.failed) {
        println!("\n{name} failed, and is tried once more");
        let mut again = Command::new(all.get_program());
        again.args(all.get_args()).args(["--exact", &name]);
        for (name, value) in all.get_envs() {
            match value {
                Some(value) => again.env(name, value),
                None => again.env_remove(name),
            };
        }
        let mut second = Phase::new("once more");
        libtest::run(&mut again, &mut second);
        if second.failed.is_empty() && second.passed == 1 {
            phase.passed += 1;
            phase.at_second_try.push(name);
        } else {
            phase.failed.push(name);
        }
    }
}

fn names(kind: Kind) -> Result<Vec<String>> {
    let directory = paths::workspace().join("tests/tests");
    let mut names = Vec::new();
    for entry in
        fs::read_dir(&directory).with_context(|| format!("{} could not be read", directory.display()))?
    {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs")
            && let Some(name) = path.file_stem().and_then(|stem| stem.to_str())
            && Kind::of(name) == kind
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says of the last word on its command line that it ended like this.
    fn harness(result: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("for name; do :; done; echo \"test $name ... {result}\""), "sh"]);
        command
    }

    fn after_once_more(result: &str, failed: &[&str]) -> Phase {
        let mut phase = Phase::new("virtual machines");
        phase.failed = failed.iter().map(|name| (*name).to_owned()).collect();
        once_more(&harness(result), &mut phase);
        phase
    }

    #[test]
    fn what_goes_well_at_the_second_try_has_passed_and_is_told() {
        let phase = after_once_more("ok", &["a", "b"]);
        assert_eq!((phase.passed, phase.failed.len()), (2, 0));
        assert_eq!(phase.at_second_try, ["a", "b"]);
    }

    #[test]
    fn what_fails_twice_has_failed_and_where_many_fail_none_is_tried_again() {
        let phase = after_once_more("FAILED", &["a"]);
        assert_eq!((phase.passed, phase.failed, phase.at_second_try.len()), (0, vec!["a".to_owned()], 0));
        let phase = after_once_more("ok", &["a", "b", "c", "d"]);
        assert_eq!((phase.passed, phase.failed.len()), (0, 4));
    }
}
