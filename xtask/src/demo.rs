//! `cargo xtask demo`: the whole job on two network namespaces of this machine, TSO on, then off.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use anyhow::{Context as _, Result, bail};
use testbed::command::shown;
use testbed::netns::{VethEnd, veth_pair};
use testbed::{Netns, interrupt};

use crate::exit::Outcome;
use crate::{build, sudo};

/// Where runs land, below the current directory.
const REPORTS: &str = "reports";
const INTERFACE: &str = "veth0";
const RECEIVER_ADDRESS: &str = "10.97.0.2";
const DURATION: &str = "5s";
/// How often a half is tried until its verdict is proven.
const ATTEMPTS: u32 = 4;

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
    let _server = testbed::bench::serve_load(&receiver)?;
    let mut lines = Vec::new();
    let mut all_as_expected = true;
    for half in HALVES {
        interrupt::check()?;
        println!("\n== TSO {} on {INTERFACE}: expecting {} ==", half.tso, half.expected);
        sender.exec(&format!("ethtool -K {INTERFACE} tso {}", half.tso))?;
        let shown = show(&vmnet, &sender, &half)?;
        all_as_expected &= shown.status.success() && shown.is_proven();
        lines.push(shown.summary(&half));
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

fn profile(vmnet: &Path, sender: &Netns, half: &Half) -> Result<ExitStatus> {
    let mut run = Command::new(vmnet);
    run.args(["run", INTERFACE, "--netns", sender.name(), "--expect", half.expected, "-o", REPORTS, "--"]);
    run.arg(vmnet).args(["load", "client", RECEIVER_ADDRESS, "--time", DURATION]);
    run.status().with_context(|| format!("`{}` could not be started", shown(&run)))
}

/// Profiles one half until its verdict is proven, at most [`ATTEMPTS`] times. Some kernels do not run programs while
/// certain processes are current (the agents of a sandbox): what softirq sends on their time is then missing from the count, and the
/// audit says so. That is no fault of the demonstration, and rare; an answer other than the expected one is final.
fn show(vmnet: &Path, sender: &Netns, half: &Half) -> Result<Shown> {
    for attempt in 1.. {
        interrupt::check()?;
        let before = reports();
        let status = profile(vmnet, sender, half)?;
        let shown = Shown { status, reports: reports().difference(&before).cloned().collect() };
        if shown.is_proven() || !status.success() || attempt == ATTEMPTS {
            return Ok(shown);
        }
        println!(
            "\n(the audit found a gap, so this is not proven; once more, {} of {ATTEMPTS})",
            attempt + 1
        );
    }
    bail!("no attempt was made")
}

/// What came of one half.
struct Shown {
    status: ExitStatus,
    reports: Vec<PathBuf>,
}

impl Shown {
    fn is_proven(&self) -> bool {
        self.confidence().as_deref() == Some("proven")
    }

    fn confidence(&self) -> Option<String> {
        let text = fs::read_to_string(self.reports.first()?.join("run.json")).ok()?;
        let report: serde_json::Value = serde_json::from_str(&text).ok()?;
        Some(report["verdict"]["confidence"].as_str()?.to_owned())
    }

    fn summary(&self, half: &Half) -> String {
        let confidence = self.confidence().unwrap_or_else(|| "no verdict".to_owned());
        let answer = match self.status.code() {
            Some(0) => format!("{} ({confidence}), as expected", half.expected),
            Some(3) => format!("NOT {}", half.expected),
            Some(4) => format!("inconclusive, where {} was expected", half.expected),
            _ => format!("vmnet ended with {}", self.status),
        };
        let mut text = format!("TSO {:<4} {answer}", format!("{}:", half.tso));
        for report in &self.reports {
            let page = report.join("report.html");
            text.push_str(&format!("\n         {} (and {} charts as SVG)", page.display(), charts(report)));
        }
        text
    }
}

fn reports() -> BTreeSet<PathBuf> {
    entries(Path::new(REPORTS))
}

fn charts(report: &Path) -> usize {
    entries(report).iter().filter(|path| path.extension().is_some_and(|extension| extension == "svg")).count()
}

/// What is in a directory; nothing where there is none.
fn entries(directory: &Path) -> BTreeSet<PathBuf> {
    fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
