//! `vmnet kernel`: what this kernel allows.

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::probes::survey::survey;

/// What this kernel allows: each hook, each way, and why not
///
/// Loads and attaches every program for a moment, and leaves nothing behind.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_: &Args) -> Result<ExitCode> {
    let findings = survey()
        .context("no hook can be tried; `vmnet run --mode counters` needs neither programs nor root")?;
    let mut last = "";
    for finding in &findings {
        if finding.spec.name != last {
            println!("{:<20} {}", finding.spec.name, finding.spec.purpose);
            last = finding.spec.name;
        }
        match &finding.result {
            Ok(()) => println!("    {:<18} works", finding.way.name()),
            Err(reason) => println!("    {:<18} no: {reason}", finding.way.name()),
        }
    }
    Ok(ExitCode::SUCCESS)
}
