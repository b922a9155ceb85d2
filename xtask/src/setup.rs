//! `cargo xtask setup`: what the other commands would fetch by themselves, now.

use anyhow::Result;
use testbed::{Kernel, OvsDpdk};

use crate::build::{BpfLinker, BpfToolchain};
use crate::exit::Outcome;
use crate::sudo;

/// Compiler and linker for the kernel side, then programs and kernels for the virtual machines.
pub(crate) fn run() -> Result<Outcome> {
    if !sudo::is_second_start() {
        println!("compiler for the kernel side: {}", BpfToolchain::find_or_install()?);
        println!("bpf-linker: {}", BpfLinker::find_or_install()?.program.display());
    }
    if let Some(outcome) = sudo::start_again_as_root()? {
        return Ok(outcome);
    }
    testbed::setup::virtual_machines()?;
    testbed::setup::consumers()?;
    testbed::setup::roots()?;
    testbed::setup::browser()?;
    println!("programs for namespaces, virtual machines and a browser: installed");
    let mut outcome = Outcome::Done;
    match OvsDpdk::fetch() {
        Ok(_) => println!("Open vSwitch with DPDK: unpacked"),
        Err(error) => {
            eprintln!("error: {error:#}");
            outcome = Outcome::Failed;
        }
    }
    for (kernel, build, files) in testbed::setup::kernels() {
        match files {
            Ok(files) => println!("kernel {kernel}, {build}: {files}"),
            Err(error) if kernel == Kernel::Sid => {
                println!("kernel {kernel}, {build}: not to be had today: {error:#}");
            }
            Err(error) => {
                eprintln!("error: {error:#}");
                outcome = Outcome::Failed;
            }
        }
    }
    Ok(outcome)
}
