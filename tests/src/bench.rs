//! A bench to measure on: a veth pair between two namespaces, the built-in load at its far end, and what a run of
//! `vmnet` on the near end did.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::Value;
use tempfile::TempDir;

use crate::command::{captured, shown};
use crate::netns::{VethEnd, veth_pair};
use crate::{Netns, interrupt, paths, report, screen};

/// The near end, whose traffic is profiled.
pub const INTERFACE: &str = "veth0";
/// The far end's address, where the load server listens.
pub const FAR: &str = "10.96.0.2";
/// The far end's address in IPv6.
pub const FAR_V6: &str = "fd00:96::2";

/// How long a load server may take until it listens.
const LISTENS_WITHIN: Duration = Duration::from_secs(20);

/// Two namespaces, a veth pair, a load server.
#[derive(Debug)]
pub struct Bench {
    /// Where [`INTERFACE`] is.
    pub near: Netns,
    /// Where [`FAR`] is.
    pub far: Netns,
    /// What lies between the two, where they are no pair.
    _between: Vec<Netns>,
    directory: TempDir,
    runs: AtomicU32,
    _server: Running,
}

impl Bench {
    /// A bench of its own. Needs root and the built binary.
    pub fn new(purpose: &str) -> Result<Self> {
        Self::with_interface(purpose, INTERFACE)
    }

    /// As [`Bench::new`], with the near end called otherwise.
    pub fn with_interface(purpose: &str, interface: &str) -> Result<Self> {
        let (near, far) = (Netns::new(purpose)?, Netns::new(purpose)?);
        veth_pair(
            VethEnd { namespace: &near, interface, addresses: &["10.96.0.1/24", "fd00:96::1/64"] },
            VethEnd {
                namespace: &far,
                interface: "veth1",
                addresses: &[&format!("{FAR}/24"), &format!("{FAR_V6}/64")],
            },
        )?;
        Self::serving(near, far, Vec::new())
    }

    /// Five devices that packets are sent by on the way: the near end, over two bridges with a pair between them, and through two namespaces that
    /// route.
    pub fn over_five_devices(purpose: &str) -> Result<Self> {
        let new = || Netns::new(purpose);
        let (near, bridges, router, second, far) = (new()?, new()?, new()?, new()?, new()?);
        for (one, other) in [
            ((&near, INTERFACE, ["10.96.1.1/24"].as_slice()), (&bridges, "in0", [].as_slice())),
            ((&bridges, "between0", &[]), (&bridges, "between1", &[])),
            ((&bridges, "out0", &[]), (&router, "in0", &["10.96.1.2/24"])),
            ((&router, "out0", &["10.96.2.1/24"]), (&second, "in0", &["10.96.2.2/24"])),
            ((&second, "out0", &["10.96.3.1/24"]), (&far, "veth1", &["10.96.3.2/24"])),
        ] {
            let [one, other] = [one, other].map(|(namespace, interface, addresses)| VethEnd {
                namespace,
                interface,
                addresses,
            });
            veth_pair(one, other)?;
        }
        for (bridge, ports) in [("br0", ["in0", "between0"]), ("br1", ["between1", "out0"])] {
            bridges.ip(&format!("link add {bridge} type bridge"))?;
            for port in ports {
                bridges.ip(&format!("link set {port} master {bridge}"))?;
            }
            bridges.ip(&format!("link set {bridge} up"))?;
        }
        for router in [&router, &second] {
            router.exec("sysctl -q -w net.ipv4.ip_forward=1")?;
        }
        far.ip(&format!("address add {FAR}/32 dev lo"))?;
        for (namespace, to, by) in [
            (&near, FAR, "10.96.1.2"),
            (&router, FAR, "10.96.2.2"),
            (&second, FAR, "10.96.3.2"),
            (&second, "10.96.1.0/24", "10.96.2.1"),
            (&far, "10.96.1.0/24", "10.96.3.1"),
        ] {
            namespace.ip(&format!("route add {to} via {by}"))?;
        }
        Self::serving(near, far, vec![bridges, router, second])
    }

