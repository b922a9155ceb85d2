//! A virtual machine with a Debian kernel and a real virtio-net device, `ens4`, and this machine at its other end.
//!
//! | | guest | host end |
//! |---|---|---|
//! | interface | `ens4` | `tap0`, in a network namespace of its own |
//! | IPv4 | 10.10.1.2/24 | 10.10.1.10/24 |
//! | IPv6 | fd00:10:10:1::2/64 | fd00:10:10:1::10/64 |
//! | iperf3 | client | servers on ports 5201 and 5202 |
//! | `vmnet load` | client | a server, if asked for ([`Vm::serve_load`]) |

mod capture;
mod host_end;
mod machine;
mod ovs;
mod qemu;
mod qmp;
mod run;
mod saved;
mod serial;
pub mod tally;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use crate::kernel::{Build, Kernel, KernelFiles};

/// QEMU's name for it.
const VIRTIO_NET: &str = "virtio-net-pci";

/// What is at the host's end of `ens4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostEnd {
    /// A tap with `vnet_hdr`: TSO is offered to the guest.
    Tap,
    /// QEMU's user-mode network: no `vnet_hdr`, so that nothing is offered. Not counted at the host's end.
    User,
    /// Open vSwitch with DPDK: the guest is at a vhost-user port, and the tap is the bridge's own port.
    OvsDpdk {
        /// Its `userspace-tso-enable`, off by default. Without, neither TSO nor checksums are offered to the guest.
        tso: bool,
    },
}

/// How the guest's instructions are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accel {
    /// In software. Works everywhere; speed means nothing.
    Emulated,
    /// By the hardware. Never a guess: `/dev/kvm` may exist and hang.
    Kvm,
}

/// A virtual machine to be.
#[derive(Debug, Clone)]
pub struct Vm {
    kernel: Kernel,
    build: Build,
    kernel_files: Option<KernelFiles>,
    model: String,
    nic: Option<String>,
    queues: u32,
    cpus: u32,
    memory_mib: u32,
    host_end: HostEnd,
    accel: Accel,
    modules: Vec<String>,
    programs: Vec<String>,
    files: Vec<(PathBuf, PathBuf)>,
    script: String,
    timeout: Duration,
    echo: bool,
    capture_bytes: Option<u32>,
    load_server: bool,
    host_commands: Vec<String>,
}

impl Vm {
    /// 2 CPUs, 1 GiB, one queue, a tap at the host's end, emulated, 180 s at most.
    pub fn new(kernel: Kernel) -> Self {
        Self {
            kernel,
            build: Build::Cloud,
            kernel_files: None,
            model: VIRTIO_NET.to_owned(),
            nic: None,
            queues: 1,
            cpus: 2,
            memory_mib: 1024,
            host_end: HostEnd::Tap,
            accel: Accel::Emulated,
            modules: Vec::new(),
            programs: Vec::new(),
            files: Vec::new(),
            script: String::new(),
            timeout: Duration::from_secs(180),
            echo: false,
            capture_bytes: None,
            load_server: false,
            host_commands: Vec::new(),
        }
    }

    /// Boots this kernel instead of Debian's from the cache.
    #[must_use]
    pub fn kernel_files(mut self, files: KernelFiles) -> Self {
        self.kernel_files = Some(files);
        self
    }

    /// Another device than virtio-net, by QEMU's name for it: `e1000`, `e1000e`, `igb`, `vmxnet3`. Its driver, called like it, is loaded, from
    /// the generic build where the one for clouds has none.
    #[must_use]
    pub fn model(mut self, model: &str) -> Self {
        self.build = if model == "vmxnet3" { Build::Cloud } else { Build::Generic };
        self.model = model.to_owned();
        self.module(model)
    }

    /// Properties of the device, such as `host_tso4=off,host_tso6=off`.
    #[must_use]
    pub fn nic(mut self, properties: &str) -> Self {
        self.nic = Some(properties.to_owned());
        self
    }

    /// Queue pairs of the device; as many CPUs are needed for the guest to use them all by itself.
    #[must_use]
    pub fn queues(mut self, queues: u32) -> Self {
        self.queues = queues.max(1);
        self
    }

    /// Virtual CPUs.
    #[must_use]
    pub fn cpus(mut self, cpus: u32) -> Self {
        self.cpus = cpus.max(1);
        self
    }

