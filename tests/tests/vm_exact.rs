//! Exact counting on a real virtio-net device: every identity closes to nothing, and what arrives at the other end of
//! the wire is what was counted.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a scenario's helpers fail as its tests do")]

use std::time::Duration;

use testbed::{Kernel, Report, Vm, VmRun, skip, skip_unless};

const SENT_BYTES: u64 = 20 << 20;

/// `quiet_mark NAME`: a mark before and after which nothing left, so that guest and tap speak of the same packets. It
/// leaves the device's own count of packets and bytes in /tmp/NAME, and what the qdiscs had counted by then in
/// /tmp/NAME-qdisc.json.
const QUIET_MARK: &str = r#"
statistics() { cat /sys/class/net/ens4/statistics/tx_packets /sys/class/net/ens4/statistics/tx_bytes; }
quiet_mark() {
    tries=0
    while [ $tries -lt 50 ]; do
        tries=$((tries + 1))
        sleep 0.1
        statistics >/tmp/before-mark
        mark "$1"
        tc -s -j qdisc show dev ens4 >/tmp/$1-qdisc.json
        sleep 0.05
        statistics >/tmp/$1
        if cmp -s /tmp/before-mark /tmp/$1; then
            send-file $1 /tmp/$1
            send-file $1-qdisc.json /tmp/$1-qdisc.json
            return
        fi
    done
    echo "never quiet around $1"
    exit 1
}
"#;

const EACH_WAY: &str = r#"
set -e
for tso in on off; do
    ethtool -K ens4 tso $tso
    for family in ipv4 ipv6; do
        case $family in ipv4) host=10.10.1.10 ;; ipv6) host=fd00:10:10:1::10 ;; esac
        name=$tso-$family
        quiet_mark $name-before
        vmnet run ens4 --exact --plain -o /tmp/reports --json /tmp/$name.json -- vmnet load client $host -n 20M --json
        quiet_mark $name-after
        send-file $name.json /tmp/$name.json
    done
done
"#;

fn report(run: &VmRun, name: &str) -> Report {
    Report::parse(run.files.get(name).unwrap_or_else(|| panic!("no {name} in: {}", run.stdout))).unwrap()
}

/// What the device itself had counted at a mark: packets, bytes.
fn device_counted(run: &VmRun, mark: &str) -> [u64; 2] {
    let text = String::from_utf8(run.files[mark].clone()).unwrap();
    let counts: Vec<u64> = text.lines().map(|line| line.parse().unwrap()).collect();
    counts.try_into().unwrap()
}

fn assert_closed(report: &Report) {
    let identities = report.identities();
    assert_eq!(identities.len(), 11, "{report}");
    for identity in identities {
        assert_eq!((identity.residual, identity.slack), (Some(0), Some(0)), "{identity}\n{report}");
    }
    assert_eq!(report.missed(), 0, "{report}");
    assert_eq!(report.0["audit"]["ok"], true, "{report}");
    assert_eq!(report.0["audit"]["drained"], true, "{report}");
}

fn assert_bytes_are_all_placed(report: &Report, sent_bytes: u64) {
    let tcp = |column: &str| report.count(&format!("ledger.tcp.{column}")).unwrap();
    let columns = [
        "hardware_bytes",
        "software_bytes",
        "unaggregated_bytes",
        "small_bytes",
        "dropped_bytes",
        "pending_bytes",
    ];
    let placed: u64 = columns.iter().map(|column| tcp(column)).sum();
    assert_eq!(placed, tcp("payload_bytes"), "{report}");
    assert_eq!(tcp("payload_bytes") - tcp("retransmitted_bytes"), sent_bytes, "{report}");
}

