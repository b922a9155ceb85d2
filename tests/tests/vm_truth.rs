//! The state is read off the packets, not off a flag, and only off those of the interface.

#![expect(clippy::unwrap_used, reason = "a scenario's helpers fail as its tests do")]

mod measured;

use measured::{Measured, TUNNEL, machine};
use testbed::{Kernel, skip, skip_unless};

const MIB: u64 = 1 << 20;

#[test]
fn what_the_packets_are_is_the_state_whatever_the_flags_say() {
    skip_unless!(skip::vm(Kernel::V6_1), skip::vmnet());
    // The small writes have a rate: a writer faster than an emulated device finds them put together by TCP all the same.
    let script = r#"
set -e
says_on() { ethtool -k ens4 | grep -q '^tcp-segmentation-offload: on$'; }

vmnet load client 10.10.1.10 -t 60 >/dev/null &
live=$!
# It has its limit from before once it sends.
until [ "$(cat /sys/class/net/ens4/statistics/tx_bytes)" -gt 1000000 ]; do sleep 0.1; done
ip link set dev ens4 gso_max_size 8000
measure oversize -d 500ms
kill -INT $live
wait $live || true
ip link set dev ens4 gso_max_size 65536
says_on

tc qdisc replace dev ens4 root tbf rate 100mbit burst 3000 latency 50ms
measure small-burst -- vmnet load client 10.10.1.10 -n 4M
tc qdisc replace dev ens4 root fq_codel
says_on

ip link set dev ens4 gso_max_segs 1
measure one-segment -- vmnet load client 10.10.1.10 -n 4M
ip link set dev ens4 gso_max_segs 65535
says_on

measure flip -i 200ms -- sh -c 'vmnet load client 10.10.1.10 -t 1600ms & sleep 0.8; ethtool -K ens4 tso off; wait'
ethtool -K ens4 tso on

measure small-writes -- iperf3 -c 10.10.1.10 --no-delay --length 100 --bitrate 3M --bytes 1200K
"#;
    let run = machine(Kernel::V6_1, script).run().unwrap();
    println!("{:.1} s", run.duration.as_secs_f64());
    assert_eq!(run.exit_code, 0, "{}", run.stdout);

    // A live flow keeps the limit that its route had, so all it sends is longer than the device takes now.
    let oversize = Measured::of(&run, "oversize");
    assert_eq!(oversize.state(), "software", "{oversize}");
    // It runs at both edges, so how far the counts are from each other is a matter of the emulator's pace.
    oversize.assert_the_ledger_adds_up();

    Measured::of(&run, "small-burst").assert_proven("software");

    let one_segment = Measured::of(&run, "one-segment");
    one_segment.assert_proven("not-built");
    assert_eq!(one_segment.tcp("super_packets_queued"), 0, "{one_segment}");

    let flip = Measured::of(&run, "flip");
    flip.assert_proven("partial");
    assert_eq!(flip.report["causes"][0]["id"], "turned-off", "{flip}");
    the_flip_lies_in_the_interval_of_its_event(&flip);

    let small_writes = Measured::of(&run, "small-writes");
    small_writes.assert_proven("nothing-to-offload");
    assert!(small_writes.tcp("small_bytes") > MIB / 2, "{small_writes}");
}

fn the_flip_lies_in_the_interval_of_its_event(flip: &Measured) {
    let events = flip.report["events"].as_array().unwrap();
    let changes: Vec<_> = events.iter().filter(|event| event["kind"] == "features-changed").collect();
    assert_eq!(changes.len(), 1, "{flip}");
    assert!(changes[0]["text"].as_str().unwrap().contains("tx-tcp-segmentation"), "{flip}");
    let changed_s = changes[0]["t_s"].as_f64().unwrap();
    let samples = flip.report["throughput"]["samples"].as_array().unwrap();
    let (mut before, mut after) = (0, 0);
    for sample in samples {
        let Some(share) = sample["software_share"].as_f64() else { continue };
        let end_s = sample["t_s"].as_f64().unwrap();
        let start_s = end_s - sample["duration_s"].as_f64().unwrap();
        if end_s < changed_s {
            assert!(share < 0.001, "{share} before the change at {changed_s} s: {sample}");
            before += 1;
        } else if start_s > changed_s {
            assert!(share > 0.999, "{share} after the change at {changed_s} s: {sample}");
            after += 1;
        }
    }
    assert!(before > 0 && after > 0, "{changed_s} s is in none of the intervals between: {samples:?}");
}

