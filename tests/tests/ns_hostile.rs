//! Traffic and surroundings that mislead: captures, other protocols, changes in mid-run, tunnels, odd qdiscs. What a run says is held against witnesses that have
//! no part in it: the device's counters as `ip` reads them, TCP's count of what it retransmitted, and what the scenario itself did.

#![expect(clippy::unwrap_used, reason = "a scenario's helpers fail as its tests do")]

use std::process::Stdio;

use testbed::bench::{Bench, FAR, INTERFACE, Run, Running, load, wait_for};
use testbed::{skip, skip_unless};

/// What nobody asked vmnet for.
#[derive(Clone, Copy)]
struct Witness {
    tx_bytes: u64,
    tx_dropped: u64,
    retransmitted_segs: u64,
}

impl Witness {
    fn of(bench: &Bench) -> Self {
        let nstat = bench.near.exec("nstat -asz TcpRetransSegs").unwrap();
        let retransmitted = nstat.lines().find_map(|line| line.strip_prefix("TcpRetransSegs")).unwrap();
        Self {
            tx_bytes: bench.near.statistic(INTERFACE, "tx_bytes").unwrap(),
            tx_dropped: bench.near.statistic(INTERFACE, "tx_dropped").unwrap(),
            retransmitted_segs: retransmitted.split_whitespace().next().unwrap().parse().unwrap(),
        }
    }
}

/// Words for the far end's load server, a second long.
fn bulk() -> Vec<String> {
    load("-t 1s -P 2")
}

/// Traffic under surroundings that `prepare` makes; what it returns lives as long as the run.
fn misled<T>(prepare: impl FnOnce(&Bench) -> T, traffic: impl FnOnce() -> Vec<String>) -> (Run, Bench) {
    let bench = Bench::new("hostile").unwrap();
    let surroundings = prepare(&bench);
    let before = Witness::of(&bench);
    let run = bench.run(&[], &traffic()).unwrap();
    let after = Witness::of(&bench);
    drop(surroundings);
    assert_eq!(run.code, Some(0), "{run}");

    let figure = |at: &str| run.json.pointer(at).and_then(serde_json::Value::as_f64);
    let left = (after.tx_bytes - before.tx_bytes) as f64;
    let told = figure("/throughput/wire_gbps").unwrap() / 8.0 * 1e9 * figure("/window/duration_s").unwrap();
    // Told with the headers of all segments, up to a tenth in a tunnel.
    assert!((told - left).abs() <= 0.10 * left + 500_000.0, "{told} told, and {left} left\n{run}");
    let tcp = |name: &str| figure(&format!("/ledger/tcp/{name}"));
    if after.retransmitted_segs == before.retransmitted_segs {
        assert!(tcp("retransmitted_bytes").is_none_or(|bytes| bytes == 0.0), "nothing was\n{run}");
    }
    if after.tx_dropped == before.tx_dropped && dropped_by_qdiscs(&bench) == 0 {
        assert_eq!(tcp("dropped_bytes"), Some(0.0), "nothing was\n{run}");
    }
    (run, bench)
}

/// `Sent 1 bytes 2 pkt (dropped 3, overlimits …`, one line a qdisc.
fn dropped_by_qdiscs(bench: &Bench) -> u64 {
    let shown = bench.near.exec(&format!("tc -s qdisc show dev {INTERFACE}")).unwrap();
    let counts = shown.split("(dropped ").skip(1).map(|rest| rest.split(',').next().unwrap());
    counts.map(|count| count.parse::<u64>().unwrap()).sum()
}

/// Bulk, with a command in the middle of it.
fn with_in_mid_run(line: &str) -> Run {
    let words = load("-t 1s -P 2").join(" ");
    let both = || ["sh", "-c", &format!("(sleep 0.5; {line}) & {words}")].map(str::to_owned).to_vec();
    misled(|_| (), both).0
}

fn tso(bench: &Bench, on_off: &str) {
    bench.near.exec(&format!("ethtool -K {INTERFACE} tso {on_off}")).unwrap();
}

