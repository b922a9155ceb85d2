//! Drivers whose counters mean something else than those of virtio-net: e1000 and igb count segments, e1000e adds a frame check sequence,
//! vmxnet3 frees what it has sent as if it were dropped. A working TSO is proven on each, and so is one that is off; `vmnet check` decides.

#![expect(clippy::unwrap_used, reason = "a scenario's helpers fail as its tests do")]

use std::fs;

mod measured;

use measured::{Measured, machine};
use testbed::{Kernel, paths, skip, skip_unless};

/// TSO off, then on: `check` without traffic.
const SCRIPT: &str = r#"
set -e
ask() { vmnet check ens4 --share | tail -1 >>/tmp/rows; }
for tso in off on; do
    ethtool -K ens4 tso $tso
    ask
done
"#;

/// And `run` as people run it.
const ON_TWO_KERNELS: &str = r#"
for tso in off on; do
    ethtool -K ens4 tso $tso
    measure_light light-$tso -- vmnet load client 10.10.1.10 -t 1s
done
"#;

/// And with every hook, and `check` beside traffic of others.
const ON_ONE_KERNEL: &str = r#"
for tso in off on; do
    ethtool -K ens4 tso $tso
    measure exact-$tso -- vmnet load client 10.10.1.10 -n 4M
done
iperf3 -c 10.10.1.10 -t 60 >/dev/null &
busy=$!
before=$(cat /sys/class/net/ens4/statistics/tx_bytes)
until [ "$(cat /sys/class/net/ens4/statistics/tx_bytes)" -gt $((before + 5000000)) ]; do sleep 0.1; done
ask
kill -INT $busy
wait $busy || true
"#;

/// What is held there alone has nothing to do with the kernel.
const THE_ONE: Kernel = Kernel::V6_1;

/// What each asking said, in a row of docs/tried.md: its state, and by what it was seen.
fn states(rows: &str) -> Vec<(&str, &str)> {
    rows.lines()
        .map(|row| {
            let cells: Vec<&str> = row.trim_matches(['|', ' ']).split(" | ").collect();
            (cells[3], cells[8])
        })
        .collect()
}

fn on_and_off_are_told_and_proven(kernel: Kernel, model: &str) {
    skip_unless!(skip::vm(kernel), skip::vmnet(), skip::program("iperf3"));
    if model != "vmxnet3" {
        skip_unless!(skip::generic_vm(kernel));
    }
    let (is_run, is_exact) = (kernel == THE_ONE || kernel == Kernel::Sid, kernel == THE_ONE);
    let runs = if is_run { ON_TWO_KERNELS } else { "" };
    let further = if is_exact { ON_ONE_KERNEL } else { "" };
    let script = format!("{SCRIPT}{runs}{further}send-file rows /tmp/rows");
    let run = machine(kernel, &script).model(model).run().unwrap();
    println!("{model}, {kernel}: {}, {:.1} s", run.start, run.duration.as_secs_f64());
    assert_eq!(run.exit_code, 0, "{}", run.stdout);
    for (tso, state, none) in [("off", "software", "hardware_bytes"), ("on", "engaged", "software_bytes")] {
        for counting in is_run.then_some("light").into_iter().chain(is_exact.then_some("exact")) {
            let of = Measured::of(&run, &format!("{counting}-{tso}"));
            assert_eq!((of.state(), of.confidence(), of.tcp(none)), (state, "proven", 0), "{of}");
            // `e1000e_update_stats` reads the bytes' two halves one after the other, and QEMU clears both with the second: what leaves between the two
            // is not counted.
            let mut failing = of.failing();
            failing.retain(|name| !(model == "e1000e" && name == "device-bytes"));
            assert!(failing.is_empty(), "{failing:?} {of}");
            assert_eq!(of.tcp("dropped_bytes"), 0, "{of}");
        }
    }
    // e1000 knows no TSO for IPv6 (`e1000_probe`), and the traffic is IPv4.
    let on = if model == "e1000" { "PARTIAL" } else { "ENGAGED" };
    let expected = [("SOFTWARE", "tap"), (on, "tap"), (on, "tap")];
    let rows = String::from_utf8(run.files["rows"].clone()).unwrap();
    let asked = states(&rows);
    assert_eq!(asked, expected[..asked.len()], "{rows}");
    assert_eq!(asked.len(), if is_exact { 3 } else { 2 }, "{rows}");
    let tried = paths::target().join("tried");
    fs::create_dir_all(&tried).unwrap();
    fs::write(tried.join(format!("{model}-{kernel}.md")), rows).unwrap();
}

macro_rules! on_and_off_are_told_and_proven {
    ($($name:ident: $kernel:expr, $model:literal;)*) => {$(
        #[test]
        fn $name() {
            on_and_off_are_told_and_proven($kernel, $model);
        }
    )*};
}

on_and_off_are_told_and_proven! {
    e1000_on_5_10: Kernel::V5_10, "e1000";
    e1000_on_6_1: Kernel::V6_1, "e1000";
    e1000_on_6_12: Kernel::V6_12, "e1000";
    e1000_on_sid: Kernel::Sid, "e1000";
    e1000e_on_5_10: Kernel::V5_10, "e1000e";
    e1000e_on_6_1: Kernel::V6_1, "e1000e";
    e1000e_on_6_12: Kernel::V6_12, "e1000e";
    e1000e_on_sid: Kernel::Sid, "e1000e";
    igb_on_5_10: Kernel::V5_10, "igb";
    igb_on_6_1: Kernel::V6_1, "igb";
    igb_on_6_12: Kernel::V6_12, "igb";
    igb_on_sid: Kernel::Sid, "igb";
    vmxnet3_on_5_10: Kernel::V5_10, "vmxnet3";
    vmxnet3_on_6_1: Kernel::V6_1, "vmxnet3";
    vmxnet3_on_6_12: Kernel::V6_12, "vmxnet3";
    vmxnet3_on_sid: Kernel::Sid, "vmxnet3";
}
