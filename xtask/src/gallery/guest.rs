//! One exhibit, run in a guest: what comes out is the recording, and what it said when it was made.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::Value;
use testbed::gallery::{EXPERIMENT_JSON, Exhibit, RECORDING, REPORT_JSON};
use testbed::{Vm, VmRun, interrupt};

use super::KERNEL;

/// How often an exhibit is tried until it shows what it should, proven.
const ATTEMPTS: u32 = 3;

/// Queues of the device and CPUs of the guest, so that there is something to see by queue and by CPU.
const QUEUES: u32 = 4;

/// What differs from one exhibit to the next.
struct Circumstances {
    /// Properties of the device.
    nic: Option<&'static str>,
    /// Run before.
    before: &'static str,
    /// What is profiled.
    command: &'static str,
}

/// With JSON, which vmnet understands: the report then has what iperf3 says of itself, in numbers.
const TRAFFIC: &str = "iperf3 -c 10.10.1.10 -t 15 -P 4 --json";

fn circumstances(exhibit: Exhibit) -> Result<Circumstances> {
    let usual = Circumstances { nic: None, before: "", command: TRAFFIC };
    Ok(match exhibit.name {
        "tso-on" => usual,
        "tso-off" => Circumstances { before: "ethtool -K ens4 tso off", ..usual },
        "flip" => Circumstances {
            command: "sh -c 'iperf3 -c 10.10.1.10 -t 15 -P 4 --json & sleep 8; ethtool -K ens4 tso off; wait'",
            ..usual
        },
        "host-no-tso" => Circumstances { nic: Some("host_tso4=off,host_tso6=off"), ..usual },
        other => bail!("nobody knows how to bring about {other}"),
    })
}

/// Runs it until the verdict is the exhibit's, and proven: in emulation a run may be unlucky. Leaves the recording in
/// `directory`.
pub(super) fn record(exhibit: Exhibit, directory: &Path) -> Result<()> {
    let Circumstances { nic, before, command } = circumstances(exhibit)?;
    // The words of the command stand in the report, so there are no paths in them, nor in where it goes.
    let script = format!(
        "set -e\n{before}\nvmnet run ens4 -i 1s -o runs -- {command}\n\
         for file in {RECORDING} {REPORT_JSON}; do send-file $file runs/latest/$file; done\n"
    );
    let mut vm = Vm::new(KERNEL).queues(QUEUES).cpus(QUEUES).script(script).echo(true);
    if let Some(properties) = nic {
        vm = vm.nic(properties);
    }
    let mut said = String::new();
    for attempt in 1..=ATTEMPTS {
        interrupt::check()?;
        let run = vm.run()?;
        if run.exit_code != 0 {
            bail!("the guest's script ended with {}", run.exit_code);
        }
        said = verdict(&run)?;
        if said == format!("{} (proven)", exhibit.state) {
            fs::write(directory.join(RECORDING), file(&run, RECORDING)?)?;
            return Ok(());
        }
        println!("\n({said}, where {} should be proven; {attempt} of {ATTEMPTS})", exhibit.state);
    }
    bail!("{said}, {ATTEMPTS} times, where {} should be proven", exhibit.state)
}

/// Enough blocks for chance to be told from an effect, of runs that are as short as sense allows.
const EXPERIMENT_COMMAND: &str = "vmnet ab ens4 -o runs --blocks 6 -- iperf3 -c 10.10.1.10 -t 3 -P 4 -J";

/// Does the experiment until it ends as planned. Leaves its result in `directory`.
pub(super) fn experiment(directory: &Path) -> Result<()> {
    let script = format!("{EXPERIMENT_COMMAND}\nsend-file {EXPERIMENT_JSON} runs/latest/{EXPERIMENT_JSON}\n");
    let vm = Vm::new(KERNEL).queues(QUEUES).cpus(QUEUES).script(script).echo(true);
    let mut said = String::new();
    for attempt in 1..=ATTEMPTS {
        interrupt::check()?;
        let run = vm.run()?;
        let result: Value = serde_json::from_slice(file(&run, EXPERIMENT_JSON)?).context(EXPERIMENT_JSON)?;
        said = result["window"]["ended_by"].as_str().unwrap_or("nobody knows what").to_owned();
        if said == "plan" {
            fs::write(directory.join(EXPERIMENT_JSON), file(&run, EXPERIMENT_JSON)?)?;
            return Ok(());
        }
        println!("\n(ended by {said}; {attempt} of {ATTEMPTS})");
    }
    bail!("ended by {said}, {ATTEMPTS} times, where it should end as planned")
}

fn verdict(run: &VmRun) -> Result<String> {
    let report: Value = serde_json::from_slice(file(run, REPORT_JSON)?).context(REPORT_JSON)?;
    let word = |name: &str| report["verdict"][name].as_str().unwrap_or("nothing").to_owned();
    Ok(format!("{} ({})", word("state"), word("confidence")))
}

fn file<'a>(run: &'a VmRun, name: &str) -> Result<&'a [u8]> {
    run.files.get(name).map(Vec::as_slice).ok_or_else(|| anyhow!("the guest sent no {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exhibit_can_be_brought_about() {
        for exhibit in testbed::gallery::RUNS {
            assert!(circumstances(exhibit).is_ok(), "{}", exhibit.name);
        }
    }
}
