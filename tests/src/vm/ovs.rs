//! A switch in user space at the host's end of `ens4`: Open vSwitch with DPDK, and the guest at one of its vhost-user
//! ports. This is where the guest's device gets its offers from.
//!
//! DPDK's own memory is ordinary memory (`--no-huge`): nothing of this machine is set for it, nothing is mounted, and
//! nothing has to be put back. The guest's memory is shared with the switch by QEMU.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::host_end::{Running, TAP, inside};
use crate::command::output;
use crate::ovs_dpdk::{MEMPOOL_DRIVER, OvsDpdk};
use crate::{Netns, interrupt};

/// DPDK's own memory, for packets. Touched as it is used.
const DPDK_MEMORY_MIB: u32 = 512;

/// How long the switch may take to come up: far longer than a busy machine needs (half a second on a quiet one).
const STARTS_WITHIN: Duration = Duration::from_secs(90);

/// What a single question to the switch's database may take.
const ANSWERS_WITHIN: Duration = Duration::from_secs(60);

/// How often it is looked whether it is up.
const LOOK: Duration = Duration::from_millis(50);

/// A switch that runs, with the guest's port and, as the bridge's own port, a tap of the name that taps have here.
#[derive(Debug)]
pub(super) struct Switch {
    // The switch ends before its database does: fields are dropped in this order.
    _vswitchd: Running,
    _database: Running,
    place: Place,
}

impl Switch {
    /// Starts it in the namespace. When this returns, the tap is there, and QEMU is awaited at [`Switch::socket`].
    /// Everything it writes is in `directory`.
    pub(super) fn start(namespace: &Netns, directory: &Path, tso: bool) -> Result<Self> {
        let place = Place { programs: OvsDpdk::fetch()?, directory: directory.to_path_buf() };
        let mut database = place.start_database(namespace)?;
        place.wait_until("its database listens", &mut database, |place| Ok(place.database().exists()))?;
        place.vsctl(namespace, &["--no-wait", "init"])?;
        place.configure(namespace, tso)?;
        let mut vswitchd = place.start_vswitchd(namespace)?;
        place.wait_until("DPDK is initialized", &mut vswitchd, |place| {
            let said = place.vsctl(namespace, &["get", "Open_vSwitch", ".", "dpdk_initialized"])?;
            Ok(said.trim() == "true")
        })?;
        place.add_bridge(namespace)?;
        place.wait_until("its tap is there", &mut vswitchd, |_| Ok(has_interface(namespace, TAP)))?;
        Ok(Self { _vswitchd: vswitchd, _database: database, place })
    }

    /// Where QEMU listens and the switch connects to, again and again until QEMU is there.
    pub(super) fn socket(directory: &Path) -> PathBuf {
        directory.join("guest.sock")
    }

    /// What the switch said.
    pub(super) fn log(&self) -> String {
        self.place.log(VSWITCHD_LOG)
    }
}

const VSWITCHD_LOG: &str = "vswitchd.log";
const DATABASE_LOG: &str = "ovsdb-server.log";

/// The programs, and the directory that they run in.
#[derive(Debug)]
struct Place {
    programs: OvsDpdk,
    directory: PathBuf,
}

