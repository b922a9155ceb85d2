//! `cargo xtask demo`: the whole job on two network namespaces of this machine, TSO on, then off.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use testbed::command::{output, shown};
use testbed::netns::{VethEnd, veth_pair};
use testbed::{Netns, interrupt};

use crate::exit::Outcome;
use crate::{build, sudo};

const INTERFACE: &str = "veth0";
const RECEIVER_ADDRESS: &str = "10.97.0.2";
const SECONDS: &str = "5s";

/// How long the load server may take until it listens.
const LISTENS_WITHIN: Duration = Duration::from_secs(10);

/// One half of the demonstration.
struct Half {
    tso: &'static str,
    expected: &'static str,
}

const HALVES: [Half; 2] =
    [Half { tso: "on", expected: "engaged" }, Half { tso: "off", expected: "software" }];

/// Builds, runs both halves, shows both verdicts and where the reports are. Fails if one is not as expected.
pub(crate) fn run() -> Result<Outcome> {
    if !sudo::is_second_start() {
        build::run()?;
    }
    if let Some(outcome) = sudo::start_again_as_root()? {
        return Ok(outcome);
    }
    testbed::setup::namespaces()?;
    let vmnet = testbed::paths::vmnet();
    let (sender, receiver) = (Netns::new("demo")?, Netns::new("demo")?);
    veth_pair(
        VethEnd { namespace: &sender, interface: INTERFACE, addresses: &["10.97.0.1/24"] },
        VethEnd { namespace: &receiver, interface: "veth1", addresses: &[&format!("{RECEIVER_ADDRESS}/24")] },
    )?;
    count_at_the_queue(&sender);
    let _server = LoadServer::start(&vmnet, &receiver)?;
    let started = output(Command::new("date").arg("+%Y%m%d-%H%M%S"))?;
    let mut lines = Vec::new();
    let mut all_as_expected = true;
    for half in HALVES {
        interrupt::check()?;
        println!("\n== TSO {} on {INTERFACE}: expecting {} ==", half.tso, half.expected);
        sender.exec(&format!("ethtool -K {INTERFACE} tso {}", half.tso))?;
        let report = PathBuf::from(format!("reports/{}-demo-tso-{}", started.trim(), half.tso));
        let status = profile(&vmnet, &sender, &half, &report)?;
        all_as_expected &= status.success();
        lines.push(summary(&half, status, &report));
    }
    println!("\n{}", lines.join("\n"));
    Ok(if all_as_expected { Outcome::Done } else { Outcome::Failed })
}

/// A veth has no queue of its own; with one, the kernel's own counters have segments to count. Not every kernel has
/// each of these, and the demonstration stands without.
fn count_at_the_queue(sender: &Netns) {
    let _ = ["pfifo_fast", "fq_codel", "pfifo"]
        .iter()
        .find(|qdisc| sender.exec(&format!("tc qdisc replace dev {INTERFACE} root {qdisc}")).is_ok());
}

fn profile(vmnet: &Path, sender: &Netns, half: &Half, report: &Path) -> Result<ExitStatus> {
    let mut run = Command::new(vmnet);
    run.args(["run", INTERFACE, "--netns", sender.name(), "-d", SECONDS, "--expect", half.expected, "-o"]);
    run.arg(report).arg("--").arg(vmnet).args(["load", "client", RECEIVER_ADDRESS]);
    run.status().with_context(|| format!("`{}` could not be started", shown(&run)))
}

fn summary(half: &Half, status: ExitStatus, report: &Path) -> String {
    let answer = match status.code() {
        Some(0) => format!("{}, as expected", half.expected),
        Some(3) => format!("NOT {}", half.expected),
        Some(4) => format!("inconclusive, where {} was expected", half.expected),
        _ => format!("vmnet ended with {status}"),
    };
    let mut text = format!("TSO {:<4} {answer}", format!("{}:", half.tso));
    for path in pictures(report) {
        text.push_str(&format!("\n         {}", path.display()));
    }
    text
}

fn pictures(report: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(report) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .flat_map(|path| if path.is_dir() { pictures(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "svg" || extension == "html"))
        .collect();
    found.sort();
    found
}

/// The other end of the load, until dropped.
struct LoadServer(Child);

impl LoadServer {
    fn start(vmnet: &Path, receiver: &Netns) -> Result<Self> {
        let mut command = receiver.command(vmnet);
        command.args(["load", "server"]).stdin(Stdio::null()).stdout(Stdio::null());
        let mut server = Self(command.spawn().with_context(|| format!("`{}`", shown(&command)))?);
        let started = Instant::now();
        while receiver.exec("ss --listening --tcp --no-header")?.trim().is_empty() {
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
}

impl Drop for LoadServer {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
