//! Nanoseconds an event of each program, gross and net of an empty program that runs beside it at the same place: on a veth pair at full
//! speed, TSO off and on. Both are means over one run, so a machine that is slow today slows both.

use std::fs;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use testbed::bench::{Bench, INTERFACE, load};
use testbed::command::captured;
use testbed::interrupt;

const DURATION: &str = "--time 3s";

/// Measures both, so many times, and prints a table of each.
pub(crate) fn measure(rounds: u32) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    let bench = Bench::new("bench")?;
    for round in 1..=rounds {
        for tso in ["off", "on"] {
            interrupt::check()?;
            bench.near.exec(&format!("ethtool -K {INTERFACE} tso {tso}"))?;
            let report = run(&bench)?;
            let mode = report["probes"]["mode"].as_str().unwrap_or("?");
            println!("\nTSO {tso}, round {round} of {rounds}, mode {mode}, ns an event");
            println!(
                "{:<22} {:<10} {:>10} {:>8} {:>8} {:>13}",
                "hook", "kind", "events", "gross", "net", "instructions"
            );
            let hooks = &report["probes"]["hooks"];
            hooks.as_array().into_iter().flatten().for_each(print);
            all.push(json!({ "tso": tso, "round": round, "mode": mode, "hooks": hooks }));
        }
    }
    Ok(all)
}

fn run(bench: &Bench) -> Result<Value> {
    let json = bench.directory().join("run.json");
    let path = json.to_string_lossy();
    let (mut vmnet, _) = bench.command(INTERFACE, &["--overhead", "--json", &path, "--"]);
    let output = captured(vmnet.args(load(DURATION)))?;
    if !output.status.success() {
        bail!("vmnet run ended with {}:\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    let text = fs::read(&json).with_context(|| path.into_owned())?;
    Ok(serde_json::from_slice(&text)?)
}

fn print(hook: &Value) {
    let text = |name: &str| hook[name].as_str().unwrap_or_default().to_owned();
    let number = |name: &str, digits: usize| {
        hook[name].as_f64().map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
    };
    println!(
        "{:<22} {:<10} {:>10} {:>8} {:>8} {:>13}",
        text("hook"),
        text("kind"),
        number("events", 0),
        number("ns_per_event", 1),
        number("net_ns_per_event", 1),
        number("instructions", 0)
    );
}