    fn serving(near: Netns, far: Netns, between: Vec<Netns>) -> Result<Self> {
        let _server = serve_load(&far)?;
        let directory = tempfile::tempdir()?;
        Ok(Self { near, far, _between: between, directory, runs: AtomicU32::new(0), _server })
    }

    /// Has connections of both ends paced by nobody: BBR, where a machine has it for all, sends at a third of what a veth pair takes, and rests 200 ms
    /// in every ten seconds, which scatters what is measured over shorter times by ten times.
    pub fn unpaced(&self) -> Result<()> {
        [&self.near, &self.far]
            .into_iter()
            .try_for_each(|end| end.exec("sysctl -q net.ipv4.tcp_congestion_control=reno").map(drop))
    }

    /// A directory of the bench's own, removed with it.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// `vmnet run INTERFACE --netns … -o REPORTS OPTIONS`, and where the reports of this run will be.
    pub fn command(&self, interface: &str, options: &[&str]) -> (Command, PathBuf) {
        self.command_of("run", interface, options)
    }

    /// `vmnet ab veth0 --netns … -o REPORTS -v OPTIONS`, its journal in the bench's own directory, and where its reports will be.
    pub fn experiment(&self, options: &[&str]) -> (Command, PathBuf) {
        let (mut command, reports) = self.command_of("ab", INTERFACE, &[&["-v"], options].concat());
        // As wide as words are held against here.
        command.env("VMNET_STATE_DIR", self.state()).env("COLUMNS", "100");
        (command, reports)
    }

    /// Where its experiments keep their journals.
    pub fn state(&self) -> PathBuf {
        self.directory().join("state")
    }

    fn command_of(&self, subcommand: &str, interface: &str, options: &[&str]) -> (Command, PathBuf) {
        let number = self.runs.fetch_add(1, Ordering::Relaxed);
        let reports = self.directory().join(format!("reports-{number}"));
        let mut command = Command::new(paths::vmnet());
        command.args([subcommand, interface, "--netns", self.near.name(), "-o"]).arg(&reports).args(options);
        (command, reports)
    }

    /// Runs `vmnet run veth0 … OPTIONS [-- COMMAND]` to its end.
    pub fn run(&self, options: &[&str], command: &[impl AsRef<OsStr>]) -> Result<Run> {
        let (mut vmnet, reports) = self.command(INTERFACE, options);
        if !command.is_empty() {
            vmnet.arg("--").args(command);
        }
        Run::of(captured(&mut vmnet)?, &reports)
    }

    /// Starts what [`Bench::run`] would run, with its output kept.
    pub fn start(&self, options: &[&str], command: &[impl AsRef<OsStr>]) -> Result<Started> {
        let (mut vmnet, reports) = self.command(INTERFACE, options);
        if !command.is_empty() {
            vmnet.arg("--").args(command);
        }
        Started::new(vmnet, reports)
    }
}

/// The words of a load of exactly so many bytes to the far end.
pub fn load(arguments: &str) -> Vec<String> {
    let vmnet = paths::vmnet().to_string_lossy().into_owned();
    let words = ["load", "client", FAR].into_iter().chain(arguments.split_whitespace());
    std::iter::once(vmnet).chain(words.map(str::to_owned)).collect()
}