    /// Memory, MiB.
    #[must_use]
    pub fn memory_mib(mut self, memory_mib: u32) -> Self {
        self.memory_mib = memory_mib;
        self
    }

    /// What is at the other end.
    #[must_use]
    pub fn host_end(mut self, host_end: HostEnd) -> Self {
        self.host_end = host_end;
        self
    }

    /// How it runs.
    #[must_use]
    pub fn accel(mut self, accel: Accel) -> Self {
        self.accel = accel;
        self
    }

    /// A kernel module to load at start. (Qdiscs, tunnels and veth load by themselves when they are used.)
    #[must_use]
    pub fn module(mut self, name: &str) -> Self {
        self.modules.push(name.to_owned());
        self
    }

    /// A program of this machine to take along, such as `bpftrace` (which is large).
    #[must_use]
    pub fn program(mut self, name: &str) -> Self {
        self.programs.push(name.to_owned());
        self
    }

    /// A file of this machine to take along, with the libraries it needs if it is a program.
    #[must_use]
    pub fn file(mut self, here: impl Into<PathBuf>, in_guest: impl Into<PathBuf>) -> Self {
        self.files.push((here.into(), in_guest.into()));
        self
    }

    /// What the guest runs (dash). Beside the usual programs it has `vmnet` (if built), `send-file NAME PATH` and
    /// `mark NAME`.
    #[must_use]
    pub fn script(mut self, script: impl Into<String>) -> Self {
        self.script = script.into();
        self
    }

    /// The longest it may take, boot or resume included.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Whether the script's output is also copied to standard output as it comes.
    #[must_use]
    pub fn echo(mut self, echo: bool) -> Self {
        self.echo = echo;
        self
    }

    /// Captures what passes the tap, this many bytes of each packet: [`VmRun::capture`].
    #[must_use]
    pub fn capture(mut self, bytes_per_packet: u32) -> Self {
        self.capture_bytes = Some(bytes_per_packet);
        self
    }

    /// Has a `vmnet load server` at the host's end, on its default port: for transfers of an exact size.
    #[must_use]
    pub fn serve_load(mut self) -> Self {
        self.load_server = true;
        self
    }

    /// Runs a command line (split at white space) in the host end's network namespace before the machine starts, such as
    /// `ip route add 10.10.2.0/24 via 10.10.1.2`.
    #[must_use]
    pub fn host_exec(mut self, line: &str) -> Self {
        self.host_commands.push(line.to_owned());
        self
    }

    /// Starts from a saved state where one serves, else boots; runs the script, powers off. An error if the guest does not come to
    /// the script's end; the script's own
    /// failure is its exit code. One at a time in this process.
    pub fn run(&self) -> Result<VmRun> {
        run::run(self)
    }
}

/// What came out of a virtual machine.
#[derive(Debug, Clone, Default)]
pub struct VmRun {
    /// The script's.
    pub exit_code: i32,
    /// The script's standard output and standard error, as they came.
    pub stdout: String,
    /// What the guest handed over by `send-file`.
    pub files: BTreeMap<String, Vec<u8>>,
    /// What the tap received from the guest from boot to power-off. `None` where the host's end is no tap.
    pub tap: Option<TapCounters>,
    /// The same at each `mark NAME` of the script.
    pub marks: BTreeMap<String, TapCounters>,
    /// A pcap of the tap, if asked for.
    pub capture: Option<Vec<u8>>,
    /// How it came to life.
    pub start: Start,
    /// From QEMU's start to its end.
    pub duration: Duration,
}

/// How a guest came to life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Start {
    /// From a saved state, in half a second.
    #[default]
    Restored,
    /// It booted, for this reason.
    Booted(&'static str),
}

impl fmt::Display for Start {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Restored => out.write_str("restored"),
            Self::Booted(why) => write!(out, "booted ({why})"),
        }
    }
}

/// What the host's tap received from the guest: one packet is what the device was given, whatever its size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TapCounters {
    /// Packets, super-packets counted once.
    pub rx_packets: u64,
    /// Bytes with Ethernet headers.
    pub rx_bytes: u64,
}

impl TapCounters {
    /// What came between an earlier reading and this one.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            rx_packets: self.rx_packets.saturating_sub(earlier.rx_packets),
            rx_bytes: self.rx_bytes.saturating_sub(earlier.rx_bytes),
        }
    }
}