/// Marks by the guest's own qdisc make TCP reduce its window, and what it sends then carries CWR.
const MARKED: &str = r#"
set -e
echo 1 >/proc/sys/net/ipv4/tcp_ecn
# A SYN bears no mark and may be lost: without this the next one would do without ECN.
echo 0 >/proc/sys/net/ipv4/tcp_ecn_fallback
tc qdisc replace dev ens4 root netem loss 5% ecn
measure marked -- vmnet load client 10.10.1.10 -n 16M
nstat -az TcpExtTCPDeliveredCE
"#;

#[test]
fn cwr_marked_packets_are_cut_up_where_the_host_did_not_offer_ecn() {
    skip_unless!(skip::vm(Kernel::V6_1), skip::vmnet(), skip::program("sysctl"));
    for (properties, offered) in [("host_ecn=on", true), ("host_ecn=off", false)] {
        let run = machine(Kernel::V6_1, MARKED)
            .nic(properties)
            .host_exec("sysctl -q -w net.ipv4.tcp_ecn=1")
            .run()
            .unwrap();
        println!("{properties}: {:.1} s, {}", run.duration.as_secs_f64(), run.stdout.trim());
        assert_eq!(run.exit_code, 0, "{}", run.stdout);
        let marked = Measured::of(&run, "marked");
        let marks = run.stdout.lines().find_map(|line| line.strip_prefix("TcpExtTCPDeliveredCE"));
        let marks = marks.and_then(|rest| rest.split_whitespace().next()).unwrap();
        assert_ne!(marks, "0", "no marks: {}", run.stdout);
        marked.assert_exact();
        assert_eq!(marked.confidence(), "proven", "{marked}");
        assert!(marked.tcp("hardware_bytes") > 0, "{marked}");
        assert_eq!(marked.tcp("software_bytes") == 0, offered, "{marked}");
        assert_eq!(marked.state(), state_of_shares(&marked), "{marked}");
    }
}

/// The state that a ledger with mostly super-packets makes, by the contract's thresholds.
fn state_of_shares(measured: &Measured) -> &'static str {
    let (hardware, software) = (measured.tcp("hardware_bytes"), measured.tcp("software_bytes"));
    let (built, bulk) = (hardware + software, hardware + software + measured.tcp("unaggregated_bytes"));
    match () {
        () if (bulk - built) * 100 >= bulk * 95 => "not-built",
        () if built * 2 < bulk => "partial",
        () if hardware * 100 >= built * 95 => "engaged",
        () if software * 100 >= built * 95 => "software",
        () => "partial",
    }
}

/// `near` and `far` share a veth pair whose end in `far` has `ens4`'s index; `beside` is another on this namespace's side.
const ELSEWHERE: &str = r#"
set -e
index=$(cat /sys/class/net/ens4/ifindex)
ip netns add near
ip netns add far
ip -n near link add one type veth peer name ens4 index $index netns far
ip -n near address add 10.20.0.1/24 dev one
ip -n far address add 10.20.0.2/24 dev ens4
ip -n near link set one up
ip -n far link set ens4 up
ip -n far -o link show dev ens4 | grep -q "^$index:"
ip link add beside type veth peer name two netns far
ip address add 10.30.0.1/24 dev beside
ip -n far address add 10.30.0.2/24 dev two
ip link set beside up
ip -n far link set two up
ip netns exec far vmnet load server &
ip netns exec near vmnet load server &
for name in far near; do
    until ip netns exec $name ss -ltn | grep -q 5310; do sleep 0.1; done
done
measure alone -- vmnet load client 10.10.1.10 -n 4M
measure amid -- sh -c '
    vmnet load client 10.30.0.2 -n 32M &
    ip netns exec far vmnet load client 10.20.0.1 -n 32M &
    vmnet load client 10.10.1.10 -n 4M
    wait'
"#;

