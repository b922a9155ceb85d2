//! `vmnet check` on a real virtio-net device: it agrees with `vmnet run`, and sends what it says and nothing else.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a scenario's helpers fail as its tests do")]

mod measured;

use std::collections::BTreeMap;

use etherparse::{IpNumber, LaxNetSlice, LaxSlicedPacket};
use measured::{Measured, machine};
use serde_json::Value;
use testbed::report::document;
use testbed::{Kernel, Vm, VmRun, skip, skip_unless};

/// `ask NAME [IFACE]` in the guest: `vmnet check`, whose result comes back as NAME.json. `both NAME` is traffic of both
/// families under `vmnet run`.
const PRELUDE: &str = r#"
ask() {
    name=$1
    shift
    vmnet check "${1:-ens4}" --json - >"/tmp/$name.json" 2>"/tmp/$name.log" || {
        echo "$name failed with $?"
        cat "/tmp/$name.log"
        exit 1
    }
    send-file "$name.json" "/tmp/$name.json"
}
both() {
    measure "$1" -- sh -c 'vmnet load client 10.10.1.10 -n 4M && vmnet load client fd00:10:10:1::10 -n 4M'
}
"#;

fn asking(kernel: Kernel, script: &str) -> Vm {
    machine(kernel, &format!("{PRELUDE}{script}"))
}

/// One answer.
struct Check(Value);

impl Check {
    fn of(run: &VmRun, name: &str) -> Self {
        let text = run.files.get(&format!("{name}.json"));
        let text = text.unwrap_or_else(|| panic!("no answer of {name}; the guest said:\n{}", run.stdout));
        let check = Self(document(text).unwrap_or_else(|error| panic!("{name}: {error:#}")));
        println!("{name}: {} {:?} in {} s", check.state(), check.states(), check.0["duration_s"]);
        check
    }

    fn state(&self) -> &str {
        self.0["state"].as_str().unwrap()
    }

    fn types(&self) -> &[Value] {
        self.0["types"].as_array().unwrap()
    }

    fn states(&self) -> BTreeMap<&str, &str> {
        self.types()
            .iter()
            .map(|one| (one["type"].as_str().unwrap(), one["state"].as_str().unwrap()))
            .collect()
    }

    fn of_type(&self, kind: &str) -> &Value {
        self.types()
            .iter()
            .find(|one| one["type"] == kind)
            .unwrap_or_else(|| panic!("no {kind} in {}", self.0))
    }

    /// TCP of each kind that TCP itself sends came to this.
    fn assert_tcp(&self, expected: &str) {
        for kind in ["tcp4", "tcp6", "tcp4-ecn", "tcp6-ecn"] {
            assert_eq!(self.of_type(kind)["state"], expected, "{kind} of {}", self.0);
        }
    }

    /// Nothing that counts came to this, whatever is not known.
    fn assert_none_is(&self, wrong: &str) {
        for one in self.types().iter().filter(|one| one["counts"] == true) {
            assert_ne!(one["state"], wrong, "{one}");
        }
    }
}

const SWITCHED: &str = r#"
set -e
ask on
both run-on
vmnet check ens4 --expect engaged >/dev/null
code=0; vmnet check ens4 --expect software >/dev/null || code=$?
echo "unexpected $code"

iperf3 -c 10.10.1.10 -t 60 >/dev/null &
busy=$!
before=$(cat /sys/class/net/ens4/statistics/tx_bytes)
until [ "$(cat /sys/class/net/ens4/statistics/tx_bytes)" -gt $((before + 20000000)) ]; do sleep 0.1; done
ask busy-on
ethtool -K ens4 tso off
ask busy-off
kill -INT $busy
wait $busy || true

ask off
both run-off
ethtool -K ens4 tso on
ethtool -K ens4 sg off
ask sg-off
ethtool -K ens4 sg on
ethtool -K ens4 tso on

ip link add link ens4 name ens4.7 type vlan id 7
ip link set ens4.7 up
ask vlan ens4.7
ethtool -K ens4 tso off
ask vlan-below-off ens4.7

ip link del ens4.7
ip link add quiet0 type dummy
ip link set quiet0 up
ask dummy quiet0
ip link add gre1 type gre local 10.10.1.2 remote 10.10.1.10
ip link set gre1 up
before=$(cat /sys/class/net/gre1/statistics/tx_packets)
vmnet check gre1 2>&1 || true
[ "$before" = "$(cat /sys/class/net/gre1/statistics/tx_packets)" ]
ip link del gre1

