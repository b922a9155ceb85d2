//! A run that lives as long as the soak, amid churn, and one beside it that nothing happens to: memory of the one grows no more than the other's.

use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};
use vmnet::stats::least_squares;

use super::draw::Draw;
use super::group::Group;
use super::leftovers::MARK;
use super::operation::text;
use super::stage::Stage;
use crate::bench::wait_for;
use crate::report::document;

/// What a run keeps of its samples grows until they are merged, in both alike; beyond that the one amid churn may differ by so much.
const MOST_BEYOND_KIB: i64 = 8 * 1024;
/// Of its samples, before they are thinned (`model::timeline`).
const SAMPLES_KIB: i64 = 1_024 * 12;
/// Of its intervals and one CPU, before they are merged: 8,192 of less than a KiB.
const INTERVALS_KIB: i64 = 8_192;
/// Of the time, at the beginning: programs are loaded, the first pages touched.
const WARM_UP: f64 = 0.1;
/// After Ctrl-C.
const ENDS_WITHIN: Duration = Duration::from_secs(30);

/// Both runs.
#[derive(Debug)]
pub(super) struct Growth {
    amid_churn: Long,
    quiet: Long,
    started: Instant,
}

#[derive(Debug)]
struct Long {
    stage: Stage,
    run: Group,
    result: PathBuf,
    errors: PathBuf,
    /// Seconds and KiB.
    resident: Vec<(f64, f64)>,
}

/// What came of both.
#[derive(Debug, Default)]
pub(super) struct Grown {
    pub(super) faults: Vec<String>,
    pub(super) figures: Value,
}

impl Growth {
    /// Starts both, each on a device of its own.
    pub(super) fn start(vmnet: &Path, directory: &Path, mark: &str) -> Result<Self> {
        let long = |name: &str| Long::start(Stage::pair(vmnet)?, vmnet, directory, name, mark);
        Ok(Self { amid_churn: long("churn")?, quiet: long("quiet")?, started: Instant::now() })
    }

    /// Something happens around the one, and a burst passes each; then the memory of both is read.
    pub(super) fn step(&mut self, draw: &mut Draw) -> Result<()> {
        self.amid_churn.churn(draw)?;
        for long in [&mut self.amid_churn, &mut self.quiet] {
            long.burst()?;
            let resident = resident_kib(&long.run)?;
            long.resident.push((self.started.elapsed().as_secs_f64(), resident));
        }
        Ok(())
    }

    /// Ends both by Ctrl-C.
    pub(super) fn end(self) -> Grown {
        let until = self.started.elapsed().as_secs_f64();
        let mut grown = Grown::default();
        let [churn, quiet] = [("amid churn", self.amid_churn), ("quiet", self.quiet)].map(|(name, long)| {
            let figures = figures(&long.resident, until);
            if let Err(error) = long.end(name == "amid churn") {
                grown.faults.push(format!("the long run, {name}: {error:#}"));
            }
            figures
        });
        let cpus = thread::available_parallelism().map_or(1, NonZero::get);
        grown.faults.extend(beyond(&churn, &quiet, cpus));
        grown.figures =
            json!({ "amid_churn": churn, "quiet": quiet, "most_beyond_quiet_kib": MOST_BEYOND_KIB });
        grown
    }
}

/// Whether the one grew by more than the other does, and may, or both by more than their samples take.
fn beyond(churn: &Value, quiet: &Value, cpus: usize) -> Option<String> {
    let [churn, quiet] = [churn, quiet].map(|figures| figures["growth_kib"].as_i64().unwrap_or_default());
    let kept = SAMPLES_KIB + INTERVALS_KIB * cpus as i64;
    (churn > quiet + MOST_BEYOND_KIB || quiet > kept).then(|| {
        format!(
            "a run amid churn grew by {churn} KiB, and a quiet one beside it by {quiet}; what they keep takes {kept} at most"
        )
    })
}

/// Of readings after the warm-up.
fn figures(resident: &[(f64, f64)], until: f64) -> Value {
    let settled: Vec<(f64, f64)> =
        resident.iter().copied().filter(|(at, _)| *at >= WARM_UP * until).collect();
    let first = settled.first().map(|(_, kib)| *kib as i64);
    // Merged samples make room, in the one a moment before the other.
    let most = settled.iter().map(|(_, kib)| *kib as i64).max();
    json!({
        "first_kib": first,
        "last_kib": settled.last().map(|(_, kib)| *kib as i64),
        "most_kib": most,
        "growth_kib": first.zip(most).map(|(first, most)| most - first),
        "slope_kib_per_minute": least_squares(&settled).map(|line| line.slope * 60.0),
        "readings": settled.len(),
    })
}