impl Place {
    fn at(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn database(&self) -> PathBuf {
        self.at("db.sock")
    }

    fn log(&self, name: &str) -> String {
        fs::read(self.at(name)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// A program of the switch, as the last link of a chain of programs: only it gets the environment, as the others
    /// have libraries of their own.
    fn program(&self, namespace: &Netns, program: &Path) -> Command {
        let mut command = inside(namespace, "env");
        for variable in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR", "RUNTIME_DIRECTORY"] {
            // The last one is DPDK's.
            command.arg(format!("{variable}={}", self.directory.display()));
        }
        command.arg(format!("LD_LIBRARY_PATH={}", self.programs.library_path().display()));
        command.arg(program);
        command
    }

    fn start(&self, command: &mut Command, log: &str) -> Result<Running> {
        // Without `--log-file` all that is said goes to standard error, usage errors included.
        Running::start(command.stdout(Stdio::null()).stderr(File::create(self.at(log))?))
    }

    fn start_database(&self, namespace: &Netns) -> Result<Running> {
        let file = self.at("conf.db");
        let mut create = self.program(namespace, &self.programs.ovsdb_tool());
        output(create.arg("create").arg(&file).arg(self.programs.schema()))?;
        let mut serve = self.program(namespace, &self.programs.ovsdb_server());
        serve.arg(format!("--remote=punix:{}", self.database().display())).arg("--unixctl=none").arg(file);
        self.start(&mut serve, DATABASE_LOG)
    }

    /// Before the switch starts, as DPDK and TSO are looked at only then.
    fn configure(&self, namespace: &Netns, tso: bool) -> Result<()> {
        // Open vSwitch adds `--in-memory` unless `--legacy-mem` is there; `--no-huge` bears only the latter.
        let dpdk = format!(
            "--no-pci --no-huge --legacy-mem --no-telemetry -m {DPDK_MEMORY_MIB} -d {MEMPOOL_DRIVER}"
        );
        let settings = [
            "dpdk-init=true".to_owned(),
            format!("dpdk-extra=\"{dpdk}\""),
            format!("userspace-tso-enable={tso}"),
            // A pool of packets to the measure of the port, instead of all the memory that is there.
            "per-port-memory=true".to_owned(),
            // A thread that only ever polls would take half of a machine with two CPUs from the guest.
            "pmd-maxsleep=100".to_owned(),
        ];
        let settings = settings.map(|setting| format!("other_config:{setting}"));
        let mut arguments = vec!["--no-wait", "set", "Open_vSwitch", "."];
        arguments.extend(settings.iter().map(String::as_str));
        self.vsctl(namespace, &arguments).map(drop)
    }

    fn start_vswitchd(&self, namespace: &Netns) -> Result<Running> {
        let mut switch = self.program(namespace, &self.programs.vswitchd());
        switch.arg("--unixctl=none").arg(format!("unix:{}", self.database().display()));
        self.start(&mut switch, VSWITCHD_LOG)
    }

    /// The bridge is named as its own port is to be.
    fn add_bridge(&self, namespace: &Netns) -> Result<()> {
        let path = format!("options:vhost-server-path={}", Switch::socket(&self.directory).display());
        let bridge = ["add-br", TAP, "--", "set", "bridge", TAP, "datapath_type=netdev"];
        let port = ["--", "add-port", TAP, "guest", "--", "set", "interface", "guest"];
        let kind = ["type=dpdkvhostuserclient", &path];
        self.vsctl(namespace, &[&bridge[..], &port, &kind].concat()).map(drop)
    }

    /// Asks or tells the database, and unless told otherwise waits until the switch has done it.
    fn vsctl(&self, namespace: &Netns, arguments: &[&str]) -> Result<String> {
        let mut command = self.program(namespace, &self.programs.vsctl());
        command.arg(format!("--db=unix:{}", self.database().display()));
        command.arg(format!("--timeout={}", ANSWERS_WITHIN.as_secs())).args(arguments);
        output(&mut command)
    }

    /// Looks again and again. That the program has ended is an error that shows what it said.
    fn wait_until(
        &self,
        what: &str,
        running: &mut Running,
        mut is_so: impl FnMut(&Self) -> Result<bool>,
    ) -> Result<()> {
        let started = Instant::now();
        let last_words = || format!("{}{}", self.log(DATABASE_LOG), self.log(VSWITCHD_LOG));
        while !is_so(self)? {
            interrupt::check()?;
            if let Some(status) = running.0.try_wait()? {
                bail!("Open vSwitch ended with {status}; it said:\n{}", last_words());
            }
            if started.elapsed() > STARTS_WITHIN {
                let seconds = STARTS_WITHIN.as_secs();
                bail!("waited {seconds} s in vain until {what}; Open vSwitch said:\n{}", last_words());
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }
}

fn has_interface(namespace: &Netns, name: &str) -> bool {
    namespace.ip(&format!("link show dev {name}")).is_ok()
}