ethtool -K ens4 tx off
before=$(cat /sys/class/net/ens4/statistics/tx_packets)
udp-segments 10.10.1.10:5999 0.1 >/tmp/said 2>&1 && echo "a program hands over $(cat /tmp/said)" || echo "a program gets" $(tail -n 1 /tmp/said)
echo "UDP packets $(($(cat /sys/class/net/ens4/statistics/tx_packets) - before))"
ask no-checksum
ethtool -K ens4 tx on
"#;

/// Devices to which nothing comes of what is sent to those above them.
const TURNED_ROUND: &str = r#"
ethtool -K ens4 tso off
ip link add link ens4 name ipvl0 type ipvlan mode l2
ip link set ipvl0 up
ask ipvlan-below-off ipvl0
ip link del ipvl0
ip link add link ens4 name macvl0 type macvlan mode bridge
ip link set macvl0 up
ask macvlan-below-off macvl0
ip link del macvl0
"#;

#[test]
fn what_turns_round_above_is_asked_below() {
    skip_unless!(skip::vm(Kernel::V6_1), skip::vmnet());
    let run = asking(Kernel::V6_1, TURNED_ROUND).module("ipvlan").run().unwrap();
    assert_eq!(run.exit_code, 0, "{}", run.stdout);
    for upper in ["ipvlan", "macvlan"] {
        let below_off = Check::of(&run, &format!("{upper}-below-off"));
        assert_eq!(below_off.state(), "software", "{}", below_off.0);
    }
}

fn check_agrees_with_run(kernel: Kernel) {
    skip_unless!(skip::vm(kernel), skip::vmnet());
    let run = asking(kernel, SWITCHED)
        .file(env!("CARGO_BIN_EXE_udp-segments"), "/usr/bin/udp-segments")
        .run()
        .unwrap();
    println!("{kernel}: {:.1} s", run.duration.as_secs_f64());
    assert_eq!(run.exit_code, 0, "{}", run.stdout);
    assert!(run.stdout.contains("unexpected 3\n"), "{}", run.stdout);

    for (name, state, fate) in [("on", "engaged", "whole"), ("off", "software", "cut")] {
        let check = Check::of(&run, name);
        check.assert_tcp(fate);
        assert_eq!(check.state(), state, "{}", check.0);
        assert_eq!(Measured::of(&run, &format!("run-{name}")).state(), state);
    }
    // As many packets as were sent, or as many as they were cut into: on a quiet interface exactly.
    let on = Check::of(&run, "on");
    assert_eq!(on.of_type("tcp4")["sent"], on.of_type("tcp4")["expected_whole"]);
    let sg_off = Check::of(&run, "sg-off");
    assert_eq!(sg_off.state(), "software", "{}", sg_off.0);
    sg_off.assert_tcp("cut");
    takes_udp_where_the_kernel_does(kernel, &on);

    for (name, right, wrong) in [("busy-on", "engaged", "cut"), ("busy-off", "software", "whole")] {
        let busy = Check::of(&run, name);
        busy.assert_none_is(wrong);
        assert!([right, "inconclusive"].contains(&busy.state()), "{}", busy.0);
        assert!(
            busy.0["background"]["packets_per_s"].as_f64().unwrap() > 100.0,
            "it was not busy: {}",
            busy.0
        );
    }

    let vlan = Check::of(&run, "vlan");
    assert_eq!(vlan.state(), "engaged", "{}", vlan.0);
    assert_eq!(vlan.0["below"][0], "ens4", "{}", vlan.0);
    let below_off = Check::of(&run, "vlan-below-off");
    assert_eq!(below_off.state(), "software", "{}", below_off.0);
    assert_eq!(below_off.of_type("tcp4")["cut_at"], "ens4", "{}", below_off.0);
    assert_eq!(Check::of(&run, "dummy").state(), "engaged");
    assert!(run.stdout.contains("gre1 is no Ethernet device"), "{}", run.stdout);
    udp_without_checksums_is_refused_or_segmented(kernel, &run);
}

