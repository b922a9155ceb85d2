//! `vmnet kernel`: what this kernel allows.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::{Context, Result};

use crate::{
    kernel::restrictions,
    model::{hook::Hook, sample::Mode},
    probes::survey::{Finding, survey},
};

/// What this kernel allows: each hook, each way, and why not
///
/// Loads and attaches every program for a moment, and leaves nothing behind.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// By the best way that works for the two hooks that decide: what comes to the device, and what is segmented there.
fn what_a_run_sees(findings: &[Finding]) -> &'static str {
    let works = |hook, rungs: &[Mode]| {
        let is_of = |finding: &Finding| finding.way.rung.is_none_or(|rung| rungs.contains(&rung));
        findings.iter().any(|finding| finding.spec.hook == hook && is_of(finding) && finding.result.is_ok())
    };
    if !works(Hook::NetDevQueue, &[Mode::Fentry, Mode::Kprobe, Mode::Tracepoint]) {
        "by the kernel's counters alone (--mode counters), without proof"
    } else if works(Hook::SkbGsoSegment, &[Mode::Fentry]) {
        "by fentry; it sees all: each packet, why it was segmented, and what that took"
    } else if works(Hook::SkbGsoSegment, &[Mode::Kprobe]) {
        "by kprobes; it sees all: each packet, why it was segmented, and what that took"
    } else {
        "by tracepoints; it sees each packet, but not why it was segmented, and estimates from stack samples what that took"
    }
}

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
    text += &format!("\nvmnet run here: {}\n", what_a_run_sees(&findings));
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}
