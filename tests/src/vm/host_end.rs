//! The host's end of `ens4`: a namespace with a tap and servers of traffic, and a switch between if asked for.
//! Everything ends with the value.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::ovs::Switch;
use super::{HostEnd, TapCounters, Vm};
use crate::command::shown;
use crate::{Netns, interrupt, paths};

/// The tap's name in its namespace.
pub(super) const TAP: &str = "tap0";

const IPERF3_PORTS: [&str; 2] = ["5201", "5202"];

/// Where `vmnet load server` listens by itself.
const LOAD_PORT: &str = "5310";

/// How long a server may take to listen.
const LISTENS_WITHIN: Duration = Duration::from_secs(30);

/// The namespace, and what runs in it beside QEMU.
#[derive(Debug)]
pub(super) struct Host {
    // Programs end before the namespace does: fields are dropped in this order.
    _servers: Vec<Running>,
    switch: Option<Switch>,
    namespace: Netns,
    has_tap: bool,
}

impl Host {
    /// As the machine asks for it. `directory` is the machine's.
    pub(super) fn new(vm: &Vm, directory: &Path) -> Result<Self> {
        let namespace = Netns::new("vm")?;
        let mut switch = None;
        match vm.host_end {
            HostEnd::User => {}
            HostEnd::Tap => {
                // As a host would have it: the tap takes super-packets from QEMU whole.
                let queues = if vm.queues > 1 { "multi_queue" } else { "" };
                namespace.ip(&format!("tuntap add dev {TAP} mode tap vnet_hdr {queues}"))?;
            }
            HostEnd::OvsDpdk { tso } => switch = Some(Switch::start(&namespace, directory, tso)?),
        }
        let has_tap = vm.host_end != HostEnd::User;
        if has_tap {
            namespace.ip(&format!("address add 10.10.1.10/24 dev {TAP}"))?;
            namespace.ip(&format!("address add fd00:10:10:1::10/64 dev {TAP} nodad"))?;
            namespace.ip(&format!("link set {TAP} up"))?;
        }
        for line in &vm.host_commands {
            namespace.exec(line)?;
        }
        let mut servers = IPERF3_PORTS
            .iter()
            .map(|port| serve(&namespace, "iperf3", &["--server", "--port", port]))
            .collect::<Result<Vec<_>>>()?;
        if vm.load_server {
            servers.push(serve(&namespace, paths::vmnet(), &["load", "server"])?);
        }
        for port in IPERF3_PORTS.into_iter().chain(vm.load_server.then_some(LOAD_PORT)) {
            wait_until_listening(&namespace, port)?;
        }
        Ok(Self { _servers: servers, switch, namespace, has_tap })
    }

    /// What the switch said, if there is one.
    pub(super) fn switch_log(&self) -> Option<String> {
        self.switch.as_ref().map(Switch::log)
    }

    /// A command in the namespace that ends when this process does, however that ends.
    pub(super) fn command(&self, program: &str) -> Command {
        inside(&self.namespace, program)
    }

    /// What came out of the guest so far. `None` where the host's end is no tap.
    pub(super) fn tap_counters(&self) -> Result<Option<TapCounters>> {
        if !self.has_tap {
            return Ok(None);
        }
        let read = |counter| self.namespace.statistic(TAP, counter);
        Ok(Some(TapCounters { rx_packets: read("rx_packets")?, rx_bytes: read("rx_bytes")? }))
    }
}

/// A command in the namespace that ends when this process does, however that ends.
pub(super) fn inside(namespace: &Netns, program: impl AsRef<OsStr>) -> Command {
    let mut command = namespace.command("setpriv");
    command.args(["--pdeathsig", "TERM"]).arg(program).stdin(Stdio::null());
    command
}

fn serve(namespace: &Netns, program: impl AsRef<OsStr>, arguments: &[&str]) -> Result<Running> {
    let mut server = inside(namespace, program);
    server.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    Running::start(&mut server)
}

/// A guest that is restored is there before a server on a busy machine may be.
fn wait_until_listening(namespace: &Netns, port: &str) -> Result<()> {
    let started = Instant::now();
    while namespace.exec(&format!("ss -Hltn sport = :{port}"))?.trim().is_empty() {
        interrupt::check()?;
        if started.elapsed() > LISTENS_WITHIN {
            bail!("no server listens on port {port} after {} s", LISTENS_WITHIN.as_secs());
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// A program that is ended on drop.
#[derive(Debug)]
pub(super) struct Running(pub(super) Child);

impl Running {
    /// Starts it.
    pub(super) fn start(command: &mut Command) -> Result<Self> {
        let child = command.spawn().with_context(|| format!("`{}` could not be started", shown(command)))?;
        Ok(Self(child))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