/// A device that makes no checksums: UDP_SEGMENT fails there until 6.10, and since then the CPU segments. What a program got, what left, and what
/// is said of it.
fn udp_without_checksums_is_refused_or_segmented(kernel: Kernel, run: &VmRun) {
    let said = |front: &str| run.stdout.lines().find_map(|line| line.strip_prefix(front));
    let packets: u64 = said("UDP packets ").unwrap().parse().unwrap();
    let check = Check::of(run, "no-checksum");
    let state = if matches!(kernel, Kernel::V5_10 | Kernel::V6_1) {
        assert_eq!(said("a program gets "), Some("Input/output error (os error 5)"), "{}", run.stdout);
        // ARP, or what the kernel says of its own accord.
        assert!(packets < 10, "{packets} left all the same");
        "refused"
    } else {
        let segments = said("a program hands over ").and_then(|rest| rest.strip_suffix(" segments"));
        let segments: u64 = segments.unwrap().parse().unwrap();
        assert!(
            segments >= 40 && (segments..segments + 10).contains(&packets),
            "{segments} in {packets} packets"
        );
        "software"
    };
    assert_eq!(check.0["udp"]["state"], state, "{}", check.0);
    let summary = check.0["udp"]["summary"].as_str().unwrap();
    assert_eq!(summary.contains("EIO"), state == "refused", "{summary}");
    // It is TCP that is judged.
    assert_eq!(check.state(), "software", "{}", check.0);
}

/// `virtio_net_hdr` has a type for UDP since 6.2.
fn takes_udp_where_the_kernel_does(kernel: Kernel, check: &Check) {
    for kind in ["udp4", "udp6"] {
        let one = check.of_type(kind);
        if matches!(kernel, Kernel::V5_10 | Kernel::V6_1) {
            assert_eq!(one["state"], "refused", "{one}");
            assert!(one["reason"].as_str().unwrap().contains("6.2"), "{one}");
        } else {
            let expected = if one["offered"] == true { "whole" } else { "cut" };
            assert_eq!(one["state"], expected, "{one}");
        }
    }
}

#[test]
fn check_agrees_with_run_on_5_10() {
    check_agrees_with_run(Kernel::V5_10);
}

#[test]
fn check_agrees_with_run_on_6_1() {
    check_agrees_with_run(Kernel::V6_1);
}

#[test]
fn check_agrees_with_run_on_6_12() {
    check_agrees_with_run(Kernel::V6_12);
}

#[test]
fn check_agrees_with_run_on_sid() {
    check_agrees_with_run(Kernel::Sid);
}

#[test]
fn a_host_that_offers_one_family_and_no_ecn_is_partial() {
    skip_unless!(skip::vm(Kernel::V6_12), skip::vmnet());
    let script = "set -e\nask one-family\nboth run\n";
    let run = asking(Kernel::V6_12, script).nic("host_tso6=off,host_ecn=off").run().unwrap();
    assert_eq!(run.exit_code, 0, "{}", run.stdout);
    let check = Check::of(&run, "one-family");
    for (kind, state) in [("tcp4", "whole"), ("tcp6", "cut"), ("tcp4-ecn", "cut"), ("tcp6-ecn", "cut")] {
        assert_eq!(check.of_type(kind)["state"], state, "{}", check.0);
    }
    assert_eq!(check.state(), "partial", "{}", check.0);
    assert_eq!(Measured::of(&run, "run").state(), "partial");
    let (cost, why_not) = (&check.0["cost"], &check.0["unmeasured"]["cost"]);
    // A machine that is busy with something else may leave no times to compare.
    match cost["ratio"].as_f64() {
        Some(ratio) => assert!(ratio > 1.0, "segmentation is not for nothing: {cost}"),
        None => {
            assert!(
                cost.is_null() && why_not.as_str().unwrap().contains("quiet enough"),
                "{cost}: {why_not}"
            );
        }
    }
}

