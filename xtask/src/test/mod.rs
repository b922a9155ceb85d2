//! `cargo xtask test`: every test that this machine can run, and by name and reason what it cannot.

mod libtest;
mod scenarios;
mod summary;

use std::process::Command;
use std::time::Instant;

use anyhow::Result;
use clap::Args;
use testbed::{Kernel, OvsDpdk, interrupt};

use crate::bench::budget;
use crate::build;
use crate::exit::Outcome;
use scenarios::Kind;
use summary::{Phase, Summary};

#[derive(Debug, Args)]
pub(crate) struct TestArguments {
    /// Format, lints and unit tests only: no root, no kernel side
    #[arg(long, conflicts_with = "vm")]
    fast: bool,
    /// Virtual machines only
    #[arg(long)]
    vm: bool,
}

/// Runs the phases in order. What one of them finds does not keep the next from running.
pub(crate) fn run(arguments: &TestArguments) -> Result<Outcome> {
    let mut summary = Summary::default();
    if !arguments.vm {
        summary.add(check("format", build::cargo().args(["fmt", "--all", "--check"])));
        summary.add(check(
            "clippy",
            build::cargo().args(["clippy", "--quiet", "--all-targets", "--", "-D", "warnings"]),
        ));
        summary.add(clippy_of_the_kernel_side());
        summary.add(unit_tests());
    }
    if !arguments.fast {
        interrupt::check()?;
        summary.add(phase("build", |phase| phase.count(build::run().and_then(|_| budget::hold()))));
        if !arguments.vm {
            summary.add(phase("namespaces", |phase| {
                phase.require(testbed::setup::namespaces());
                phase.require(testbed::setup::consumers());
                scenarios::run(Kind::Namespaces, phase);
            }));
            interrupt::check()?;
            summary.add(phase("browser", |phase| {
                phase.require(testbed::setup::browser());
                scenarios::run(Kind::Browser, phase);
            }));
        }
        interrupt::check()?;
        summary.add(phase("virtual machines", |phase| {
            phase.require(testbed::setup::virtual_machines());
            phase.require(OvsDpdk::fetch().map(drop));
            for kernel in Kernel::ALL {
                match kernel.fetch() {
                    Ok(_) => {}
                    // Its scenarios say that they are skipped; unstable may be broken on any day.
                    Err(error) if kernel == Kernel::Sid => {
                        eprintln!("kernel sid is not to be had today: {error:#}");
                    }
                    Err(error) => phase.require(Err(error)),
                }
            }
            scenarios::run(Kind::VirtualMachines, phase);
        }));
    }
    Ok(summary.print())
}

/// For the target of this machine, as no toolchain for the kernel side brings clippy: nothing is linked or run. Its
/// panic handler has to be there under `cfg(clippy)`.
fn clippy_of_the_kernel_side() -> Phase {
    let mut clippy = build::cargo();
    clippy.args(["clippy", "--quiet", "--package", "vmnet-ebpf", "--config", r#"profile.dev.panic="abort""#]);
    // Apart, as the other profile would have everything built again at each turn.
    clippy
        .arg("--target-dir")
        .arg(testbed::paths::target().join("ebpf-clippy"))
        .args(["--", "-D", "warnings"]);
    check("clippy, kernel side", &mut clippy)
}

fn unit_tests() -> Phase {
    phase("unit tests", |phase| {
        let all = ["test", "--workspace", "--exclude", "vmnet-ebpf", "--exclude", "vmnet-tests"];
        libtest::run(
            build::cargo().args(all).args(["--features", "vmnet-common/user", "--no-fail-fast"]),
            phase,
        );
        libtest::run(
            build::cargo().args(["test", "--package", "vmnet-tests", "--lib", "--no-fail-fast"]),
            phase,
        );
    })
}

fn check(name: &'static str, command: &mut Command) -> Phase {
    phase(name, |phase| phase.count(testbed::command::run(command)))
}

fn phase(name: &'static str, work: impl FnOnce(&mut Phase)) -> Phase {
    eprintln!("\n== {name} ==");
    let mut phase = Phase::new(name);
    let started = Instant::now();
    work(&mut phase);
    phase.duration = started.elapsed();
    phase
}