impl Long {
    fn start(stage: Stage, vmnet: &Path, directory: &Path, name: &str, mark: &str) -> Result<Self> {
        let file = |kind: &str| directory.join(format!("long-{name}.{kind}"));
        let (result, errors) = (file("json"), file("stderr"));
        let mut command = Command::new(vmnet);
        command.args([
            "run",
            stage.interface(),
            "-d",
            "100h",
            "-i",
            "100ms",
            "--no-report",
            "--expect",
            "engaged",
            "--json",
        ]);
        command.arg(&result).args(stage.namespace()).env(MARK, mark);
        let said = file("stdout");
        command.stdout(fs::File::create(&said)?).stderr(fs::File::create(&errors)?);
        let run = Group::start(&mut command)?;
        // Ctrl-C before it listens would end it without a word.
        wait_for("the long run to measure", || Ok(fs::read_to_string(&said)?.contains("Gbit/s")))?;
        Ok(Self { stage, run, result, errors, resident: Vec::new() })
    }

    /// Something that is no reason for TSO to be off.
    fn churn(&self, draw: &mut Draw) -> Result<()> {
        let both: [[&str; 2]; 6] = [
            ["ip link set veth0 mtu 1400", "ip link set veth0 mtu 1500"],
            ["ip link add other0 type veth peer name other1", "ip link delete other0"],
            ["ip address add 10.96.9.9/24 dev veth0", "ip address delete 10.96.9.9/24 dev veth0"],
            ["tc qdisc replace dev veth0 root pfifo", "tc qdisc delete dev veth0 root"],
            ["ethtool -K veth0 gro on", "ethtool -K veth0 gro off"],
            ["ip link set veth0 alias churned", "ip link set veth0 txqueuelen 1000"],
        ];
        let [there, back] = draw.one_of(&both);
        self.stage.exec(there)?;
        self.stage.exec(back).map(drop)
    }

    /// New connections each time.
    fn burst(&self) -> Result<()> {
        let words = self.stage.load("-n 4M -P 4");
        let mut client = self.stage.command(&words[0]);
        crate::command::output(client.args(&words[1..])).map(drop)
    }

    /// Its verdict is of all that time: TSO was on. Amid churn it may be undecided.
    fn end(mut self, may_be_undecided: bool) -> Result<()> {
        kill(self.run.pid(), Signal::SIGINT)?;
        let asked = Instant::now();
        let status = loop {
            if let Some(status) = self.run.0.try_wait()? {
                break status;
            }
            anyhow::ensure!(
                asked.elapsed() < ENDS_WITHIN,
                "Ctrl-C did not end it in {} s",
                ENDS_WITHIN.as_secs()
            );
            thread::sleep(Duration::from_millis(20));
        };
        let code = status.code();
        let said = || fs::read_to_string(&self.errors).unwrap_or_default();
        let bytes = fs::read(&self.result)?;
        let report = document(&bytes).with_context(|| format!("exit code {code:?}: {}", said()))?;
        let state = text(&report, "/verdict/state");
        let is_right = code == Some(0) || (may_be_undecided && code == Some(4));
        anyhow::ensure!(is_right, "exit code {code:?}, {state}: {}", said());
        Ok(())
    }
}

/// `VmRSS`.
fn resident_kib(run: &Group) -> Result<f64> {
    let path = format!("/proc/{}/status", run.0.id());
    let status = fs::read_to_string(&path).with_context(|| path.clone())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).context("it has ended: no VmRSS")?;
    Ok(kib.trim().parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_grows_by_more_than_the_one_beside_it_is_told() {
        let grows_by = |kib_a_second: f64| {
            let readings: Vec<(f64, f64)> =
                (0..=100).map(|at| (f64::from(at), 40_000.0 + f64::from(at) * kib_a_second)).collect();
            figures(&readings, 100.0)
        };
        let of = grows_by(10.0);
        assert_eq!((&of["first_kib"], &of["growth_kib"]), (&json!(40_100), &json!(900)));
        assert!((of["slope_kib_per_minute"].as_f64().unwrap() - 600.0).abs() < 1e-6);
        let beyond = |churn: f64, quiet: f64| beyond(&grows_by(churn), &grows_by(quiet), 1);
        assert_eq!(beyond(150.0, 100.0), None);
        assert!(beyond(200.0, 100.0).is_some());
        // Both lose memory alike.
        assert!(beyond(1_200.0, 1_200.0).is_some());
        assert_eq!(figures(&[], 0.0)["growth_kib"], Value::Null);
    }
}
