//! `cargo xtask soak`: commands of vmnet in random order under load, here or in guests, and what they left behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::{Value, json};
use testbed::{Kernel, Vm, interrupt, paths};

use crate::exit::Outcome;
use crate::{build, sudo};

const KERNELS: [&str; 4] = ["5.10", "6.1", "6.12", "sid"];
/// Beyond the time for which a guest soaks: it starts, and the last operation ends.
const AROUND: Duration = Duration::from_secs(300);

#[derive(Debug, Args)]
pub(crate) struct SoakArguments {
    /// How long: 10 (minutes), 90s, 1h; in guests, all of them together
    #[arg(long, alias = "time", value_name = "TIME", default_value = "60", value_parser = parse_time)]
    minutes: Duration,
    /// What is drawn [default: by the clock; it is printed]
    #[arg(long)]
    seed: Option<u64>,
    /// In guests with a virtio-net device, one kernel after the other, with churn of the device and of CPUs
    #[arg(long)]
    guest: bool,
    /// In a guest of this kernel (repeatable)
    #[arg(long, value_parser = KERNELS)]
    kernel: Vec<String>,
    /// Begin with the operation of this number, to have again one that went wrong
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    first: u64,
    /// This many operations at most
    #[arg(long, value_name = "COUNT")]
    operations: Option<u64>,
}

fn parse_time(text: &str) -> Result<Duration, String> {
    let (number, unit_s) = match text.char_indices().find(|(_, letter)| letter.is_alphabetic()) {
        None => (text, 60),
        Some((at, 's')) => (&text[..at], 1),
        Some((at, 'm')) => (&text[..at], 60),
        Some((at, 'h')) => (&text[..at], 3600),
        Some(_) => return Err("it takes minutes, or 90s, 10m, 1h".to_owned()),
    };
    let number: u64 = number.trim().parse().map_err(|_| format!("`{number}` is no whole number"))?;
    let seconds = number.checked_mul(unit_s).filter(|seconds| (1..=7 * 86_400).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| "it takes a second to a week".to_owned())
}

/// Builds, soaks, fails where anything was left or false.
pub(crate) fn run(arguments: &SoakArguments) -> Result<Outcome> {
    if !sudo::is_second_start() {
        build::run()?;
        build::soak()?;
    }
    if let Some(outcome) = sudo::start_again_as_root()? {
        return Ok(outcome);
    }
    let seed = arguments.seed.unwrap_or_else(by_the_clock);
    let result = paths::target().join("soak.json");
    if arguments.guest || !arguments.kernel.is_empty() {
        return in_guests(arguments, seed, &result);
    }
    testbed::setup::namespaces()?;
    let mut soak = Command::new(program());
    // Its operations are root's own, whoever called.
    for name in ["SUDO_UID", "SUDO_GID", "SUDO_USER"] {
        soak.env_remove(name);
    }
    soak.args([arguments.minutes.as_secs().to_string(), seed.to_string()]).arg(&result);
    Ok(soak.args(options(arguments)).status().context("the soak")?.into())
}

fn options(arguments: &SoakArguments) -> Vec<String> {
    let mut options = vec!["--first".to_owned(), arguments.first.to_string()];
    options
        .extend(arguments.operations.iter().flat_map(|count| ["--operations".to_owned(), count.to_string()]));
    options
}

fn program() -> PathBuf {
    paths::target().join("release/soak")
}

fn in_guests(arguments: &SoakArguments, seed: u64, result: &Path) -> Result<Outcome> {
    testbed::setup::virtual_machines()?;
    let kernels: Vec<&str> = match &arguments.kernel[..] {
        [] => KERNELS.to_vec(),
        named => named.iter().map(String::as_str).collect(),
    };
    let each = arguments.minutes / u32::try_from(kernels.len())?;
    let mut guests = Vec::new();
    let mut outcome = Outcome::Done;
    for kernel in kernels {
        interrupt::check()?;
        println!("\n== kernel {kernel} ==");
        let vm = guest(kernel.parse()?, each, seed, &options(arguments))?;
        let run = vm.run()?;
        let soaked =
            run.files.get("soak.json").map(|bytes| serde_json::from_slice::<Value>(bytes)).transpose()?;
        if let Some(logs) = run.files.get("soak.tar") {
            let kept = paths::target().join(format!("soak-{kernel}.tar"));
            fs::write(&kept, logs).with_context(|| kept.display().to_string())?;
            println!("what its faults said: {}", kept.display());
        }
        if run.exit_code != 0 || soaked.is_none() {
            outcome = Outcome::Failed;
        }
        guests.push(json!({ "kernel": kernel, "exit_code": run.exit_code, "soak": soaked }));
    }
    let text = serde_json::to_string_pretty(&json!({ "seed": seed, "guests": guests }))? + "\n";
    fs::write(result, text).with_context(|| result.display().to_string())?;
    println!("\nall of it: {}", result.display());
    Ok(outcome)
}

/// The same program, and the schemas that results are held against, at their places.
fn guest(kernel: Kernel, time: Duration, seed: u64, options: &[String]) -> Result<Vm> {
    let script = format!(
        "soak {} {seed} /tmp/soak.json --guest {}\ncode=$?\n\
         [ ! -f /tmp/soak.json ] || send-file soak.json /tmp/soak.json\n\
         [ ! -d /tmp/soak ] || {{ tar -c -f /tmp/soak.tar -C /tmp soak && send-file soak.tar /tmp/soak.tar; }}\n\
         exit $code\n",
        time.as_secs(),
        options.join(" ")
    );
    let vm = Vm::new(kernel).serve_load().echo(true).timeout(time + AROUND).script(script);
    let mut vm = vm.file(program(), "/usr/bin/soak");
    for schema in fs::read_dir(paths::workspace().join("docs/schema"))? {
        let schema = schema?.path();
        vm = vm.file(schema.clone(), schema);
    }
    Ok(vm)
}

fn by_the_clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_minutes_unless_it_says_otherwise() {
        for (text, seconds) in [("10", 600), ("90s", 90), ("2m", 120), ("1h", 3600)] {
            assert_eq!(parse_time(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "0", "-1", "1d", "h", "1.5h", "99999999999999999999", "9999999999999h"] {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }
}
