//! The programs that read configuration at boot (udevd, netplan, NetworkManager, cloud-init), unpacked and never installed, and
//! roots of machines in which they run for real: on interfaces of a network namespace, with files of their own.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::apt::Suite;
use crate::command::{captured, output};
use crate::netns::Netns;
use crate::paths::testbed_cache;

/// Also the shell and its programs, which the others call.
const PACKAGES: &[&str] = &[
    "cloud-init",
    "coreutils",
    "dash",
    "dbus",
    "ethtool",
    "iproute2",
    "libvirt0",
    "libxml2-utils",
    "netplan.io",
    "network-manager",
    "udev",
];
const SUITE: &str = "bookworm";
/// What the directory holds, and in which form: other packages are another directory.
const DIRECTORY: &str = "consumers-1";
/// udev's own rules would look at disks and load modules; this one names and sets up interfaces.
const RULE_KEPT: &str = "80-net-setup-link.rules";
const PATIENCE: Duration = Duration::from_secs(20);

/// The unpacked programs, where they are here.
pub fn cached() -> Option<PathBuf> {
    Some(testbed_cache().join(DIRECTORY)).filter(|directory| directory.is_dir())
}

/// Downloads (80 MB) and unpacks the programs where they are not here yet.
pub fn fetch() -> Result<PathBuf> {
    if let Some(directory) = cached() {
        return Ok(directory);
    }
    let cache = testbed_cache();
    fs::create_dir_all(&cache)?;
    // Two commands at once must not unpack into one another.
    let lock = File::create(cache.join("consumers.lock"))?;
    lock.lock()?;
    if let Some(directory) = cached() {
        return Ok(directory);
    }
    let suite = Suite::open(SUITE, &cache.join("apt").join(SUITE))?;
    let packages = suite.closure_of_all(PACKAGES)?;
    eprintln!("downloading {} (Debian {SUITE}), to be unpacked and not installed", PACKAGES.join(" "));
    let unpacked = tempfile::tempdir_in(&cache)?;
    suite.unpack_merged(&packages, unpacked.path())?;
    let directory = cache.join(DIRECTORY);
    fs::rename(unpacked.keep(), &directory)?;
    Ok(directory)
}

/// A machine's root directory and its interfaces, with all the programs. Gone with the value.
#[derive(Debug)]
pub struct Machine {
    programs: PathBuf,
    root: TempDir,
    namespace: Netns,
}

impl Machine {
    /// As after an installation: nothing configured, no interface but loopback.
    pub fn new() -> Result<Self> {
        let programs = cached().context("the consumers are not here (`cargo xtask setup` fetches them)")?;
        let machine = Self { programs, root: TempDir::new()?, namespace: Netns::new("persist")? };
        let (from, root) = (&machine.programs, machine.root());
        for directory in ["dev", "proc", "sys", "tmp", "run/dbus", "run/udev/rules.d", "root"] {
            fs::create_dir_all(root.join(directory))?;
        }
        for name in ["bin", "lib", "lib64", "sbin"] {
            symlink(Path::new("usr").join(name), root.join(name))?;
        }
        output(Command::new("cp").arg("-a").arg(from.join("etc")).arg(from.join("var")).arg(root))?;
        // Programs are mounted over /usr where they run. Here is what is read from outside.
        for seen in ["usr/lib/systemd/network", "usr/sbin/ethtool", "usr/bin/ip", "usr/bin/udevadm"] {
            let to = root.join(seen);
            fs::create_dir_all(to.parent().context("a path has a parent")?)?;
            output(Command::new("cp").arg("-a").arg(from.join(seen)).arg(to))?;
        }
        symlink("/run", root.join("var/run"))?;
        fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n")?;
        for (name, minor) in [("null", 3), ("random", 8), ("urandom", 9)] {
            mknod(
                &root.join("dev").join(name),
                SFlag::S_IFCHR,
                Mode::from_bits_truncate(0o666),
                makedev(1, minor),
            )?;
        }
        for rule in fs::read_dir(from.join("usr/lib/udev/rules.d"))? {
            let name = rule?.file_name();
            if name != RULE_KEPT {
                symlink("/dev/null", root.join("run/udev/rules.d").join(name))?;
            }
        }
        Ok(machine)
    }

