//! `vmnet kernel`: what this kernel allows.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::{Context, Result};

use crate::{kernel::restrictions, probes::survey::survey};

/// What this kernel allows: each hook, each way, and why not
///
/// Loads and attaches every program for a moment, and leaves nothing behind.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_: &Args) -> Result<ExitCode> {
    let findings = survey()
        .context("no hook can be tried; `vmnet run --mode counters` needs neither programs nor root")?;
    let mut text = String::new();
    let mut last = "";
    for finding in &findings {
        if finding.spec.name != last {
            text += &format!("{:<20} {}\n", finding.spec.name, finding.spec.purpose);
            last = finding.spec.name;
        }
        let result = match &finding.result {
            Ok(()) => "works".to_owned(),
            Err(reason) => format!("no: {reason}"),
        };
        text += &format!("    {:<18} {result}\n", finding.way.name());
    }
    let refusals = findings.iter().filter_map(|finding| finding.result.as_ref().err());
    if let Some(setting) = refusals.filter_map(|reason| restrictions::behind(reason)).next() {
        text += &format!("\n{setting}\n");
    }
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}