/// The tap is a witness that shares nothing with the guest: not its kernel, not our programs.
fn assert_the_tap_received_what_was_counted(run: &VmRun, name: &str, report: &Report) {
    let marks = [format!("{name}-before"), format!("{name}-after")];
    let tap = run.marks[&marks[1]].since(run.marks[&marks[0]]);
    let [packets, bytes]: [u64; 2] = std::array::from_fn(|index| {
        device_counted(run, &marks[1])[index] - device_counted(run, &marks[0])[index]
    });
    assert_eq!(
        (tap.rx_packets, tap.rx_bytes),
        (packets, bytes),
        "the tap against the guest's device, {name}"
    );
    let to_driver = |protocol: &str| report.count(&format!("ledger.{protocol}.packets_to_driver")).unwrap();
    let ledger_packets = to_driver("tcp") + to_driver("udp") + to_driver("other");
    // What left between the marks and outside the run's window, by the device's own count.
    let outside = |identity: &str, between_marks: u64| {
        between_marks - report.identity(identity).and_then(|identity| identity.right).unwrap()
    };
    assert_eq!(ledger_packets + outside("device-packets", packets), tap.rx_packets, "{report}");
    let ledger_bytes = report.identity("device-bytes").and_then(|identity| identity.left).unwrap();
    assert_eq!(ledger_bytes + outside("device-bytes", bytes), tap.rx_bytes, "{report}");
    println!("{name}: tap {tap:?}, {} packets outside the window", outside("device-packets", packets));
}

fn every_packet_is_counted_twice_and_agrees(kernel: Kernel) {
    skip_unless!(skip::vm(kernel), skip::vmnet());
    let run = Vm::new(kernel).serve_load().script(format!("{QUIET_MARK}{EACH_WAY}")).run().unwrap();
    println!("{kernel}: {:.1} s", run.duration.as_secs_f64());
    assert_eq!(run.exit_code, 0, "{}", run.stdout);
    for (tso, state, other_bytes) in
        [("on", "engaged", "software_bytes"), ("off", "software", "hardware_bytes")]
    {
        for (family, other_family) in [("ipv4", "ipv6"), ("ipv6", "ipv4")] {
            let name = format!("{tso}-{family}");
            let report = report(&run, &format!("{name}.json"));
            println!("{kernel} {name}: {report}");
            assert_eq!((report.state(), report.confidence()), (state, "proven"), "{name}: {report}");
            assert_eq!(report.word("probes.mode"), "fentry", "{report}");
            assert_closed(&report);
            assert_bytes_are_all_placed(&report, SENT_BYTES);
            assert_eq!(report.count(&format!("ledger.tcp.{other_bytes}")), Some(0), "{report}");
            let of_family = |family: &str| report.count(&format!("ledger.tcp.{family}.payload_bytes"));
            assert_eq!(of_family(family), report.count("ledger.tcp.payload_bytes"), "{report}");
            assert_eq!(of_family(other_family), Some(0), "{report}");
            assert_the_tap_received_what_was_counted(&run, &name, &report);
            assert!(report.unexplained_nulls().is_empty(), "{:?}", report.unexplained_nulls());
        }
    }
}

#[test]
fn every_packet_is_counted_twice_and_agrees_on_5_10() {
    every_packet_is_counted_twice_and_agrees(Kernel::V5_10);
}

#[test]
fn every_packet_is_counted_twice_and_agrees_on_6_1() {
    every_packet_is_counted_twice_and_agrees(Kernel::V6_1);
}

#[test]
fn every_packet_is_counted_twice_and_agrees_on_6_12() {
    every_packet_is_counted_twice_and_agrees(Kernel::V6_12);
}

#[test]
fn every_packet_is_counted_twice_and_agrees_on_sid() {
    every_packet_is_counted_twice_and_agrees(Kernel::Sid);
}

/// iperf3 goes on before, throughout and after the run.
const NEVER_RESTS: &str = r#"
set -e
for tso in on off; do
    ethtool -K ens4 tso $tso
    for streams in 1 8; do
        iperf3 -c 10.10.1.10 -t 60 -P $streams >/dev/null 2>&1 &
        sleep 0.5
        vmnet run ens4 --exact --plain -d 1s -o /tmp/reports --json /tmp/report.json
        kill $!
        wait || true
        send-file $tso-$streams.json /tmp/report.json
        # The server takes the next one when it has seen the end of this.
        sleep 0.5
    done
