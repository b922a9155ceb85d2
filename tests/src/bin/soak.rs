//! `soak SECONDS SEED JSON [--first N] [--operations N] [--guest]`: what `cargo xtask soak` runs, on this machine and in guests.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use testbed::soak::{Plan, soak, write};
use testbed::{command, paths};

fn main() -> Result<ExitCode> {
    if !command::is_root() {
        bail!("network namespaces need root; `cargo xtask soak` asks for it");
    }
    let mut words = std::env::args().skip(1);
    let mut next = |what| words.next().context(what);
    let time = Duration::from_secs(next("usage: soak SECONDS SEED JSON [OPTIONS]")?.parse()?);
    let (seed, json) = (next("a seed")?.parse()?, PathBuf::from(next("a file for the result")?));
    let keep = json.with_file_name("soak");
    let (vmnet, most) = (paths::vmnet(), u64::MAX);
    let mut plan = Plan { time, seed, first: 0, operations: most, vmnet, is_guest: false, shows: true, keep };
    while let Some(word) = words.next() {
        let mut number = || words.next().context("a number is missing")?.parse().context("a number");
        match word.as_str() {
            "--first" => plan.first = number()?,
            "--operations" => plan.operations = number()?,
            "--guest" => {
                plan.is_guest = true;
                plan.vmnet = command::find("vmnet").context("no vmnet in this guest")?;
            }
            other => bail!("{other} is no option"),
        }
    }
    eprintln!("soaking for {} s, seed {seed}", time.as_secs());
    let soaked = soak(&plan)?;
    println!("{}", soaked.table);
    write(&soaked, &json)?;
    println!("\nall of it: {}", json.display());
    Ok(if soaked.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
