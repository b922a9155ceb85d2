//! Recordings, drawn on this machine by `vmnet report` and `vmnet compare`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use testbed::command::{output, shown};
use testbed::gallery::{COMPARISON_HTML, RECORDING, REPORT_HTML, REPORT_JSON};

/// Draws the recording in `directory`, beside it.
pub(super) fn report(directory: &Path) -> Result<()> {
    // By a name alone, from where it is: no place of this machine gets into what is drawn.
    draw(directory, &["report", RECORDING], directory, &[REPORT_HTML, REPORT_JSON])
}

/// Draws how two runs compare into `directory`. All three are beside each other.
pub(super) fn comparison(one: &Path, other: &Path, directory: &Path) -> Result<()> {
    fs::create_dir(directory)?;
    let recording = |run: &Path| -> Result<String> {
        let name = run.file_name().and_then(|name| name.to_str()).context("a run without a name")?;
        Ok(format!("{name}/{RECORDING}"))
    };
    let from = directory.parent().context("no directory to compare in")?;
    draw(from, &["compare", &recording(one)?, &recording(other)?], directory, &[COMPARISON_HTML])
}

/// Runs `vmnet` in `from`, and takes what it draws to `directory`: these files, and pictures.
fn draw(from: &Path, arguments: &[&str], directory: &Path, expected: &[&str]) -> Result<()> {
    let drawn = tempfile::tempdir_in(from)?;
    let mut vmnet = Command::new(testbed::paths::vmnet());
    vmnet.args(arguments).arg("-o").arg(drawn.path().file_name().context("no name")?).current_dir(from);
    output(&mut vmnet)?;
    for path in files_in(drawn.path())? {
        let name = path.file_name().context("a file without a name")?;
        // The recording is there already.
        if name != RECORDING {
            fs::rename(&path, directory.join(name))?;
        }
    }
    for name in expected {
        if !directory.join(name).is_file() {
            bail!("`{}` made no {name}", shown(&vmnet));
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