done
"#;

#[test]
fn in_the_middle_of_a_benchmark_that_never_rests_the_identities_hold_within_a_slack_that_is_shown() {
    skip_unless!(skip::vm(Kernel::V6_1), skip::vmnet());
    let run = Vm::new(Kernel::V6_1).script(NEVER_RESTS).run().unwrap();
    println!("{:.1} s", run.duration.as_secs_f64());
    assert_eq!(run.exit_code, 0, "{}", run.stdout);
    for (tso, state) in [("on", "engaged"), ("off", "software")] {
        for streams in [1, 8] {
            let report = report(&run, &format!("{tso}-{streams}.json"));
            println!("tso {tso}, {streams} streams: {report}");
            assert_eq!(report.state(), state, "{report}");
            assert_eq!(report.0["audit"]["drained"], false, "{report}");
            assert_eq!(report.0["audit"]["ok"], true, "{report}");
            assert_eq!(report.missed(), 0, "{report}");
            let slacks = report.identities().into_iter().filter_map(|identity| identity.slack);
            assert!(slacks.sum::<u64>() > 0, "{report}");
            assert!(report.unexplained_nulls().is_empty(), "{:?}", report.unexplained_nulls());
        }
    }
}

const MANY_QUEUES: &str = r#"
set -e
for tso in on off; do
    ethtool -K ens4 tso $tso
    name=$tso-load
    quiet_mark $name-before
    vmnet run ens4 --exact --plain -o /tmp/reports --json /tmp/$name.json -- vmnet load client 10.10.1.10 -P 32 -n 64M --json
    quiet_mark $name-after
    send-file $name.json /tmp/$name.json
    vmnet run ens4 --exact --plain -o /tmp/reports --json /tmp/report.json -- iperf3 -c 10.10.1.10 -t 1 -P 32 --json
    send-file $tso-iperf3.json /tmp/report.json
done
"#;

/// Wire segments that the children of `mq` say they sent.
fn qdisc_segments(run: &VmRun, name: &str) -> u64 {
    let qdiscs: serde_json::Value = serde_json::from_slice(&run.files[name]).unwrap();
    let children = qdiscs.as_array().unwrap().iter().filter(|qdisc| qdisc["kind"] != "mq");
    let packets: Vec<u64> = children.map(|child| child["packets"].as_u64().unwrap()).collect();
    assert_eq!(packets.len(), 4, "{qdiscs}");
    packets.into_iter().sum()
}

#[test]
fn thirty_two_streams_over_four_queues_close_to_nothing_as_well() {
    skip_unless!(skip::vm(Kernel::V6_1), skip::vmnet());
    let run = Vm::new(Kernel::V6_1)
        .queues(4)
        .cpus(4)
        .serve_load()
        .script(format!("{QUIET_MARK}{MANY_QUEUES}"))
        .run()
        .unwrap();
    println!("{:.1} s", run.duration.as_secs_f64());
    assert_eq!(run.exit_code, 0, "{}", run.stdout);
    for (tso, state) in [("on", "engaged"), ("off", "software")] {
        for load in ["load", "iperf3"] {
            let report = report(&run, &format!("{tso}-{load}.json"));
            println!("tso {tso}, {load}: {report}");
            assert_eq!((report.state(), report.confidence()), (state, "proven"), "{report}");
            assert_eq!(report.count("interface.queues"), Some(4), "{report}");
            assert_closed(&report);
            assert!(report.unexplained_nulls().is_empty(), "{:?}", report.unexplained_nulls());
        }
        let name = format!("{tso}-load");
        let report = report(&run, &format!("{name}.json"));
        assert_bytes_are_all_placed(&report, 64 << 20);
        assert_the_tap_received_what_was_counted(&run, &name, &report);
        let by_qdiscs = qdisc_segments(&run, &format!("{name}-after-qdisc.json"))
            - qdisc_segments(&run, &format!("{name}-before-qdisc.json"));
        let by_ledger = report.identity("qdisc-packets").and_then(|identity| identity.right).unwrap();
        let outside = device_counted(&run, &format!("{name}-after"))[0]
            - device_counted(&run, &format!("{name}-before"))[0]
            - report.identity("device-packets").and_then(|identity| identity.right).unwrap();
        assert_eq!(by_qdiscs, by_ledger + outside, "{report}");
    }
}

