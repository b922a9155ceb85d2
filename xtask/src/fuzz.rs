//! `cargo xtask fuzz`: inputs that nobody wrote, made up by libFuzzer. An ordinary test changes the same seeds for seconds, without it
//! (`vmnet-user/src/fuzzing/tests.rs`).

use std::fs;
use std::process::Command;

use anyhow::Result;
use clap::Args;
use testbed::command::run;
use testbed::{fuzz, paths};

use crate::build::cargo;
use crate::exit::Outcome;

/// A recording of a short run on a large machine is less.
const MOST_INPUT_BYTES: u32 = 200_000;
/// A reader that takes more than this at once has trusted a length.
const MOST_ALLOCATION_MIB: u32 = 64;
/// All of it, with what the sanitizer adds.
const MOST_MEMORY_MIB: u32 = 1024;

#[derive(Debug, Args)]
pub(crate) struct FuzzArguments {
    /// How long each target is run
    #[arg(long, default_value_t = 120)]
    seconds: u32,
    /// One of them; without, all
    #[arg(value_parser = fuzz::TARGETS.map(|(name, _)| name))]
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
    for target in fuzz::TARGETS.map(|(name, _)| name).iter().filter(|target| wanted(target)) {
        let corpus = paths::target().join("fuzz").join(target);
        fs::create_dir_all(&corpus)?;
        for seed in fuzz::seeds(target)? {
            fs::write(corpus.join(seed.name), seed.bytes)?;
        }
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
                // The worst seed takes a quarter of a second; with the sanitizer, beside other work, a hundred times that.
                "-timeout=60".to_owned(),
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
