//! One half of the demonstration: a run, tried again where it cannot tell.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use testbed::{Netns, interrupt};

use super::shown;
use super::{INTERFACE, RECEIVER_ADDRESS};

const DURATION: &str = "5s";
/// How often a half is tried until its run can tell.
const ATTEMPTS: u32 = 4;
/// What `vmnet run --expect` ends with when it cannot tell.
const INCONCLUSIVE: i32 = 4;

/// How TSO is set, and what a run then has to say.
pub(super) struct Half {
    pub(super) tso: &'static str,
    pub(super) expected: &'static str,
}

pub(super) const HALVES: [Half; 2] =
    [Half { tso: "on", expected: "engaged" }, Half { tso: "off", expected: "software" }];

impl Half {
    /// Profiles until a run can tell, at most [`ATTEMPTS`] times: a busy machine may keep the programs from seeing enough. Any
    /// answer is final.
    pub(super) fn show(&self, sender: &Netns, reports: &Path) -> Result<Seen> {
        for attempt in 1..=ATTEMPTS {
            interrupt::check()?;
            let seen = self.profile(sender, reports)?;
            if seen.status.code() != Some(INCONCLUSIVE) || attempt == ATTEMPTS {
                return Ok(seen);
            }
            println!("\n(this run could not tell; once more, {} of {ATTEMPTS})", attempt + 1);
        }
        bail!("no attempt was made")
    }

    fn profile(&self, sender: &Netns, reports: &Path) -> Result<Seen> {
        let vmnet = testbed::paths::vmnet();
        let before = entries(reports);
        let mut run = Command::new(&vmnet);
        run.args(["run", INTERFACE, "--netns", sender.name(), "--expect", self.expected, "-o"]);
        run.arg(reports).arg("--").arg(&vmnet).args(["load", "client", RECEIVER_ADDRESS, "--time", DURATION]);
        let status = run
            .status()
            .with_context(|| format!("`{}` could not be started", testbed::command::shown(&run)))?;
        let made = entries(reports).difference(&before).next().cloned();
        let report = made.as_deref().and_then(read);
        if let Some(line) = report.as_ref().and_then(shown::unaccounted) {
            println!("  Unseen   {line}");
        }
        Ok(Seen { status, made, report })
    }
}

/// What came of one half.
pub(super) struct Seen {
    status: ExitStatus,
    /// The report's directory.
    made: Option<PathBuf>,
    /// Its `run.json`.
    report: Option<Value>,
}

impl Seen {
    /// The state is the expected one. How sure that is, is said and decides nothing.
    pub(super) fn is_as_expected(&self, half: &Half) -> bool {
        self.status.success()
            && self.report.as_ref().is_some_and(|report| shown::state(report) == half.expected)
    }

    /// The outcome in a line, and where the report is.
    pub(super) fn summary(&self, half: &Half) -> String {
        let confidence = self.report.as_ref().map_or("no verdict", shown::confidence);
        let answer = match self.status.code() {
            Some(0) => format!("{} ({confidence}), as expected", half.expected),
            Some(3) => format!("NOT {}", half.expected),
            Some(INCONCLUSIVE) => format!("inconclusive, where {} was expected", half.expected),
            _ => format!("vmnet ended with {}", self.status),
        };
        let mut text = format!("TSO {:<4} {answer}", format!("{}:", half.tso));
        if let Some(report) = &self.made {
            let page = report.join("report.html");
            text.push_str(&format!("\n         {} (and {} charts as SVG)", page.display(), charts(report)));
        }
        text
    }
}

fn read(report: &Path) -> Option<Value> {
    serde_json::from_str(&fs::read_to_string(report.join("run.json")).ok()?).ok()
}

fn charts(report: &Path) -> usize {
    let files = fs::read_dir(report).into_iter().flatten().flatten();
    files.filter(|file| file.path().extension().is_some_and(|extension| extension == "svg")).count()
}

/// The directories in a directory, not links to them; nothing where there is none.
fn entries(directory: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let is_directory = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    entries.filter(is_directory).map(|entry| entry.path()).collect()
}