    /// Where its files are, seen from here.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// Where its interfaces are.
    pub fn namespace(&self) -> &Netns {
        &self.namespace
    }

    /// Writes a file of the machine's.
    pub fn put(&self, path: &str, text: &str, mode: u32) -> Result<()> {
        use std::io::Write as _;
        use std::os::unix::fs::OpenOptionsExt as _;
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().context("a path has a parent")?)?;
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
        Ok(file.write_all(text.as_bytes())?)
    }

    /// A program of the machine's, inside. Mounts are the command's own and end with it.
    pub fn command(&self, program: &str) -> Command {
        self.command_with(program, "")
    }

    fn command_with(&self, program: &str, sysfs_options: &str) -> Command {
        let script = format!(
            "mount --make-rprivate / && mount --bind \"$1/usr\" \"$2/usr\" && mount -t proc proc \"$2/proc\" && \
             mount -t sysfs {sysfs_options} sysfs \"$2/sys\" && root=$2 && shift 2 && exec chroot \"$root\" \"$@\""
        );
        let mut command = self.namespace.command("sh");
        command.args(["-c", &script, "sh"]).arg(&self.programs).arg(self.root()).arg(program);
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C.UTF-8");
        command
    }

    /// What a program printed, both streams, and whether it succeeded.
    pub fn answer(&self, words: &[&str]) -> Result<(bool, String)> {
        let (program, arguments) = words.split_first().context("no program")?;
        let output = captured(self.command(program).args(arguments))?;
        let text = [output.stdout, output.stderr].concat();
        Ok((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
    }

    /// udevd, running until the value ends. Reads configuration as it is now.
    pub fn udevd(&self) -> Result<Daemon> {
        let socket = self.root().join("run/udev/control");
        let _ = fs::remove_file(&socket);
        let mut command = self.command("/usr/lib/systemd/systemd-udevd");
        command.arg("--debug");
        let daemon = self.start(command, "udevd")?;
        wait_for(&daemon, "udevd's control socket", || Ok(socket.exists()))?;
        Ok(daemon)
    }

    /// NetworkManager and the bus it needs. sysfs is read-only, by which it knows that there is no udev.
    pub fn network_manager(&self) -> Result<[Daemon; 2]> {
        self.put("tmp/bus.conf", BUS, 0o644)?;
        self.put(
            "etc/NetworkManager/NetworkManager.conf",
            "[main]\nplugins=keyfile\ndns=none\nno-auto-default=*\n",
            0o644,
        )?;
        let mut bus = self.command("dbus-daemon");
        bus.args(["--config-file=/tmp/bus.conf", "--nofork", "--nopidfile"]);
        let bus = self.start(bus, "dbus")?;
        let socket = self.root().join("run/dbus/system_bus_socket");
        wait_for(&bus, "the bus", || Ok(socket.exists()))?;
        let mut manager = self.command_with("NetworkManager", "-o ro");
        manager.arg("--debug");
        let manager = self.start(manager, "NetworkManager")?;
        wait_for(&manager, "NetworkManager", || Ok(self.answer(&["nmcli", "general"])?.0))?;
        // Ended in this order.
        Ok([manager, bus])
    }

    fn start(&self, mut command: Command, name: &str) -> Result<Daemon> {
        let log = self.root().join(format!("tmp/{name}.log"));
        let file = File::create(&log)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().with_context(|| format!("{name} could not be started"))?;
        Ok(Daemon { child, log })
    }
}

/// The least that the machine's programs need of a system bus; `type=system` would raise limits, which not everybody may.
const BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/><allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/><allow receive_type="method_return"/>
    <allow receive_type="error"/><allow receive_type="signal"/>
  </policy>
</busconfig>
"#;

/// A program in the background, ended with the value.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// What it has said so far.
    pub fn log(&self) -> String {
        fs::read(&self.log).map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let _ = self.child.wait();
    }
}

/// Waits until something is so; an error, with what `daemon` said last, where that does not come.
pub fn wait_for(daemon: &Daemon, what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let start = Instant::now();
    while !is_so()? {
        if start.elapsed() > PATIENCE {
            let log = daemon.log();
            let last: Vec<&str> = log.lines().rev().take(30).collect();
            bail!("{what} did not come:\n{}", last.into_iter().rev().collect::<Vec<_>>().join("\n"));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