#[test]
fn traffic_of_other_interfaces_adds_nothing_even_at_the_same_index() {
    skip_unless!(skip::vm(Kernel::V6_1), skip::vmnet());
    let run = machine(Kernel::V6_1, ELSEWHERE).run().unwrap();
    println!("{:.1} s", run.duration.as_secs_f64());
    assert_eq!(run.exit_code, 0, "{}", run.stdout);
    for name in ["alone", "amid"] {
        let measured = Measured::of(&run, name);
        measured.assert_proven("engaged");
        assert_eq!(measured.first_sent_bytes(), 4 * MIB, "{measured}");
        assert_eq!(
            measured.identity("tcp-bytes-sent").left,
            Some(measured.tcp("payload_bytes")),
            "{measured}"
        );
        assert_eq!(measured.identity("sendmsg-bytes").left, Some(4 * MIB), "{measured}");
        assert_eq!(measured.tcp("forwarded_bytes"), 0, "{measured}");
    }
}

const TUNNELLED: &str = r#"
measure vxlan-on -- vmnet load client 10.10.4.1 -n 4M --json
ethtool -K ens4 tso off
measure vxlan-off -- vmnet load client 10.10.4.1 -n 4M --json
ethtool -K ens4 tso on
ip rule del iif ens4
"#;

/// The host does not know the tag, so nothing answers.
const VLAN: &str = r#"
ip link add link ens4 name ens4.7 type vlan id 7
ip address add 10.10.7.2/24 dev ens4.7
ip link set ens4.7 up
ip neigh add 10.10.7.10 lladdr 52:54:00:00:00:99 dev ens4.7 nud permanent
measure vlan -- sh -c 'for i in 1 2 3 4 5; do ping -c 1 -W 1 -s 1000 10.10.7.10 & done; wait; true'
"#;

const FORWARDED: &str = r#"
ip netns add inner
ip link add to-inner type veth peer name outer netns inner
ip address add 10.10.2.1/24 dev to-inner
ip link set to-inner up
ip -n inner address add 10.10.2.2/24 dev outer
ip -n inner link set outer up
ip -n inner route add default via 10.10.2.1
measure forwarded-on -- ip netns exec inner vmnet load client 10.10.1.10 -n 8M
ethtool -K ens4 tso off
measure forwarded-off -- ip netns exec inner vmnet load client 10.10.1.10 -n 8M
"#;

#[test]
fn tunnels_tags_and_forwarding_stay_exact() {
    skip_unless!(skip::vm(Kernel::V6_1), skip::vmnet(), skip::program("sysctl"));
    let run = machine(Kernel::V6_1, &[TUNNEL, TUNNELLED, VLAN, FORWARDED].concat())
        .host_exec("sysctl -q -w net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.tap0.send_redirects=0")
        .host_exec("ip route add 10.10.3.0/24 via 10.10.1.2")
        .host_exec("ip route add 10.10.2.0/24 via 10.10.1.2")
        .run()
        .unwrap();
    println!("{:.1} s", run.duration.as_secs_f64());
    assert_eq!(run.exit_code, 0, "{}", run.stdout);

    // virtio-net cannot segment inside a tunnel, whatever TSO says.
    for name in ["vxlan-on", "vxlan-off"] {
        let vxlan = Measured::of(&run, name);
        vxlan.assert_proven("software");
        assert_eq!(vxlan.first_sent_bytes(), 4 * MIB, "{vxlan}");
        assert_eq!(vxlan.tcp("tunnel_bytes"), vxlan.tcp("payload_bytes"), "{vxlan}");
    }

    let vlan = Measured::of(&run, "vlan");
    vlan.assert_exact();
    let [wire, qdisc] = ["wire-bytes", "qdisc-bytes"].map(|name| vlan.identity(name).right.unwrap());
    // Five pings, and whatever the kernel says of its own accord on a new device, tagged or not.
    let tags = (wire - qdisc) / 4;
    assert_eq!(wire - qdisc, tags * 4, "tags are whole: {vlan}");
    let packets = vlan.identity("device-packets").right.unwrap();
    assert!((5..=packets).contains(&tags), "a tag for each ping, and at most one a packet: {vlan}");

    for (name, state) in [("forwarded-on", "engaged"), ("forwarded-off", "software")] {
        let forwarded = Measured::of(&run, name);
        forwarded.assert_proven(state);
        assert!(forwarded.tcp("forwarded_bytes") >= 8 * MIB, "{forwarded}");
        assert_eq!(forwarded.tcp("forwarded_bytes"), forwarded.tcp("payload_bytes"), "{forwarded}");
    }
}