/// bpftrace says when it counts (its last probe has seen a packet on lo), and what it counted when it is interrupted. It runs around the
/// whole run; that nothing was sent while it came and went is checked by the device's own count, and else it is tried again.
const BPFTRACE: &str = r#"
set -e
cat >/tmp/count.bt <<'END'
tracepoint:net:net_dev_queue /str(args->name) == "ens4"/ { @queue_packets = count(); @queue_bytes = sum(args->len); }
tracepoint:net:net_dev_start_xmit /str(args->name) == "ens4"/ { @start_packets = count(); @start_bytes = sum(args->len); }
tracepoint:net:net_dev_start_xmit /str(args->name) == "lo"/ { printf("attached\n"); }
END
for tso in on off; do
    ethtool -K ens4 tso $tso
    tries=0
    while :; do
        tries=$((tries + 1))
        [ $tries -le 5 ] || exit 1
        statistics >/tmp/s0
        bpftrace /tmp/count.bt >/tmp/bpftrace.txt 2>&1 &
        bpftrace=$!
        until grep -q '^attached' /tmp/bpftrace.txt; do
            kill -0 $bpftrace || { cat /tmp/bpftrace.txt; exit 1; }
            ping -c 1 -W 1 127.0.0.1 >/dev/null || true
            sleep 0.2
        done
        sleep 0.2
        statistics >/tmp/s1
        vmnet run ens4 --exact --plain -o /tmp/reports --json /tmp/report.json -- vmnet load client 10.10.1.10 -n 10M --json
        sleep 0.2
        statistics >/tmp/s2
        # Asked to end, it prints what it counted; now and then it does not hear, or does not end after that.
        looks=0
        until grep -q '^@start_packets' /tmp/bpftrace.txt || [ $looks -ge 50 ]; do
            [ $((looks % 10)) -ne 0 ] || kill -INT $bpftrace 2>/dev/null || true
            looks=$((looks + 1))
            sleep 0.2
        done
        kill -KILL $bpftrace 2>/dev/null || true
        wait $bpftrace || true
        grep -q '^@start_packets' /tmp/bpftrace.txt || { echo "bpftrace did not say what it counted"; continue; }
        statistics >/tmp/s3
        # Beside other guests its programs may come late after all: then it has not seen what the device counted.
        [ "$(sed -n 's/^@start_packets: //p' /tmp/bpftrace.txt)" = \
            $(($(head -n 1 /tmp/s2) - $(head -n 1 /tmp/s1))) ] || { echo "bpftrace was not there for all"; continue; }
        if cmp -s /tmp/s0 /tmp/s1 && cmp -s /tmp/s2 /tmp/s3; then break; fi
        echo "something else was sent while bpftrace came or went"
    done
    send-file $tso.json /tmp/report.json
    send-file $tso.txt /tmp/bpftrace.txt
    send-file $tso-s1 /tmp/s1
    send-file $tso-s2 /tmp/s2
done
"#;

