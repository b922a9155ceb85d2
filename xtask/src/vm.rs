//! `cargo xtask vm`: a command in a virtual machine with a real virtio-net device.

use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum};
use testbed::{Accel, HostEnd, Kernel, Vm};

use crate::exit::Outcome;
use crate::{build, sudo};

/// Those whose drivers the testbed knows.
const MODELS: [&str; 4] = ["e1000", "e1000e", "igb", "vmxnet3"];

#[derive(Debug, Args)]
pub(crate) struct VmArguments {
    /// Debian's kernel
    #[arg(long, default_value = "6.1", value_parser = ["5.10", "6.1", "6.12", "sid"])]
    kernel: String,
    /// The device, by QEMU's name; others than virtio-net-pci boot Debian's kernel for any machine
    #[arg(long, value_name = "DEVICE", value_parser = MODELS)]
    model: Option<String>,
    /// Properties of that device, such as host_tso4=off,host_tso6=off or csum=off
    #[arg(long, value_name = "OPTS")]
    nic: Option<String>,
    /// Queue pairs of the device
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    queues: u32,
    /// Virtual CPUs
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    cpus: u32,
    /// What is at the other end of ens4
    #[arg(long, value_enum, default_value_t = Host::Tap)]
    host: Host,
    /// Let the hardware run the guest (where /dev/kvm works) instead of emulating it
    #[arg(long)]
    kvm: bool,
    /// A program of this machine to take along, such as bpftrace (repeatable)
    #[arg(long, value_name = "PROGRAM")]
    with: Vec<String>,
    /// The longest it may take, seconds, boot included
    #[arg(long, default_value_t = 180, value_name = "SECONDS")]
    timeout: u64,
    /// What the guest runs; its words are joined for a shell
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Host {
    /// A tap with vnet_hdr: the host offers TSO
    Tap,
    /// QEMU's user-mode network: the host offers nothing
    User,
    /// Open vSwitch with DPDK (vhost-user) as it is by default: neither TSO nor checksums are offered
    OvsDpdk,
    /// The same with userspace-tso-enable=true
    OvsDpdkTso,
}

/// Builds, boots, runs the command. The exit code is the command's.
pub(crate) fn run(arguments: &VmArguments) -> Result<Outcome> {
    let kernel: Kernel = arguments.kernel.parse()?;
    if !sudo::is_second_start() {
        build::run()?;
    }
    if let Some(outcome) = sudo::start_again_as_root()? {
        return Ok(outcome);
    }
    testbed::setup::virtual_machines()?;
    let mut vm = Vm::new(kernel)
        .queues(arguments.queues)
        .cpus(arguments.cpus)
        .host_end(match arguments.host {
            Host::Tap => HostEnd::Tap,
            Host::User => HostEnd::User,
            Host::OvsDpdk => HostEnd::OvsDpdk { tso: false },
            Host::OvsDpdkTso => HostEnd::OvsDpdk { tso: true },
        })
        .accel(if arguments.kvm { Accel::Kvm } else { Accel::Emulated })
        .timeout(Duration::from_secs(arguments.timeout))
        .script(arguments.command.join(" "))
        .echo(true);
    if let Some(model) = &arguments.model {
        vm = vm.model(model);
    }
    if let Some(properties) = &arguments.nic {
        vm = vm.nic(properties);
    }
    for program in &arguments.with {
        vm = vm.program(program);
    }
    let run = vm.run()?;
    for (name, bytes) in &run.files {
        eprintln!("sent by the guest: {name}, {} bytes", bytes.len());
    }
    Ok(Outcome::Code(run.exit_code))
}
