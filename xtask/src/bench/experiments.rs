//! What `vmnet ab` says, held against what is so: of vmnet itself (`--feature profiler`), and of TSO against an alternation by hand
//! with no vmnet anywhere, in turns, so that both meet the same machine.

use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use testbed::bench::{Bench, FAR, INTERFACE, load};
use testbed::command::output;
use testbed::interrupt;

/// Of one trial.
const TIME: &str = "2s";
/// Blocks of ABBA in each turn.
const BLOCKS: u32 = 4;
/// Two standard errors hold 95 % where blocks are many.
const STANDARD_ERRORS: f64 = 1.96;

/// Blocks of each, so many in all.
pub(crate) fn measure(blocks: u32) -> Result<Value> {
    let bench = Bench::new("bench")?;
    bench.unpaced()?;
    println!("\n`vmnet ab`, {blocks} blocks of 4 trials of {TIME}, ratios of throughput");
    let mut profiler = Vec::new();
    for tso in ["off", "on"] {
        bench.near.exec(&format!("ethtool -K {INTERFACE} tso {tso}"))?;
        let found = of_blocks(&by_vmnet(&bench, "profiler", blocks)?)?;
        found.print(&format!("profiler on/off, TSO {tso}"));
        profiler.push(json!({ "tso": tso, "found": found.json() }));
    }
    let (mut by_vmnet_ab, mut by_hand_alone) = (Vec::new(), Vec::new());
    while by_hand_alone.len() < blocks as usize {
        interrupt::check()?;
        by_hand_alone.extend(by_hand(&bench)?);
        by_vmnet_ab.extend(by_vmnet(&bench, "tso", BLOCKS)?);
    }
    let (vmnet, hand) = (of_blocks(&by_vmnet_ab)?, of_blocks(&by_hand_alone)?);
    vmnet.print("TSO on/off by vmnet ab");
    hand.print("TSO on/off by hand");
    let difference = Mean { mean: vmnet.mean - hand.mean, error: vmnet.error.hypot(hand.error), ..vmnet };
    difference.print("the one against the other");
    Ok(json!({
        "profiler": profiler,
        "tso_by_vmnet_ab": vmnet.json(),
        "tso_by_hand": hand.json(),
        "vmnet_ab_against_by_hand": difference.json(),
    }))
}

/// Of log ratios.
struct Mean {
    blocks: usize,
    mean: f64,
    /// Its standard error.
    error: f64,
}

impl Mean {
    /// As ratios.
    fn interval(&self) -> [f64; 2] {
        let half = STANDARD_ERRORS * self.error;
        [self.mean - half, self.mean + half].map(f64::exp)
    }

    fn json(&self) -> Value {
        json!({ "blocks": self.blocks, "ratio": self.mean.exp(), "interval": self.interval() })
    }

    fn print(&self, what: &str) {
        let [low, high] = self.interval();
        println!("{what:<28} {:>4} blocks  {:.3} [{low:.3}, {high:.3}]", self.blocks, self.mean.exp());
    }
}

fn of_blocks(log_ratios: &[f64]) -> Result<Mean> {
    let blocks = log_ratios.len();
    if blocks < 2 {
        bail!("{blocks} blocks are too few for an interval");
    }
    let count = blocks as f64;
    let mean = log_ratios.iter().sum::<f64>() / count;
    let squares: f64 = log_ratios.iter().map(|ratio| (ratio - mean).powi(2)).sum();
    Ok(Mean { blocks, mean, error: (squares / (count - 1.0) / count).sqrt() })
}

/// Log ratios, block by block. What others do to this machine is no reason for a trial not to count: it meets the other way as well.
fn by_vmnet(bench: &Bench, feature: &str, blocks: u32) -> Result<Vec<f64>> {
    let (json, blocks) = (bench.directory().join("ab.json"), blocks.to_string());
    let path = json.to_string_lossy();
    let times = ["--time", TIME, "--cool-down", "100ms", "--warm-up", "200ms"];
    let options = ["--feature", feature, "--no-placebo", "--load", FAR, "--blocks", &blocks, "--json", &path];
    let calm = ["--max-steal", "100", "--max-retransmits", "100"];
    let (mut vmnet, _) = bench.experiment(&[&times[..], &options, &calm].concat());
    output(&mut vmnet)?;
    let found: Value = serde_json::from_slice(&std::fs::read(&json)?)?;
    let effects = found["effects"].as_array().into_iter().flatten();
    let mut effects = effects.flat_map(|arm| arm["effects"].as_array().into_iter().flatten());
    let throughput = effects.find(|effect| effect["metric"] == "throughput_gbps");
    let by_block = throughput.and_then(|effect| effect["by_block"].as_array());
    let by_block = by_block.context("no effect on throughput")?;
    Ok(by_block.iter().filter_map(Value::as_f64).map(|percent| (percent / 100.0).ln_1p()).collect())
}

fn by_hand(bench: &Bench) -> Result<Vec<f64>> {
    let mut log_ratios = Vec::new();
    for block in 0..BLOCKS {
        // There and back, and the other way round in every second block.
        let order = if block % 2 == 0 { ["on", "off", "off", "on"] } else { ["off", "on", "on", "off"] };
        let mut log_ratio = 0.0;
        for tso in order {
            interrupt::check()?;
            bench.near.exec(&format!("ethtool -K {INTERFACE} tso {tso}"))?;
            let half = goodput_gbps(bench)?.ln() / 2.0;
            log_ratio += if tso == "on" { half } else { -half };
        }
        log_ratios.push(log_ratio);
    }
    bench.near.exec(&format!("ethtool -K {INTERFACE} tso on"))?;
    Ok(log_ratios)
}

fn goodput_gbps(bench: &Bench) -> Result<f64> {
    let words = load(&format!("--time {TIME} --json"));
    let mut client: Command = bench.near.command(&words[0]);
    let found: Value = serde_json::from_str(&output(client.args(&words[1..]))?)?;
    found["goodput_gbps"].as_f64().filter(|gbps| *gbps > 0.0).context("no goodput")
}