fn background(bench: &Bench, line: &str) -> Running {
    let mut words = line.split_whitespace();
    let mut command = bench.near.command(words.next().unwrap());
    Running(command.args(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

fn assert_state(run: &Run, state: &str) {
    assert_eq!(run.text("/verdict/state"), state, "{run}");
}

macro_rules! ready {
    () => {
        skip_unless!(skip::root(), skip::vmnet(), skip::program("ethtool"))
    };
}

#[test]
fn a_capture_changes_nothing_whether_it_is_read_or_not() {
    ready!();
    for (on_off, state, is_read) in
        [("on", "engaged", true), ("off", "software", true), ("off", "software", false)]
    {
        let (run, _) = misled(
            |bench| {
                tso(bench, on_off);
                let capture = background(bench, &format!("tcpdump -i {INTERFACE} -w /dev/null -s 96 -B 64"));
                if !is_read {
                    // Its ring fills, and the kernel frees what does not fit.
                    let is_open = || Ok(bench.near.exec("cat /proc/net/packet")?.lines().count() > 1);
                    wait_for("the capture", is_open).unwrap();
                    bench.near.exec(&format!("kill -STOP {}", capture.0.id())).unwrap();
                }
                capture
            },
            bulk,
        );
        assert_state(&run, state);
    }
}

#[test]
fn udp_in_pieces_beside_it_has_a_part_of_its_own() {
    ready!();
    let (run, _) = misled(
        |bench| {
            tso(bench, "off");
            background(bench, &format!("{} {FAR}:9 20", env!("CARGO_BIN_EXE_udp-segments")))
        },
        bulk,
    );
    assert_state(&run, "software");
    // Where some packets pass the programs of a kernel now and then, it stays open whose they were.
    if run.json["verdict"]["bound"].is_null() {
        assert_eq!(run.text("/verdict/udp/state"), "engaged", "{run}");
    } else {
        assert_ne!(run.text("/verdict/udp/state"), "software", "{run}");
    }
}

#[test]
fn another_interface_that_segments_has_no_part_in_this_ones_answer_or_cost() {
    ready!();
    let other = Bench::new("hostile").unwrap();
    other.near.exec(&format!("ethtool -K {INTERFACE} tso off")).unwrap();
    let words = load("-t 20s");
    let mut busy = other.near.command(&words[0]);
    let _busy = Running(busy.args(&words[1..]).stdout(Stdio::null()).spawn().unwrap());
    let (run, _) = misled(|_| (), bulk);
    assert_state(&run, "engaged");
    assert!(run.json["cost"]["cores"].as_f64().is_none_or(|cores| cores == 0.0), "{run}");
}

#[test]
fn tso_that_is_switched_in_mid_run_is_partial_and_told() {
    ready!();
    let run = with_in_mid_run(&format!("ethtool -K {INTERFACE} tso off"));
    assert_state(&run, "partial");
    let events = run.json["events"].as_array().unwrap();
    assert!(events.iter().any(|event| event["kind"] == "features-changed"), "{run}");
}

#[test]
fn a_qdisc_that_comes_in_mid_run_is_no_loss() {
    ready!();
    let run = with_in_mid_run(&format!("tc qdisc replace dev {INTERFACE} root htb default 1"));
    assert_eq!(run.text("/interface/qdisc"), "htb", "it came\n{run}");
    assert_state(&run, "engaged");
}

#[test]
fn a_qdisc_of_classes_leaves_them_whole() {
    ready!();
    for qdisc in ["htb default 1", "pfifo_fast"] {
        let (run, _) = misled(
            |bench| bench.near.exec(&format!("tc qdisc replace dev {INTERFACE} root {qdisc}")).unwrap(),
            bulk,
        );
        assert_state(&run, "engaged");
    }
}

/// Bulk through a VXLAN over the interface, bound to it by these options of its link.
fn inside_a_tunnel(bound_by: [&str; 2], also: impl FnOnce(&Bench)) -> Run {
    let inside = || bulk().into_iter().map(|word| if word == FAR { "10.98.0.2".to_owned() } else { word });
    let [near, far] = bound_by;
    let prepare = |bench: &Bench| {
        let ends = [
            (&bench.near, format!("remote 10.96.0.2 {near}"), "10.98.0.1/24"),
            (&bench.far, format!("remote 10.96.0.1 {far}"), "10.98.0.2/24"),
        ];
        for (end, options, address) in ends {
            end.ip(&format!("link add up0 type vxlan id 7 dstport 4789 {options}")).unwrap();
            end.ip(&format!("address add {address} dev up0")).unwrap();
            end.ip("link set up0 up").unwrap();
        }
        also(bench);
    };
    let (run, _) = misled(prepare, || inside().collect());
    assert!(run.json["ledger"]["tcp"]["tunnel_bytes"].as_u64().unwrap() > 1 << 20, "{run}");
    run
}

#[test]
fn a_tunnel_over_it_is_told_by_what_leaves_it() {
    ready!();
    let run = inside_a_tunnel(["dev veth0", "dev veth1"], |_| ());
    assert_state(&run, "engaged");
}

#[test]
fn a_tunnel_that_it_cannot_segment_inside_is_named_wherever_it_is_bound() {
    ready!();
    const FEATURES: &str = "tx-udp_tnl-segmentation off tx-udp_tnl-csum-segmentation off";
    for bound_by in [["dev veth0", "dev veth1"], ["", ""]] {
        let run = inside_a_tunnel(bound_by, |bench| {
            bench.near.exec(&format!("ethtool -K {INTERFACE} {FEATURES}")).unwrap();
        });
        assert_state(&run, "software");
        assert_eq!(run.text("/causes/0/id"), "tunnel", "{run}");
        // The interface's own TSO is on: mending it would do nothing.
        assert_eq!(run.text("/causes/0/fix/commands/0"), "vmnet fix up0", "{run}");
    }
}