#[test]
fn the_other_end_sees_the_frames_that_it_said_and_no_others() {
    skip_unless!(skip::vm(Kernel::V6_12), skip::vmnet());
    let run = asking(Kernel::V6_12, "set -e\nask all\n").capture(128).run().unwrap();
    assert_eq!(run.exit_code, 0, "{}", run.stdout);
    let check = Check::of(&run, "all");
    let frames = &check.0["frames"];
    let own = mac(frames["source_mac"].as_str().unwrap());
    assert_eq!(frames["source_mac"], frames["destination_mac"], "to itself: {frames}");

    let mut expected: BTreeMap<(String, u32), u64> = BTreeMap::new();
    for one in check.types() {
        let kind = one["type"].as_str().unwrap();
        let protocol = kind.split('-').next().unwrap();
        for (length, count) in lengths_of_each(one) {
            *expected.entry((protocol.to_owned(), length)).or_default() +=
                count * one["sent"].as_u64().unwrap();
        }
    }
    let mut seen: BTreeMap<(String, u32), u64> = BTreeMap::new();
    for (bytes, length) in captured_frames(&run.capture.unwrap()) {
        if bytes[6..12] != own[..] {
            continue;
        }
        if bytes[..6] == own[..] {
            *seen.entry((protocol_of_ours(&bytes), length)).or_default() += 1;
        } else {
            assert!(is_neighbourly(&bytes), "a frame of {length} bytes that was not announced: {bytes:02x?}");
        }
    }
    assert_eq!(seen, expected);
    assert!(seen.keys().any(|(_, length)| *length > 60_000), "none left whole: {seen:?}");
}

/// Lengths and counts of the frames that leave for one super-packet: itself, or its segments.
fn lengths_of_each(one: &Value) -> Vec<(u32, u64)> {
    let number = |name: &str| one[name].as_u64().unwrap();
    let (whole, payload, gso_size) =
        (number("bytes_per_packet"), number("payload_bytes_per_packet"), number("gso_size_bytes"));
    let headers = whole - payload;
    let length = |payload: u64| u32::try_from(headers + payload).unwrap();
    match one["state"].as_str().unwrap() {
        "whole" => vec![(length(payload), 1)],
        "cut" if payload.is_multiple_of(gso_size) => vec![(length(gso_size), payload / gso_size)],
        "cut" => vec![(length(gso_size), payload / gso_size), (length(payload % gso_size), 1)],
        _ => panic!("it is not known what left: {one}"),
    }
}

/// `tcp4` and so on, once it has been seen that tag, addresses, hop limit and ports are as announced.
fn protocol_of_ours(frame: &[u8]) -> String {
    let packet = LaxSlicedPacket::from_ethernet(frame).unwrap();
    assert!(packet.vlan_ids().iter().all(|id| id.value() == 0), "{packet:?}");
    let family = match packet.net.as_ref().unwrap() {
        LaxNetSlice::Ipv4(ip) => {
            let header = ip.header();
            let ends = (header.source(), header.destination());
            assert_eq!((ends, header.ttl()), (([192, 0, 2, 1], [192, 0, 2, 2]), 1));
            4
        }
        LaxNetSlice::Ipv6(ip) => {
            let header = ip.header();
            let ends = (header.source_addr().to_string(), header.destination_addr().to_string());
            assert_eq!(
                (ends.0.as_str(), ends.1.as_str(), header.hop_limit()),
                ("2001:db8::1", "2001:db8::2", 1)
            );
            6
        }
        LaxNetSlice::Arp(_) => panic!("ARP to itself: {packet:?}"),
    };
    let payload = packet.ip_payload().unwrap();
    // The discard service, from and to.
    assert_eq!(payload.payload[..4], [0, 9, 0, 9], "{packet:?}");
    let transport = if payload.ip_number == IpNumber::UDP { "udp" } else { "tcp" };
    format!("{transport}{family}")
}

/// What a kernel says of its own accord: ARP, and ICMPv6 to neighbours.
fn is_neighbourly(frame: &[u8]) -> bool {
    let packet = LaxSlicedPacket::from_ethernet(frame).unwrap();
    match packet.net.as_ref() {
        Some(LaxNetSlice::Arp(_)) => true,
        _ => packet.ip_payload().is_some_and(|payload| payload.ip_number == IpNumber::IPV6_ICMP),
    }
}

fn mac(text: &str) -> Vec<u8> {
    text.split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

/// What was captured of each frame of a little-endian pcap file, and how long it was.
fn captured_frames(pcap: &[u8]) -> Vec<(Vec<u8>, u32)> {
    let word = |at: usize| pcap.get(at..at + 4).map(|bytes| u32::from_le_bytes(bytes.try_into().unwrap()));
    let mut frames = Vec::new();
    let mut at = 24;
    while let (Some(captured), Some(original)) = (word(at + 8), word(at + 12)) {
        let end = at + 16 + usize::try_from(captured).unwrap();
        frames.push((pcap[at + 16..end].to_vec(), original));
        at = end;
    }
    frames
}