/// `vmnet load server` in a namespace, from when it listens until the value ends.
pub fn serve_load(namespace: &Netns) -> Result<Running> {
    let mut command = namespace.command(paths::vmnet());
    command.args(["load", "server"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut server = Running(command.spawn().with_context(|| format!("`{}`", shown(&command)))?);
    let started = Instant::now();
    while namespace.exec("ss --listening --tcp --no-header")?.trim().is_empty() {
        interrupt::check()?;
        if let Some(status) = server.0.try_wait()? {
            bail!("`{}` ended with {status}", shown(&command));
        }
        if started.elapsed() > LISTENS_WITHIN {
            bail!("`{}` does not listen", shown(&command));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(server)
}

/// A program that ends with the value.
#[derive(Debug)]
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A run under way.
#[derive(Debug)]
pub struct Started {
    child: Running,
    reports: PathBuf,
    output: TempDir,
}

impl Started {
    /// Starts it, with its output kept.
    pub fn new(mut command: Command, reports: PathBuf) -> Result<Self> {
        // Files, as a pipe that nobody reads would hold it up.
        let output = tempfile::tempdir()?;
        let file = |name| fs::File::create(output.path().join(name));
        command.stdin(Stdio::null()).stdout(file("stdout")?).stderr(file("stderr")?);
        let child = Running(command.spawn().with_context(|| format!("`{}`", shown(&command)))?);
        Ok(Self { child, reports, output })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.0.id()
    }

    /// What it said so far on standard output.
    pub fn said(&self) -> String {
        fs::read_to_string(self.output.path().join("stdout")).unwrap_or_default()
    }

    /// Waits until it has said that.
    pub fn wait_until_it_says(&mut self, words: &str) -> Result<()> {
        wait_for(words, || {
            if let Some(status) = self.child.0.try_wait()? {
                bail!("it ended with {status}, having said:\n{}", self.said());
            }
            Ok(self.said().contains(words))
        })
    }

    /// Waits until it measures: its columns have heads.
    pub fn wait_until_it_measures(&mut self) -> Result<()> {
        wait_for("the run to begin", || Ok(self.said().contains("Gbit/s")))
    }

    /// Its end, which has to come within half a minute.
    pub fn end(mut self) -> Result<Run> {
        let mut status = None;
        let waited = wait_for("the run to end", || {
            status = self.child.0.try_wait()?;
            Ok(status.is_some())
        });
        waited.with_context(|| format!("it said so far:\n{}", self.said()))?;
        let read = |name| fs::read(self.output.path().join(name));
        let status = status.ok_or_else(|| anyhow!("no status"))?;
        Run::of(Output { status, stdout: read("stdout")?, stderr: read("stderr")? }, &self.reports)
    }
}

/// Asks again and again, for half a minute at most.
pub fn wait_for(what: &str, mut is_there: impl FnMut() -> Result<bool>) -> Result<()> {
    let started = Instant::now();
    while !is_there()? {
        interrupt::check()?;
        if started.elapsed() > Duration::from_secs(30) {
            bail!("waited in vain for {what}");
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// What came of a run.
#[derive(Debug)]
pub struct Run {
    /// None where a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// `run.json` or `ab.json` of its report; null where none was written.
    pub json: Value,
    /// All files of its report.
    pub files: Vec<PathBuf>,
}

impl Run {
    /// Gathers what a run left.
    pub fn of(output: Output, reports: &Path) -> Result<Self> {
        screen::fit(&String::from_utf8_lossy(&output.stdout))?;
        let mut files = Vec::new();
        for directory in fs::read_dir(reports).into_iter().flatten() {
            let directory = directory?;
            // `latest` leads to one of the others.
            if directory.file_type()?.is_dir() {
                let inside = fs::read_dir(directory.path()).into_iter().flatten();
                files.extend(inside.map(|file| Ok(file?.path())).collect::<Result<Vec<_>>>()?);
            }
        }
        let is_result = |path: &&PathBuf| path.ends_with("run.json") || path.ends_with("ab.json");
        #[cfg(feature = "held")]
        if let Some(path) = files.iter().find(|path| path.ends_with("run.vmnet")) {
            crate::held::light_beside_exact(&fs::read(path)?)?;
        }
        let json = match files.iter().find(is_result) {
            Some(path) => report::document(&fs::read(path)?)?,
            None => Value::Null,
        };
        Ok(Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout)?,
            stderr: String::from_utf8(output.stderr)?,
            json,
            files,
        })
    }

    /// A text of the JSON, by pointer; empty where there is none.
    pub fn text(&self, pointer: &str) -> &str {
        self.json.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// A number of the JSON, by pointer.
    pub fn number(&self, pointer: &str) -> Option<u64> {
        self.json.pointer(pointer).and_then(Value::as_u64)
    }

    /// Everything that the person got to read.
    pub fn words(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "exit code {:?}\n-- standard output\n{}", self.code, self.stdout)?;
        writeln!(f, "-- standard error\n{}\n-- files {:?}", self.stderr, self.files)?;
        writeln!(f, "-- audit\n{:#}", self.json["audit"])
    }
}
