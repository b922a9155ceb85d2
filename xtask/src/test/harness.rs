//! One test binary, run and read: which tests passed, failed or were left out, and how long each took.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use testbed::command::{is_root, shown};

use super::binaries::{Binary, Kind};
use super::summary::{Phase, Skip, Timed};

/// How one run of it differs from another.
#[derive(Debug, Default, Clone)]
pub(super) struct Selection<'a> {
    /// These tests alone; all where there are none.
    pub(super) tests: &'a [String],
    /// Environment of the run, such as where skips are written to.
    pub(super) environment: &'a [(&'static str, std::path::PathBuf)],
}

/// Runs it, shows what it says when it has ended, and adds it to the phase. That it does not run at all is a failure too.
pub(super) fn run(binary: &Binary, selection: &Selection<'_>, phase: &mut Phase) {
    let failed_before = phase.failed.len();
    let mut command = command(binary, selection);
    match stream(&mut command, binary, phase) {
        Ok(true) => {}
        Ok(false) if phase.failed.len() > failed_before => {}
        Ok(false) => phase.failed.push(format!("`{}` failed", shown(&command))),
        Err(error) => phase.failed.push(format!("{error:#}")),
    }
}

fn command(binary: &Binary, selection: &Selection<'_>) -> Command {
    // Built by the caller, run by root where root is needed.
    let mut command = if binary.kind == Kind::Unit || is_root() {
        Command::new(&binary.program)
    } else {
        let mut command = Command::new("sudo");
        command.arg("--preserve-env").arg(&binary.program);
        command
    };
    // Of the options that a stable harness hides, the times alone are used.
    command.args(["-Z", "unstable-options", "--report-time", "--format=pretty"]).env("RUSTC_BOOTSTRAP", "1");
    if binary.kind != Kind::Unit {
        // Each wants its part of the machine for itself.
        command.arg("--test-threads=1");
    }
    if !selection.tests.is_empty() {
        command.arg("--exact").args(selection.tests);
    }
    command.current_dir(&binary.directory).env("CARGO_MANIFEST_DIR", &binary.directory);
    for (name, value) in selection.environment {
        command.env(name, value);
    }
    command
}

/// Results are shown as they come, as several binaries may run at once; what a failure has to say, in one piece.
fn stream(command: &mut Command, binary: &Binary, phase: &mut Phase) -> Result<bool> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("`{}` could not be started", shown(command)))?;
    let stdout = child.stdout.take().ok_or_else(|| anyhow!("no standard output"))?;
    let mut details = String::new();
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        match Outcome::of(&line) {
            Some(outcome) => {
                println!("{}: {line}", binary.name);
                phase.take(binary, outcome);
            }
            None => details.push_str(&format!("{line}\n")),
        }
    }
    let succeeded = child.wait()?.success();
    if !succeeded {
        // A reader who has left ends nothing here.
        let _ = writeln!(std::io::stdout(), "\n---- {} ----\n{details}", shown(command));
    }
    Ok(succeeded)
}

/// What the harness says of one test.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Outcome<'a> {
    Passed(&'a str, Duration),
    Failed(&'a str, Duration),
    Ignored(&'a str, &'a str),
}

impl<'a> Outcome<'a> {
    /// `test NAME ... ok <0.012s>`, `… FAILED <1.000s>`, `… ignored, REASON`. None for any other line.
    fn of(line: &'a str) -> Option<Self> {
        let (name, result) = line.strip_prefix("test ")?.split_once(" ... ")?;
        if let Some(reason) = result.strip_prefix("ignored") {
            let reason = reason.split(" <").next().unwrap_or_default().trim_start_matches(", ");
            return Some(Self::Ignored(
                name,
                if reason.is_empty() { "ignored without a reason" } else { reason },
            ));
        }
        let took = result.split_once('<').and_then(|(_, time)| time.strip_suffix("s>")?.parse().ok());
        let took = took.map(Duration::from_secs_f64).unwrap_or_default();
        match result.split(' ').next()? {
            "ok" => Some(Self::Passed(name, took)),
            "FAILED" => Some(Self::Failed(name, took)),
            _ => None,
        }
    }
}

impl Phase {
    fn take(&mut self, binary: &Binary, outcome: Outcome<'_>) {
        let full = |name: &str| format!("{}::{name}", binary.name);
        match outcome {
            Outcome::Passed(name, took) => {
                self.passed += 1;
                self.times.push(Timed { name: full(name), took });
            }
            Outcome::Failed(name, took) => {
                self.failed.push(full(name));
                self.times.push(Timed { name: full(name), took });
            }
            Outcome::Ignored(name, reason) => {
                self.skipped.push(Skip { name: full(name), reason: reason.to_owned() });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passed_failed_and_ignored_tests_are_told_apart_and_timed() {
        let ms = Duration::from_millis;
        for (line, expected) in [
            ("running 3 tests", None),
            ("test model::a ... ok <0.250s>", Some(Outcome::Passed("model::a", ms(250)))),
            ("test model::b ... FAILED <1.000s>", Some(Outcome::Failed("model::b", ms(1000)))),
            (
                "test model::c ... ignored, needs patience",
                Some(Outcome::Ignored("model::c", "needs patience")),
            ),
            ("test model::d ... ok", Some(Outcome::Passed("model::d", ms(0)))),
            ("test result: FAILED. 1 passed; 1 failed; 1 ignored; finished in 0.00s", None),
        ] {
            assert_eq!(Outcome::of(line), expected, "{line}");
        }
    }

    fn binary(result: &str) -> (tempfile::TempDir, Binary) {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("harness");
        std::fs::write(&program, format!("#!/bin/sh\n{result}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = directory.path().to_path_buf();
        (directory, Binary { kind: Kind::Unit, name: "odd".to_owned(), program, directory: path })
    }

    #[test]
    fn a_binary_that_ends_badly_without_a_failed_test_has_failed_all_the_same() {
        let (_kept, binary) = binary("echo 'test a ... ok <0.001s>'; exit 101");
        let mut phase = Phase::new("odd");
        run(&binary, &Selection::default(), &mut phase);
        assert_eq!((phase.passed, phase.failed.len()), (1, 1));
    }
}
