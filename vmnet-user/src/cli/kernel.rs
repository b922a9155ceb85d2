//! `vmnet kernel`: what this kernel allows.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::{Context, Result};

use crate::{
    kernel::restrictions,
    model::sample::Mode,
    probes::survey::{Finding, survey},
};

/// What this kernel allows: each hook, each way, and why not
///
/// Loads and attaches every program for a moment, and leaves nothing behind.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// By the best way that works for the two hooks that decide: what comes to the device, and what is segmented there.
fn what_a_run_sees(findings: &[Finding]) -> &'static str {
    let works = |hook: &str, rung: Mode| {
        let is_it = |finding: &&Finding| {
            finding.spec.name == hook
                && finding.way.rung.is_none_or(|of| of == rung)
                && finding.result.is_ok()
        };
        findings.iter().any(|finding| is_it(&finding))
    };
    let queue = findings.iter().any(|finding| finding.spec.name == "net_dev_queue" && finding.result.is_ok());
    match [Mode::Fentry, Mode::Kprobe].into_iter().find(|rung| works("__skb_gso_segment", *rung)) {
        Some(Mode::Fentry) if queue => {
            "by fentry; it sees all: each packet, why it was segmented, and what that took"
        }
        Some(_) if queue => "by kprobes; it sees all: each packet, why it was segmented, and what that took",
        None if queue => {
            "by tracepoints; it sees each packet, but not why it was segmented, and estimates from stack samples what that took"
        }
        _ => "by the kernel's counters alone (--mode counters), without proof",
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
