//! `cargo xtask fuzz`: recordings and pasted texts that nobody wrote, made up by libFuzzer.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};
use clap::Args;
use testbed::command::run;
use testbed::{gallery, paths};

use crate::build::cargo;
use crate::exit::Outcome;

/// In the order in which they are worth it.
const TARGETS: [&str; 3] = ["recording", "counters", "explain"];
/// A recording of a short run on a large machine is less.
const MOST_INPUT_BYTES: u32 = 200_000;
/// A reader that takes more than this at once has trusted a length.
const MOST_ALLOCATION_MIB: u32 = 64;
/// All of it, with what the sanitizer adds.
const MOST_MEMORY_MIB: u32 = 1024;

/// Some hundred edits, in a dozen samples.
const SEED_EDITS_BYTES: usize = 4_400;

#[derive(Debug, Args)]
pub(crate) struct FuzzArguments {
    /// How long each target is run
    #[arg(long, default_value_t = 120)]
    seconds: u32,
    /// One of them; without, all
    #[arg(value_parser = TARGETS)]
    target: Option<String>,
}

/// Installs cargo-fuzz if it is missing, and runs the targets one after the other.
pub(crate) fn fuzz(arguments: &FuzzArguments) -> Result<Outcome> {
    let tools = paths::target().join("tools");
    let program = tools.join("bin/cargo-fuzz");
    if !program.is_file() {
        eprintln!("installing with cargo: cargo-fuzz (a minute)");
        let mut install = cargo();
        install.args(["install", "--quiet", "--locked", "cargo-fuzz", "--root"]).arg(&tools);
        run(install.env_remove("CARGO_TARGET_DIR"))?;
    }
    let wanted = |target: &&str| arguments.target.as_deref().is_none_or(|wanted| wanted == *target);
    for target in TARGETS.into_iter().filter(wanted) {
        let corpus = paths::target().join("fuzz").join(target);
        fs::create_dir_all(&corpus)?;
        match target {
            "explain" => copy_kept(&paths::workspace().join("vmnet-user/src/explain/testdata"), &corpus)?,
            target => seed(&corpus, target == "counters")?,
        }
        copy_kept(&paths::workspace().join("fuzz/seeds").join(target), &corpus)?;
        let mut fuzz = Command::new(&program);
        fuzz.args(["fuzz", "run", "--fuzz-dir"])
            .arg(paths::workspace().join("fuzz"))
            .arg("--target-dir")
            .arg(paths::target().join("fuzz/build"))
            .arg(target)
            .arg(&corpus)
            .arg("--")
            .args([
                format!("-max_total_time={}", arguments.seconds),
                format!("-max_len={MOST_INPUT_BYTES}"),
                format!("-rss_limit_mb={MOST_MEMORY_MIB}"),
                format!("-malloc_limit_mb={MOST_ALLOCATION_MIB}"),
                "-timeout=10".to_owned(),
                // Short inputs are no recordings.
                "-len_control=0".to_owned(),
                "-print_final_stats=1".to_owned(),
            ])
            // The sanitizer is a -Z flag.
            .env("RUSTC_BOOTSTRAP", "1");
        run(&mut fuzz)?;
    }
    Ok(Outcome::Done)
}

/// Inputs that once did harm, kept beside the targets.
fn copy_kept(seeds: &Path, corpus: &Path) -> Result<()> {
    let entries = match fs::read_dir(seeds) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        fs::copy(entry.path(), corpus.join(entry.file_name()))?;
    }
    Ok(())
}

/// Real recordings to begin with. As edits they are as good as chance, so their ends will do.
fn seed(corpus: &Path, as_edits: bool) -> Result<()> {
    let mut seeds = 0;
    for entry in fs::read_dir(gallery::directory())? {
        let directory = entry?.path();
        let recording = directory.join("run.vmnet");
        if let (true, Some(name)) = (recording.is_file(), directory.file_name()) {
            let bytes = fs::read(&recording)?;
            let from = if as_edits { bytes.len().saturating_sub(SEED_EDITS_BYTES) } else { 0 };
            fs::write(corpus.join(name), &bytes[from..])?;
            seeds += 1;
        }
    }
    if seeds == 0 {
        bail!("{} holds no recordings; `cargo xtask gallery` makes them", gallery::directory().display());
    }
    Ok(())
}
