//! `cargo xtask bench`: what watching costs on this machine. A part is a file; each prints what it found.

pub(crate) mod budget;
mod experiments;
mod hooks;
mod itself;
mod picture;
mod throughput;

use std::fs;

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::{Value, json};
use testbed::command::output;

use crate::exit::Outcome;
use crate::{build, sudo};

#[derive(Debug, Args)]
pub(crate) struct BenchArguments {
    /// Only what takes a minute: each program's length, and nanoseconds an event
    #[arg(long)]
    quick: bool,
    /// Seconds for each figure of throughput
    #[arg(long, default_value_t = 60, conflicts_with = "quick")]
    seconds: u32,
    /// Of the table of throughput only cells with this in their name, such as "1 stream, TSO off, light/off" (repeatable: all of them)
    #[arg(long, conflicts_with = "quick")]
    only: Vec<String>,
    /// Blocks by which `vmnet ab` is held against what is so, half a minute each
    #[arg(long, default_value_t = 0, conflicts_with = "quick")]
    experiments: u32,
}

/// Builds, then measures. Fails where a program is longer than its budget.
pub(crate) fn run(arguments: &BenchArguments) -> Result<Outcome> {
    if !sudo::is_second_start() {
        build::run()?;
        if !arguments.quick {
            build::meter()?;
        }
    }
    if let Some(outcome) = sudo::start_again_as_root()? {
        return Ok(outcome);
    }
    testbed::setup::namespaces()?;
    let lengths = budget::lengths(&build::kernel_side_object())?;
    if std::env::var_os("VMNET_BLESS").is_some() {
        budget::Budget::bless(&lengths)?;
    }
    let budget = budget::Budget::read()?;
    let rounds = if arguments.quick { 1 } else { 3 };
    let hooks = hooks::measure(rounds)?;
    let itself = itself::measure()?;
    let throughput =
        if arguments.quick { None } else { Some(throughput::measure(arguments.seconds, &arguments.only)?) };
    let experiments = match arguments.experiments {
        0 => None,
        blocks => Some(experiments::measure(blocks)?),
    };
    let found = json!({
        "machine": machine()?,
        "instructions": lengths,
        "hooks": hooks,
        "itself": itself,
        "throughput": throughput,
        "experiments": experiments,
    });
    let cells = found["throughput"].as_array().map(Vec::as_slice).unwrap_or_default();
    if let Some(svg) = picture::draw(cells, &found["machine"]) {
        let file = testbed::paths::target().join("bench.svg");
        fs::write(&file, svg).with_context(|| file.display().to_string())?;
        println!("\nits picture: {}", file.display());
    }
    let file = testbed::paths::target().join("bench.json");
    fs::write(&file, serde_json::to_string_pretty(&found)? + "\n")
        .with_context(|| file.display().to_string())?;
    println!("\nall of it: {}", file.display());
    Ok(if budget.check(&lengths) { Outcome::Done } else { Outcome::Failed })
}

/// What the figures are of.
fn machine() -> Result<Value> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let said = |program: &str, argument: &str| output(std::process::Command::new(program).arg(argument));
    Ok(json!({
        "cpu": model.map(|(_, model)| model),
        "cpus": std::thread::available_parallelism()?.get(),
        "kernel": said("uname", "-r")?.trim(),
        "date": said("date", "-I")?.trim(),
    }))
}
