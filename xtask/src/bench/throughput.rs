//! What watching leaves of throughput and takes of CPU: programs attached and detached every 250 ms within one long transfer at full speed over a
//! veth pair, or over five devices for `vmnet path`, in blocks of ABBA, each beside a control in which nothing is attached (`tests/src/bin/watching-costs.rs`).

use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use testbed::bench::{Bench, FAR, INTERFACE, Running, load, wait_for};
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

/// The same for what watches a whole way: programs all the time, one window in each slot, the command with its windows as it goes on, and from its
/// start.
const PATHS: [(&str, &str); 4] =
    [("path-exact", "off"), ("path-window", "off"), ("path", "off"), ("path-run", "off")];
/// With TSO off at the first of them each device behind it sees every segment.
const OVER_A_PATH: (&str, &str) = ("5 devices", "-P 1");

/// Traffic: its name, options of the load.
const TRAFFIC: [(&str, &str); 3] = [
    ("1 stream", "-P 1"),
    ("16 streams", "-P 16"),
    ("100-byte writes", "-P 1 --message-bytes 100 --nodelay"),
];

/// Measures each pair under each traffic, TSO off and on, for so many seconds each, and prints a table. Only cells with all of these words in
/// their name, such as `16 streams` or `light/off`.
pub(crate) fn measure(seconds: u32, only: &[String]) -> Result<Vec<Value>> {
    println!(
        "\n{:<16} {:<4} {:<15} {:>7} {:>25} {:>25} {:>25}",
        "traffic", "TSO", "with/without", "blocks", "throughput", "CPU per byte", "control (throughput)"
    );
    let mut all = Vec::new();
    let cells = Cells { seconds, only };
    let on_one = TRAFFIC.iter().any(|traffic| cells.wants(traffic.0, &PAIRS));
    if on_one {
        let bench = Bench::new("bench")?;
        for traffic in TRAFFIC {
            cells.measure(&bench, traffic, &PAIRS, &mut all)?;
        }
    }
    if cells.wants(OVER_A_PATH.0, &PATHS) {
        cells.measure(&Bench::over_five_devices("bench")?, OVER_A_PATH, &PATHS, &mut all)?;
    }
    Ok(all)
}

/// Those that are wanted, for so many seconds each.
struct Cells<'a> {
    seconds: u32,
    only: &'a [String],
}

impl Cells<'_> {
    fn is_wanted(&self, traffic: &str, tso: &str, (with, without): (&str, &str)) -> bool {
        let name = format!("{traffic}, TSO {tso}, {with}/{without}");
        self.only.iter().all(|word| name.contains(word))
    }

    fn wants(&self, traffic: &str, pairs: &[(&str, &str)]) -> bool {
        let mut both = pairs.iter().flat_map(|pair| [("off", pair), ("on", pair)]);
        both.any(|(tso, pair)| self.is_wanted(traffic, tso, *pair))
    }

    fn measure(
        &self,
        bench: &Bench,
        (traffic, options): (&str, &str),
        pairs: &[(&str, &str)],
        all: &mut Vec<Value>,
    ) -> Result<()> {
        bench.unpaced()?;
        for tso in ["off", "on"] {
            bench.near.exec(&format!("ethtool -K {INTERFACE} tso {tso}"))?;
            for (with, without) in pairs.iter().copied() {
                if !self.is_wanted(traffic, tso, (with, without)) {
                    continue;
                }
                interrupt::check()?;
                let mut found = match pair(bench, options, (with, without), self.seconds) {
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
        Ok(())
    }
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
    let mut meter = bench.near.command(paths::target().join("release/watching-costs"));
    let output = captured(meter.args([INTERFACE, with, without, &seconds.to_string(), FAR]))?;
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
        "{traffic:<16} {tso:<4} {:<15} {:>7} {:>25} {:>25} {:>25}",
        format!("{}/{}", text("with"), text("without")),
        found["measured"]["blocks"],
        ratio("/measured/throughput"),
        ratio("/measured/cpu_per_byte"),
        ratio("/control/throughput"),
    );
    if !found["as_often_as_it_is"].is_null() {
        println!("{:>44}{:>26}  with one such slot in 2 s", "", ratio("/as_often_as_it_is"));
    }
}