#[test]
fn bpftrace_beside_counts_the_same_packets_and_bytes() {
    skip_unless!(skip::vm(Kernel::V6_1), skip::vmnet(), skip::program("bpftrace"));
    let run = Vm::new(Kernel::V6_1)
        .program("bpftrace")
        .memory_mib(2048)
        .timeout(Duration::from_secs(300))
        .serve_load()
        .script(format!("{QUIET_MARK}{BPFTRACE}"))
        .run()
        .unwrap();
    println!("{:.1} s", run.duration.as_secs_f64());
    assert_eq!(run.exit_code, 0, "{}", run.stdout);
    for (tso, state) in [("on", "engaged"), ("off", "software")] {
        let report = report(&run, &format!("{tso}.json"));
        let said = String::from_utf8_lossy(&run.files[&format!("{tso}.txt")]).into_owned();
        println!("tso {tso}: {said}\n{report}");
        let bpftrace = |name: &str| -> u64 {
            let line = said.lines().find_map(|line| line.strip_prefix(&format!("@{name}: ")));
            line.unwrap_or_else(|| panic!("no {name} in {said}")).trim().parse().unwrap()
        };
        assert_eq!(report.state(), state, "{report}");
        assert_closed(&report);
        let left = |identity: &str| report.identity(identity).and_then(|identity| identity.left).unwrap();
        let right = |identity: &str| report.identity(identity).and_then(|identity| identity.right).unwrap();
        // What bpftrace saw before and after our window, by the device's own count: singles, the same at both places.
        let [packets, bytes]: [u64; 2] = std::array::from_fn(|index| {
            device_counted(&run, &format!("{tso}-s2"))[index]
                - device_counted(&run, &format!("{tso}-s1"))[index]
        });
        let (outside_packets, outside_bytes) =
            (packets - right("device-packets"), bytes - right("device-bytes"));
        assert_eq!(bpftrace("start_packets"), left("device-packets") + outside_packets, "{said}{report}");
        assert_eq!(bpftrace("start_bytes"), left("device-bytes") + outside_bytes, "{said}{report}");
        // The left side of these is what was queued and what segmentation added to it: a packet for each segment but
        // the first of a call, and its headers (Ethernet, IPv4, TCP with timestamps).
        let made = report.count("ledger.tcp.segments_made").unwrap();
        let added = made - report.count("cost.segmentation_calls").unwrap();
        assert_eq!(
            bpftrace("queue_packets") + added,
            left("driver-packets") + outside_packets,
            "{said}{report}"
        );
        assert_eq!(
            bpftrace("queue_bytes") + added * (14 + 20 + 32),
            left("wire-bytes") + outside_bytes,
            "{said}{report}"
        );
    }
}

#[test]
fn udp_has_a_ledger_of_its_own() {
    skip_unless!(skip::vm(Kernel::V6_1), skip::vmnet());
    let script = "vmnet run ens4 --exact --plain -o /tmp/reports --json /tmp/report.json -- iperf3 -c 10.10.1.10 -u -b 20M -n 4M --json\n\
                  status=$?\nsend-file report.json /tmp/report.json\nexit $status";
    let run = Vm::new(Kernel::V6_1).script(script).run().unwrap();
    assert_eq!(run.exit_code, 0, "{}", run.stdout);
    let report = report(&run, "report.json");
    println!("{report}");
    assert_eq!(report.state(), "nothing-to-offload", "{report}");
    assert_closed(&report);
    // iperf3 opens with a datagram of 4 bytes that it does not count.
    let sent_bytes = report.count("benchmark.iperf3.sent_bytes").unwrap();
    assert!(sent_bytes >= 4 << 20, "{report}");
    assert_eq!(report.count("ledger.udp.payload_bytes"), Some(sent_bytes + 4), "{report}");
    assert_eq!(report.count("ledger.udp.ipv6.payload_bytes"), Some(0), "{report}");
    // The control connection.
    let control_bytes = report.count("ledger.tcp.payload_bytes").unwrap();
    assert!((1..16 << 10).contains(&control_bytes), "{report}");
    assert!(report.unexplained_nulls().is_empty(), "{:?}", report.unexplained_nulls());
}
