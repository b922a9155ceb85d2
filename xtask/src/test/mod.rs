//! `cargo xtask test`: every test that this machine can run, and by name and reason what it cannot.

mod binaries;
mod harness;
mod scenarios;
mod summary;

use std::thread;
use std::time::Instant;

use anyhow::{Result, bail};
use clap::Args;
use testbed::{Kernel, OvsDpdk, interrupt};

use crate::bench::budget;
use crate::build;
use crate::dist;
use crate::exit::Outcome;
use binaries::{Binary, Kind};
use harness::Selection;
use summary::{Phase, Summary};

/// Scenarios of what `cargo xtask dist` makes.
const TRY_PACKAGES: [&str; 2] = ["ns_dist", "vm_static"];

#[derive(Debug, Args)]
pub(crate) struct TestArguments {
    /// Only tests with this in their name, such as vm_exact or vm_check::the_other_end
    #[arg(conflicts_with_all = ["fast", "vm"])]
    name: Option<String>,
    /// Names every test and runs none
    #[arg(long, conflicts_with_all = ["fast", "vm"])]
    list: bool,
    /// Format, lints and unit tests only: no root, no kernel side
    #[arg(long, conflicts_with = "vm")]
    fast: bool,
    /// Virtual machines only
    #[arg(long)]
    vm: bool,
}

/// Runs what was asked for. What one phase finds does not keep the next from running.
pub(crate) fn run(arguments: &TestArguments) -> Result<Outcome> {
    if arguments.list {
        return list(arguments.name.as_deref());
    }
    match &arguments.name {
        Some(name) => named(name),
        None if arguments.fast => Ok(fast()),
        None if arguments.vm => virtual_machines(),
        None => everything(),
    }
}

/// Lints and unit tests beside downloads and the release build, then scenarios side by side.
fn everything() -> Result<Outcome> {
    let mut summary = Summary::of(&summary::ALL);
    let (binaries, phases) = beside(
        || {
            let (build, binaries) = build_tests();
            let units = unit_tests(&binaries);
            (binaries, vec![format(), build, units])
        },
        || vec![set_up(&Kind::SCENARIOS), build_both_sides(true), clippy_of_the_kernel_side()],
    );
    phases.into_iter().for_each(|phase| summary.add(phase));
    interrupt::check()?;
    scenarios::all(&binaries).into_iter().for_each(|phase| summary.add(phase));
    Ok(summary.print())
}

fn fast() -> Outcome {
    let mut summary = Summary::of(&summary::FAST);
    let (build, binaries) = build_tests();
    for phase in [format(), build, clippy_of_the_kernel_side(), unit_tests(&binaries)] {
        summary.add(phase);
    }
    summary.print()
}

fn virtual_machines() -> Result<Outcome> {
    let mut summary = Summary::of(&summary::VIRTUAL_MACHINES);
    let (binaries, phases) = beside(
        || {
            let (build, binaries) = build_tests();
            (binaries, vec![build])
        },
        || vec![set_up(&[Kind::VirtualMachines]), build_both_sides(true)],
    );
    phases.into_iter().for_each(|phase| summary.add(phase));
    interrupt::check()?;
    let guests: Vec<&Binary> =
        binaries.iter().filter(|binary| binary.kind == Kind::VirtualMachines).collect();
    scenarios::side_by_side(&guests).into_iter().for_each(|phase| summary.add(phase));
    Ok(summary.print())
}

/// The tests of that name, with what they need.
fn named(name: &str) -> Result<Outcome> {
    let mut summary = Summary::of(&[]);
    let (build, binaries) = build_tests();
    summary.add(build);
    let mut chosen = Vec::new();
    for binary in &binaries {
        let tests = binary.tests_named(name)?;
        if !tests.is_empty() {
            chosen.push((binary, tests));
        }
    }
    if chosen.is_empty() {
        bail!("no test has `{name}` in its name; `cargo xtask test --list` names them all");
    }
    let mut kinds: Vec<Kind> = chosen.iter().map(|(binary, _)| binary.kind).collect();
    kinds.dedup();
    if kinds.iter().any(|kind| *kind != Kind::Unit) {
        summary.add(set_up(&kinds));
        let packed = chosen.iter().any(|(binary, _)| TRY_PACKAGES.contains(&binary.name.as_str()));
        summary.add(build_both_sides(packed));
    }
    summary.add(phase("tests", |phase| {
        for (binary, tests) in &chosen {
            scenarios::run_some(binary, tests, phase);
        }
    }));
    Ok(summary.print())
}

