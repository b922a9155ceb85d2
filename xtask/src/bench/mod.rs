//! `cargo xtask bench`: what watching costs on this machine. A part is a file; each prints what it found.

pub(crate) mod budget;
mod hooks;
mod throughput;

use anyhow::Result;
use clap::Args;

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
    let budget = budget::Budget::read()?;
    let lengths = budget::lengths(&build::kernel_side_object())?;
    let rounds = if arguments.quick { 1 } else { 3 };
    hooks::measure(rounds)?;
    if !arguments.quick {
        throughput::measure(arguments.seconds)?;
    }
    Ok(if budget.check(&lengths) { Outcome::Done } else { Outcome::Failed })
}
