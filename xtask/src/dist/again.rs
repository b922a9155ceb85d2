//! Whether a build elsewhere is the same: the committed sources in another directory, with another target directory.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use testbed::command::{output, run};
use testbed::paths;

use super::{CHECK_SUMS, time_of_sources};
use crate::build::cargo;
use crate::exit::Outcome;

/// Builds once more, and holds its check sums against those of `first`.
pub(super) fn compare(first: &Path) -> Result<Outcome> {
    let elsewhere = tempfile::Builder::new().prefix("vmnet-elsewhere").tempdir()?;
    let (sources, target) = (elsewhere.path().join("a copy"), elsewhere.path().join("t"));
    fs::create_dir_all(&target)?;
    let status = output(Command::new("git").args(["status", "--porcelain"]).current_dir(paths::workspace()))?;
    if !status.is_empty() {
        bail!("what is built twice is the commit, and there are changes that are in none:\n{status}");
    }
    run(Command::new("git").args(["clone", "--quiet"]).arg(paths::workspace()).arg(&sources))?;
    // The tools are the same in any case, and take minutes to build.
    symlink(paths::target().join("tools"), target.join("tools"))?;
    let mut dist = cargo();
    dist.args(["run", "--quiet", "--package", "xtask", "--", "dist"])
        .current_dir(&sources)
        .env("CARGO_TARGET_DIR", &target)
        .env("SOURCE_DATE_EPOCH", time_of_sources());
    run(&mut dist)?;
    let sums = [first, &target.join("dist")].map(|directory| fs::read_to_string(directory.join(CHECK_SUMS)));
    let [one, other] = sums;
    let (one, other) = (one.context("the first build's sums")?, other.context("the second build's sums")?);
    if one == other {
        println!("built twice, in two directories: equal, byte by byte");
        return Ok(Outcome::Done);
    }
    for (one, other) in one.lines().zip(other.lines()).filter(|(one, other)| one != other) {
        eprintln!("not equal:\n  {one}\n  {other}");
    }
    Ok(Outcome::Failed)
}
