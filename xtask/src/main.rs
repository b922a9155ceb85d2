//! Automation: `cargo xtask …`. What a command needs and does not find, it fetches by itself.

mod bench;
mod build;
mod demo;
mod dist;
mod exit;
mod fuzz;
mod gallery;
mod run;
mod setup;
mod soak;
mod sudo;
mod test;
mod vm;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use exit::Outcome;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Build, test and demonstrate vmnet")]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Build both sides, release: target/release/vmnet
    Build,
    /// Build, then profile an interface of this machine: run -- IFACE [options] [-- COMMAND…]
    Run(run::RunArguments),
    /// Two network namespaces, TSO on then off: both verdicts and their reports
    Demo,
    /// What watching costs here: each program's nanoseconds and length
    Bench(bench::BenchArguments),
    /// What is handed out: one static file, and it in .tar.gz, .deb and .rpm, under target/dist
    Dist(dist::DistArguments),
    /// Every test that this machine can run
    Test(test::TestArguments),
    /// Boot a Debian kernel in QEMU with a real virtio-net ens4, and run a command there
    Vm(vm::VmArguments),
    /// Make reports/gallery anew: real runs in virtual machines, drawn and compared
    Gallery(gallery::GalleryArguments),
    /// Feed made-up recordings to what reads them, for a while
    Fuzz(fuzz::FuzzArguments),
    /// Commands in random order under load, killed, stopped and misled: nothing may be left, no answer false
    Soak(soak::SoakArguments),
    /// Fetch now what the other commands fetch when they need it
    Setup,
}

fn main() -> ExitCode {
    testbed::interrupt::watch();
    match perform(Arguments::parse().command) {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: Task) -> Result<Outcome> {
    match task {
        Task::Build => build::run().map(|binary| {
            println!("{}", binary.display());
            Outcome::Done
        }),
        Task::Run(arguments) => run::run(&arguments),
        Task::Demo => demo::run(),
        Task::Bench(arguments) => bench::run(&arguments),
        Task::Dist(arguments) => dist::run(&arguments),
        Task::Test(arguments) => test::run(&arguments),
        Task::Vm(arguments) => vm::run(&arguments),
        Task::Gallery(arguments) => gallery::run(&arguments),
        Task::Fuzz(arguments) => fuzz::fuzz(&arguments),
        Task::Soak(arguments) => soak::run(&arguments),
        Task::Setup => setup::run(),
    }
}