fn list(name: Option<&str>) -> Result<Outcome> {
    let (build, binaries) = build_tests();
    for binary in &binaries {
        for test in binary.tests_named(name.unwrap_or_default())? {
            println!("{}::{test}", binary.name);
        }
    }
    Ok(if build.failed.is_empty() { Outcome::Done } else { Outcome::Failed })
}

/// Both at once, and the phases of both in one list.
fn beside<T>(
    here: impl FnOnce() -> (T, Vec<Phase>),
    there: impl FnOnce() -> Vec<Phase> + Send,
) -> (T, Vec<Phase>) {
    thread::scope(|scope| {
        let there = scope.spawn(there);
        let (value, mut phases) = here();
        match there.join() {
            Ok(more) => phases.extend(more),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        (value, phases)
    })
}

fn format() -> Phase {
    phase("format", |phase| {
        phase.count(testbed::command::run(build::cargo().args(["fmt", "--all", "--check"])));
    })
}

fn build_tests() -> (Phase, Vec<Binary>) {
    let mut built = Vec::new();
    let phase = phase("tests built, linted", |phase| built = binaries::build(phase));
    (phase, built)
}

fn unit_tests(binaries: &[Binary]) -> Phase {
    phase("unit tests", |phase| {
        for binary in binaries.iter().filter(|binary| binary.kind == Kind::Unit) {
            harness::run(binary, &Selection::default(), phase);
        }
    })
}

/// `packed`: as they are handed out as well, which takes some seconds.
fn build_both_sides(packed: bool) -> Phase {
    phase("release build", |phase| {
        let built = build::run();
        let packages = match &built {
            Ok(binary) if packed => dist::packages(binary).map(drop),
            _ => Ok(()),
        };
        phase.count(built.and_then(|_| budget::hold()));
        phase.require(packages);
    })
}

/// For the target of this machine, as no toolchain for the kernel side brings clippy: nothing is linked or run. Its
/// panic handler has to be there under `cfg(clippy)`.
fn clippy_of_the_kernel_side() -> Phase {
    phase("kernel side linted", |phase| {
        let mut clippy = build::cargo();
        clippy.args([
            "clippy",
            "--quiet",
            "--package",
            "vmnet-ebpf",
            "--config",
            r#"profile.dev.panic="abort""#,
        ]);
        // Apart, as the other profile would have everything built again at each turn.
        clippy
            .arg("--target-dir")
            .arg(testbed::paths::target().join("ebpf-clippy"))
            .args(["--", "-D", "warnings"]);
        phase.count(testbed::command::run(&mut clippy));
    })
}

/// Installs and fetches what tests of these kinds use, where it is missing.
fn set_up(kinds: &[Kind]) -> Phase {
    phase("set up", |phase| {
        phase.require(testbed::setup::namespaces());
        if kinds.contains(&Kind::Namespaces) {
            phase.require(testbed::setup::consumers());
            for suite in testbed::roots::SUITES {
                match testbed::roots::fetch(suite) {
                    Err(error) if suite == Kernel::Sid.suite() => {
                        eprintln!("Debian sid is not to be had today: {error:#}");
                    }
                    fetched => phase.require(fetched),
                }
            }
        }
        if kinds.contains(&Kind::Browser) {
            phase.require(testbed::setup::browser());
        }
        if kinds.contains(&Kind::VirtualMachines) {
            phase.require(testbed::setup::virtual_machines());
            phase.require(OvsDpdk::fetch().map(drop));
            fetch_kernels(phase);
        }
    })
}

fn fetch_kernels(phase: &mut Phase) {
    for (kernel, build, files) in testbed::setup::kernels() {
        match files {
            Ok(_) => {}
            // Its scenarios say that they are skipped; unstable may be broken on any day.
            Err(error) if kernel == Kernel::Sid => {
                eprintln!("kernel sid, {build}, is not to be had today: {error:#}");
            }
            Err(error) => phase.require(Err(error)),
        }
    }
}

fn phase(name: &'static str, work: impl FnOnce(&mut Phase)) -> Phase {
    eprintln!("\n== {name} ==");
    let mut phase = Phase::new(name);
    let started = Instant::now();
    work(&mut phase);
    phase.duration = started.elapsed();
    phase
}
