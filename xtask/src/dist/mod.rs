//! `cargo xtask dist`: what is handed out, in `target/dist`: one static file, and it in a tar archive, a `.deb` and an `.rpm`, with manual pages,
//! completions and licences; check sums, and a bill of materials.
//!
//! Two builds of one commit are equal, byte by byte, wherever they are made: no path of this machine and no time but the commit's goes in.

mod again;
mod archive;
mod crates;
mod deb;
mod licences;
mod rpm;
mod sbom;
mod stage;
mod static_file;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use clap::Args;
use testbed::command::{captured, output};
use testbed::paths;

use crate::build;
use crate::exit::Outcome;
use crates::Crates;
use stage::Stage;

const VERSION: &str = env!("CARGO_PKG_VERSION");
const ARCHITECTURE: &str = "x86_64";
const CHECK_SUMS: &str = "SHA256SUMS";

#[derive(Debug, Args)]
pub(crate) struct DistArguments {
    /// Build everything once more from a copy of the sources in another directory, and compare, byte by byte
    #[arg(long)]
    twice: bool,
}

/// Builds both sides, packs them, and says what is where.
pub(crate) fn run(arguments: &DistArguments) -> Result<Outcome> {
    let binary = build::run()?;
    let directory = directory();
    let mut files = packages(&binary)?;
    files.push(rpm::pack(&Stage::of(&binary)?, &directory)?);
    check_sums(&directory, &files)?;
    for file in files.iter().chain([&directory.join(CHECK_SUMS)]) {
        println!("{:>9}  {}", size(file)?, file.display());
    }
    if arguments.twice { again::compare(&directory) } else { Ok(Outcome::Done) }
}

/// All but the `.rpm`, whose maker takes a minute to build, from a binary that was built.
pub(crate) fn packages(binary: &Path) -> Result<Vec<PathBuf>> {
    static_file::hold(binary)?;
    let directory = directory();
    fs::create_dir_all(&directory)?;
    let crates = Crates::inside()?;
    let stage = Stage::of(binary)?;
    stage.fill(&crates)?;
    let alone = directory.join(format!("vmnet-{VERSION}-{ARCHITECTURE}"));
    fs::copy(stage.program(), &alone).context("copying the binary")?;
    let files = vec![
        alone,
        archive::pack(&stage, &directory)?,
        deb::pack(&stage, &directory)?,
        sbom::write(&crates, &directory)?,
    ];
    check_sums(&directory, &files)?;
    Ok(files)
}

pub(crate) fn directory() -> PathBuf {
    paths::target().join("dist")
}

fn check_sums(directory: &Path, files: &[PathBuf]) -> Result<()> {
    let names = files.iter().filter_map(|file| file.file_name());
    let sums = output(Command::new("sha256sum").arg("--").args(names).current_dir(directory))?;
    fs::write(directory.join(CHECK_SUMS), sums).context("writing the check sums")
}

fn size(file: &Path) -> Result<String> {
    Ok(format!("{:.2} MB", fs::metadata(file)?.len() as f64 / 1e6))
}

/// Of the sources, seconds since 1970: `SOURCE_DATE_EPOCH`, else the commit's time, else none.
fn time_of_sources() -> String {
    if let Ok(given) = std::env::var("SOURCE_DATE_EPOCH") {
        return given;
    }
    let mut git = Command::new("git");
    git.args(["log", "-1", "--format=%ct"]).current_dir(paths::workspace());
    let said = captured(&mut git).ok().filter(|output| output.status.success());
    let time = said.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    time.filter(|time| !time.is_empty()).unwrap_or_else(|| "0".to_owned())
}
