//! What the user side takes: time from its start to the first sample, memory, and CPU time on an interface without traffic.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use testbed::bench::{Bench, INTERFACE, load};
use testbed::command::output;
use testbed::interrupt;

const STARTS: usize = 20;

/// How long it is watched doing nothing.
const IDLE: &str = "20s";

/// As the option has it, and times a second.
const INTERVALS: [(&str, u32); 2] = [("1s", 1), ("100ms", 10)];

/// Measures and prints.
pub(crate) fn measure() -> Result<Value> {
    let bench = Bench::new("bench")?;
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        interrupt::check()?;
        starts.push(start(&bench)?.as_secs_f64() * 1e3);
    }
    starts.sort_by(f64::total_cmp);
    let (least, median, most) =
        (starts[0], (starts[STARTS / 2 - 1] + starts[STARTS / 2]) / 2.0, starts[STARTS - 1]);
    println!("\nstart to the first sample, ms: median of {STARTS} {median:.0}, {least:.0} to {most:.0}");
    let mut idle = Vec::new();
    for (interval, hertz) in INTERVALS {
        interrupt::check()?;
        let overhead = watching_nothing(&bench, interval)?;
        let cpus = std::thread::available_parallelism()?.get() as f64;
        let cpu_share = overhead["user_cpu_share"].as_f64().map(|share| share * cpus);
        let rss_bytes = overhead["rss_bytes"].as_u64();
        println!(
            "idle interface, {hertz} Hz, {IDLE}: {} of a CPU, {} resident",
            cpu_share.map_or_else(|| "-".to_owned(), |share| format!("{:.2} %", share * 100.0)),
            rss_bytes.map_or_else(|| "-".to_owned(), |bytes| format!("{:.1} MB", bytes as f64 / 1e6)),
        );
        idle.push(json!({ "hertz": hertz, "cpu_share_of_one_cpu": cpu_share, "rss_bytes": rss_bytes }));
    }
    let recording = recording(&bench)?;
    Ok(
        json!({ "recording": recording, "start_ms": { "median": median, "least": least, "most": most, "runs": STARTS }, "idle": idle }),
    )
}

/// What a run of ten seconds at 10 Hz leaves, and how long it takes to make its report again.
fn recording(bench: &Bench) -> Result<Value> {
    let (mut vmnet, reports) = bench.command(INTERFACE, &["-i", "100ms", "--"]);
    output(vmnet.args(load("--time 10s")))?;
    let run = fs::read_dir(&reports)?.next().context("no report")??.path();
    let recorded = run.join("run.vmnet");
    let bytes = fs::metadata(&recorded)?.len();
    let begun = Instant::now();
    let mut report = std::process::Command::new(testbed::paths::vmnet());
    output(report.arg("report").arg(&recorded).arg("-o").arg(bench.directory().join("again")))?;
    let report_ms = begun.elapsed().as_secs_f64() * 1e3;
    println!(
        "a recording of 10 s at 10 Hz: {:.1} kB; its report is made in {report_ms:.0} ms",
        bytes as f64 / 1e3
    );
    Ok(json!({ "bytes": bytes, "seconds": 10, "hertz": 10, "report_ms": report_ms }))
}

/// The heads of the columns are printed when the first sample has been taken.
fn start(bench: &Bench) -> Result<Duration> {
    let (mut vmnet, _) = bench.command(INTERFACE, &["--plain", "-d", "100ms"]);
    let begun = Instant::now();
    let mut child = vmnet.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let stdout = child.stdout.take().context("no standard output")?;
    let mut lines = BufReader::new(stdout).lines();
    let mut took = None;
    while let Some(line) = lines.next().transpose()? {
        if took.is_none() && line.trim_start().starts_with("time") {
            took = Some(begun.elapsed());
        }
    }
    child.wait()?;
    took.context("vmnet run printed no heads of columns")
}

fn watching_nothing(bench: &Bench, interval: &str) -> Result<Value> {
    let path = bench.directory().join("idle.json");
    let shown = path.to_string_lossy();
    let (mut vmnet, _) = bench.command(INTERFACE, &["-d", IDLE, "-i", interval, "--json", &shown]);
    output(&mut vmnet)?;
    let report: Value = serde_json::from_slice(&fs::read(&path)?)?;
    Ok(report["overhead"].clone())
}
