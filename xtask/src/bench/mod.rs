//! `cargo xtask bench`: what watching costs on this machine. A part is a file; each prints what it found.

pub(crate) mod budget;
mod hooks;

use anyhow::Result;
use clap::Args;

use crate::exit::Outcome;
use crate::{build, sudo};

#[derive(Debug, Args)]
pub(crate) struct BenchArguments {
    /// Only what takes a minute: each program's length, and nanoseconds an event
    #[arg(long)]
    quick: bool,
}

/// Builds, then measures. Fails where a program is longer than its budget.
pub(crate) fn run(arguments: &BenchArguments) -> Result<Outcome> {
    if !sudo::is_second_start() {
        build::run()?;
    }
    if let Some(outcome) = sudo::start_again_as_root()? {
        return Ok(outcome);
    }
    testbed::setup::namespaces()?;
    let budget = budget::Budget::read()?;
    let lengths = budget::lengths(&build::kernel_side_object())?;
    let rounds = if arguments.quick { 1 } else { 3 };
    hooks::measure(rounds)?;
    Ok(if budget.check(&lengths) { Outcome::Done } else { Outcome::Failed })
}
