//! `cargo test`, shown as it runs and counted.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, anyhow};
use testbed::command::shown;

use super::summary::{Phase, Skip};

/// Runs it and adds what it says to the phase. That it does not run at all (compile errors) is a failure too.
pub(super) fn run(command: &mut Command, phase: &mut Phase) {
    let failed_before = phase.failed.len();
    match stream(command, phase) {
        Ok(true) => {}
        Ok(false) if phase.failed.len() > failed_before => {}
        Ok(false) => phase.failed.push(format!("`{}` failed", shown(command))),
        Err(error) => phase.failed.push(format!("{error:#}")),
    }
}

fn stream(command: &mut Command, phase: &mut Phase) -> Result<bool> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("`{}` could not be started", shown(command)))?;
    let stdout = child.stdout.take().ok_or_else(|| anyhow!("no standard output"))?;
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        println!("{line}");
        read_line(&line, phase);
    }
    Ok(child.wait()?.success())
}

/// `test NAME ... ok`, `… FAILED`, `… ignored, REASON`.
fn read_line(line: &str, phase: &mut Phase) {
    let Some((name, result)) = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... ")) else {
        return;
    };
    if result == "ok" {
        phase.passed += 1;
    } else if result == "FAILED" {
        phase.failed.push(name.to_owned());
    } else if let Some(reason) = result.strip_prefix("ignored") {
        let reason = reason.trim_start_matches(", ");
        let reason = if reason.is_empty() { "ignored without a reason" } else { reason };
        phase.skipped.push(Skip { name: name.to_owned(), reason: reason.to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passed_failed_and_ignored_tests_are_told_apart() {
        let mut phase = Phase::new("unit tests");
        for line in [
            "running 3 tests",
            "test model::a ... ok",
            "test model::b ... FAILED",
            "test model::c ... ignored, needs patience",
            "test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        ] {
            read_line(line, &mut phase);
        }
        assert_eq!(phase.passed, 1);
        assert_eq!(phase.failed, ["model::b"]);
        assert_eq!(
            phase.skipped,
            [Skip { name: "model::c".to_owned(), reason: "needs patience".to_owned() }]
        );
    }
}
