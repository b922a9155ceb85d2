//! What watching leaves of throughput and takes of CPU: programs attached and detached every 250 ms within one long transfer over a veth pair at
//! full speed, in blocks of ABBA, each beside a control in which nothing is attached (`tests/src/bin/watching-costs.rs`).

use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use testbed::bench::{Bench, INTERFACE, Running, load, wait_for};
use testbed::command::captured;
use testbed::{interrupt, paths};

/// What is compared: a way of watching, and what it is held against.
const PAIRS: [(&str, &str); 6] = [
    ("light", "off"),
    ("light-empty", "off"),
    ("run", "off"),
    ("exact", "off"),
    ("exact", "empty"),
    (BPFTRACE, "off"),
];
const BPFTRACE: &str = "bpftrace";

/// Traffic: its name, options of the load.
const TRAFFIC: [(&str, &str); 3] = [
    ("1 stream", "-P 1"),
    ("16 streams", "-P 16"),
    ("100-byte writes", "-P 1 --message-bytes 100 --nodelay"),
];

/// Measures each pair under each traffic, TSO off and on, for so many seconds each, and prints a table. Only cells with all of these words in
/// their name, such as `16 streams` or `light/off`.
pub(crate) fn measure(seconds: u32, only: &[String]) -> Result<Vec<Value>> {
    let bench = Bench::new("bench")?;
    bench.unpaced()?;
    let mut all = Vec::new();
    println!(
        "\n{:<16} {:<4} {:<14} {:>7} {:>25} {:>25} {:>25}",
        "traffic", "TSO", "with/without", "blocks", "throughput", "CPU per byte", "control (throughput)"
    );
    for (traffic, options) in TRAFFIC {
        for tso in ["off", "on"] {
            bench.near.exec(&format!("ethtool -K {INTERFACE} tso {tso}"))?;
            for (with, without) in PAIRS {
                let name = format!("{traffic}, TSO {tso}, {with}/{without}");
                if !only.iter().all(|word| name.contains(word)) {
                    continue;
                }
                interrupt::check()?;
                let mut found = match pair(&bench, options, (with, without), seconds) {
                    Ok(found) => found,
                    // Some machines have no tracepoints that bpftrace could find: a cell less, and not the end of the table.
                    Err(error) if with == BPFTRACE => {
                        let why = error.to_string();
                        println!(
                            "{traffic:<16} {tso:<4} {with}/{without}: {}",
                            why.lines().nth(1).unwrap_or(&why)
                        );
                        json!({ "with": with, "without": without, "measured": null, "reason": why })
                    }
                    Err(error) => return Err(error),
                };
                if !found["measured"].is_null() {
                    print(traffic, tso, &found);
                }
                found["traffic"] = traffic.into();
                found["tso"] = tso.into();
                all.push(found);
            }
        }
    }
    Ok(all)
}

/// One cell of the table.
fn pair(bench: &Bench, options: &str, (with, without): (&str, &str), seconds: u32) -> Result<Value> {
    let lasts = seconds + 10;
    let words = load(&format!("--time {lasts}s {options}"));
    let mut client = bench.near.command(&words[0]);
    client.args(&words[1..]).stdout(Stdio::null()).stderr(Stdio::null());
    let before = bench.near.statistic(INTERFACE, "tx_bytes")?;
    let sender = Running(client.spawn().context("the load")?);
    wait_for("the traffic", || Ok(bench.near.statistic(INTERFACE, "tx_bytes")? > before + (1 << 22)))?;
    let mut meter = bench.near.command(paths::workspace().join("target/release/watching-costs"));
    let output = captured(meter.args([INTERFACE, with, without, &seconds.to_string()]))?;
    drop(sender);
    if !output.status.success() {
        bail!("watching-costs ended with {}:\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn print(traffic: &str, tso: &str, found: &Value) {
    let ratio = |at: &str| {
        let of = |path: &str| found.pointer(&format!("{at}/{path}")).and_then(Value::as_f64);
        match (of("ratio"), of("interval/0"), of("interval/1")) {
            (Some(ratio), Some(low), Some(high)) => format!("{ratio:.3} [{low:.3}, {high:.3}]"),
            _ => "-".to_owned(),
        }
    };
    let text = |name: &str| found[name].as_str().unwrap_or("?").to_owned();
    println!(
        "{traffic:<16} {tso:<4} {:<14} {:>7} {:>25} {:>25} {:>25}",
        format!("{}/{}", text("with"), text("without")),
        found["measured"]["blocks"],
        ratio("/measured/throughput"),
        ratio("/measured/cpu_per_byte"),
        ratio("/control/throughput"),
    );
}
