//! Recordings, drawn on this machine by `vmnet report` and `vmnet compare`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use testbed::command::{output, shown};
use testbed::gallery::{
    COMPARISON_HTML, EXPERIMENT_HTML, EXPERIMENT_JSON, RECORDING, REPORT_HTML, REPORT_JSON,
};

/// Draws the recording in `directory`, beside it.
pub(super) fn report(vmnet: &Path, directory: &Path) -> Result<()> {
    // By a name alone, from where it is: no place of this machine gets into what is drawn.
    draw(vmnet, directory, &["report", RECORDING], directory, &[REPORT_HTML, REPORT_JSON])
}

/// Draws the experiment in `directory`, beside its result.
pub(super) fn experiment(vmnet: &Path, directory: &Path) -> Result<()> {
    draw(vmnet, directory, &["report", EXPERIMENT_JSON], directory, &[EXPERIMENT_HTML])
}

/// Draws how two runs compare into `directory`. All three are beside each other.
pub(super) fn comparison(vmnet: &Path, one: &Path, other: &Path, directory: &Path) -> Result<()> {
    fs::create_dir(directory)?;
    let recording = |run: &Path| -> Result<String> {
        let name = run.file_name().and_then(|name| name.to_str()).context("a run without a name")?;
        Ok(format!("{name}/{RECORDING}"))
    };
    let from = directory.parent().context("no directory to compare in")?;
    draw(vmnet, from, &["compare", &recording(one)?, &recording(other)?], directory, &[COMPARISON_HTML])
}

/// Runs `vmnet` in `from`, and takes what it draws to `directory`: these files, and pictures.
fn draw(vmnet: &Path, from: &Path, arguments: &[&str], directory: &Path, expected: &[&str]) -> Result<()> {
    let drawn = tempfile::tempdir_in(from)?;
    let mut command = Command::new(vmnet);
    command.args(arguments).arg("-o").arg(drawn.path().file_name().context("no name")?).current_dir(from);
    output(&mut command)?;
    for path in files_in(drawn.path())? {
        let name = path.file_name().context("a file without a name")?;
        // The recording is there already.
        if name != RECORDING {
            fs::rename(&path, directory.join(name))?;
        }
    }
    for name in expected {
        if !directory.join(name).is_file() {
            bail!("`{}` made no {name}", shown(&command));
        }
    }
    Ok(())
}

/// What is in a directory, or in the only directory in it: a run's files have one of their own.
fn files_in(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path()));
    let paths = entries.collect::<Result<Vec<_>, _>>()?;
    match paths.as_slice() {
        [only] if only.is_dir() => files_in(only),
        _ => Ok(paths),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::{Mutex, PoisonError};

    use super::*;

    /// A program that is being written cannot be run, not even while another thread's child still has it open.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

    /// Stands in for `vmnet`: draws the files named in `drawn` into the directory behind `-o`.
    fn vmnet(directory: &Path, drawn: &str) -> PathBuf {
        let program = directory.join("vmnet");
        let script = format!(
            "#!/bin/sh\nfor last; do :; done\necho \"$@\" >called\n\
             for file in {drawn}; do mkdir -p $(dirname $last/$file); echo drawn >$last/$file; done\n"
        );
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        program
    }

    fn names_in(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names.into_iter().map(|name| name.into_string().unwrap()).collect()
    }

    #[test]
    fn what_is_drawn_of_a_recording_comes_beside_it_and_leaves_it_as_it_was() {
        let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        for place in ["", "20261122-101112-ens4/"] {
            let directory = tempfile::tempdir().unwrap();
            let run = directory.path().join("flip");
            fs::create_dir(&run).unwrap();
            fs::write(run.join(RECORDING), "recorded").unwrap();
            let drawn =
                ["report.html", "run.json", "run.vmnet", "sizes.svg"].map(|name| format!("{place}{name}"));
            report(&vmnet(directory.path(), &drawn.join(" ")), &run).unwrap();
            assert_eq!(names_in(&run), ["called", "report.html", "run.json", "run.vmnet", "sizes.svg"]);
            assert_eq!(fs::read_to_string(run.join(RECORDING)).unwrap(), "recorded");
            let called = fs::read_to_string(run.join("called")).unwrap();
            assert!(called.starts_with("report run.vmnet -o ."), "{called}");
        }
    }

    #[test]
    fn a_comparison_names_its_runs_without_their_place_and_has_to_have_a_page() {
        let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = tempfile::tempdir().unwrap();
        let [one, other, compare] = ["tso-off", "tso-on", "compare"].map(|name| directory.path().join(name));
        comparison(&vmnet(directory.path(), "compare.html delta.svg"), &one, &other, &compare).unwrap();
        assert_eq!(names_in(&compare), ["compare.html", "delta.svg"]);
        let called = fs::read_to_string(directory.path().join("called")).unwrap();
        assert!(called.starts_with("compare tso-off/run.vmnet tso-on/run.vmnet -o ."), "{called}");
        fs::remove_dir_all(&compare).unwrap();
        let none = comparison(&vmnet(directory.path(), "delta.svg"), &one, &other, &compare);
        assert!(none.unwrap_err().to_string().ends_with("made no compare.html"));
    }
}
