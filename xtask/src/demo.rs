//! `cargo xtask demo`: the whole job on two network namespaces of this machine, TSO on, then off.

mod half;
mod shown;

use std::path::Path;

use anyhow::Result;
use testbed::netns::{VethEnd, veth_pair};
use testbed::{Netns, interrupt};

use crate::exit::Outcome;
use crate::{build, sudo};
use half::HALVES;

/// Where runs land, below the current directory.
const REPORTS: &str = "reports";
const INTERFACE: &str = "veth0";
const RECEIVER_ADDRESS: &str = "10.97.0.2";

/// Builds, runs both halves, shows both verdicts and where the reports are. Fails if a state is another than the expected
/// one, or there is none.
pub(crate) fn run() -> Result<Outcome> {
    if !sudo::is_second_start() {
        if !testbed::paths::vmnet().is_file() {
            eprintln!(
                "the first build takes two to four minutes on two cores, installing included; then half a minute for both runs"
            );
        }
        build::run()?;
    }
    if let Some(outcome) = sudo::start_again_as_root()? {
        return Ok(outcome);
    }
    testbed::setup::demo()?;
    let (sender, receiver) = (Netns::new("demo")?, Netns::new("demo")?);
    veth_pair(
        VethEnd { namespace: &sender, interface: INTERFACE, addresses: &["10.97.0.1/24"] },
        VethEnd { namespace: &receiver, interface: "veth1", addresses: &[&format!("{RECEIVER_ADDRESS}/24")] },
    )?;
    count_at_the_queue(&sender);
    let _server = testbed::bench::serve_load(&receiver)?;
    let mut lines = Vec::new();
    let mut all_as_expected = true;
    for half in HALVES {
        interrupt::check()?;
        println!("\n== TSO {} on {INTERFACE}: expecting {} ==", half.tso, half.expected);
        sender.exec(&format!("ethtool -K {INTERFACE} tso {}", half.tso))?;
        let seen = half.show(&sender, Path::new(REPORTS))?;
        all_as_expected &= seen.is_as_expected(&half);
        lines.push(seen.summary(&half));
    }
    println!("\n{}", lines.join("\n"));
    println!(
        "\nThese two namespaces are gone now. On an interface of yours: sudo {} run IFACE",
        testbed::paths::vmnet().display()
    );
    Ok(if all_as_expected { Outcome::Done } else { Outcome::Failed })
}

/// A veth has no queue of its own; with one, the kernel's own counters have segments to count. Not every kernel has
/// each of these, and the demonstration stands without.
fn count_at_the_queue(sender: &Netns) {
    let _ = ["pfifo_fast", "fq_codel", "pfifo"]
        .iter()
        .find(|qdisc| sender.exec(&format!("tc qdisc replace dev {INTERFACE} root {qdisc}")).is_ok());
}
