//! Each way to lose segmentation offload is named by the packets themselves, and the named bytes are all of them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a scenario's helpers fail as its tests do")]

mod measured;

use measured::{Measured, TUNNEL, machine};
use testbed::{Kernel, skip, skip_unless};

const MIB: u64 = 1 << 20;

/// One entry of `reasons`.
#[derive(Debug)]
struct Reason {
    id: String,
    bytes: u64,
    ipv4_bytes: u64,
    ipv6_bytes: u64,
    share: f64,
}

fn reasons(of: &Measured) -> Vec<Reason> {
    let all = of.report["reasons"].as_array().unwrap_or_else(|| panic!("no reasons in {of}"));
    let reason = |entry: &serde_json::Value| Reason {
        id: entry["id"].as_str().unwrap().to_owned(),
        bytes: entry["bytes"].as_u64().unwrap(),
        ipv4_bytes: entry["ipv4_bytes"].as_u64().unwrap(),
        ipv6_bytes: entry["ipv6_bytes"].as_u64().unwrap(),
        share: entry["share"].as_f64().unwrap(),
    };
    let reasons: Vec<Reason> = all.iter().map(reason).collect();
    for reason in &reasons {
        println!("  {reason:?}");
    }
    reasons
}

fn ids(reasons: &[Reason]) -> Vec<&str> {
    reasons.iter().map(|reason| reason.id.as_str()).collect()
}

/// These reasons in this order, which explain to the byte what left in segments that the CPU made.
fn assert_explained(of: &Measured, expected: &[&str]) -> Vec<Reason> {
    let reasons = reasons(of);
    assert_eq!(ids(&reasons), expected, "{of}");
    assert_eq!(of.tcp("dropped_bytes"), 0, "{of}");
    assert_eq!(reasons.iter().map(|reason| reason.bytes).sum::<u64>(), of.tcp("software_bytes"), "{of}");
    for (family, bytes) in [
        ("ipv4", reasons.iter().map(|reason| reason.ipv4_bytes).sum::<u64>()),
        ("ipv6", reasons.iter().map(|reason| reason.ipv6_bytes).sum()),
    ] {
        assert_eq!(bytes, of.figure(&format!("/ledger/tcp/{family}/software_bytes")), "{family} of {of}");
    }
    let shares: f64 = reasons.iter().map(|reason| reason.share).sum();
    assert!(reasons.is_empty() || (shares - 1.0).abs() < 1e-9, "{of}");
    reasons
}

/// Of a device with TSO for IPv4 alone, and then for neither.
const FAMILIES: &str = r#"
set -e
both() { measure "$@" -- sh -c 'vmnet load client 10.10.1.10 -n 2M && vmnet load client fd00:10:10:1::10 -n 4M'; }
both one-family
both one-family-kprobe --mode kprobe
both one-family-tracepoint --mode tracepoint
ethtool -K ens4 tso off
both off
"#;

fn assert_families_are_named(kernel: Kernel) {
    let run = machine(kernel, FAMILIES).nic("host_tso6=off").run().unwrap();
    println!("{:.1} s", run.duration.as_secs_f64());
    assert_eq!(run.exit_code, 0, "{}", run.stdout);
    for (name, mode) in [("one-family", "fentry"), ("one-family-kprobe", "kprobe")] {
        let one = Measured::of(&run, name);
        assert_eq!(one.report["probes"]["mode"], mode, "{one}");
        one.assert_proven("partial");
        let reasons = assert_explained(&one, &["tso6-missing"]);
        assert_eq!(reasons[0].ipv6_bytes, reasons[0].bytes);
        assert!(reasons[0].bytes > 3 * MIB, "{one}");
    }
    let off = Measured::of(&run, "off");
    off.assert_proven("software");
    let reasons = assert_explained(&off, &["tso6-missing", "tso4-missing"]);
    assert_eq!((reasons[0].ipv4_bytes, reasons[1].ipv6_bytes), (0, 0), "{off}");
    assert!(reasons[1].bytes > MIB, "{off}");
    let unhooked = Measured::of(&run, "one-family-tracepoint");
    assert!(unhooked.report["reasons"].is_null(), "{unhooked}");
    assert!(unhooked.report["unmeasured"]["reasons"].as_str().unwrap().contains("not hooked"), "{unhooked}");
}

#[test]
fn the_family_that_is_not_offered_is_named_on_5_10() {
    skip_unless!(skip::vm(Kernel::V5_10), skip::vmnet());
    assert_families_are_named(Kernel::V5_10);
}

#[test]
fn the_family_that_is_not_offered_is_named_on_6_1() {
    skip_unless!(skip::vm(Kernel::V6_1), skip::vmnet());
    assert_families_are_named(Kernel::V6_1);
}

#[test]
fn the_family_that_is_not_offered_is_named_on_6_12() {
    skip_unless!(skip::vm(Kernel::V6_12), skip::vmnet());
    assert_families_are_named(Kernel::V6_12);
}

#[test]
fn the_family_that_is_not_offered_is_named_on_sid() {
    skip_unless!(skip::vm(Kernel::Sid), skip::vmnet());
    assert_families_are_named(Kernel::Sid);
}

/// A device that has TSO, and everything that comes between. A live flow keeps the limit that its route had. A router whose packets
/// may be fragmented cuts up for the smaller MTU behind it.
const BETWEEN: &str = r#"
measure vxlan -- vmnet load client 10.10.4.1 -n 2M
measure vxlan-kprobe --mode kprobe -- vmnet load client 10.10.4.1 -n 2M
ethtool -K vx0 tso off
measure above -- vmnet load client 10.10.4.1 -n 2M
ip rule del iif ens4

echo 1 >/proc/sys/net/ipv4/tcp_ecn
tc qdisc replace dev ens4 root netem loss 5% ecn
measure marked -- vmnet load client 10.10.1.10 -n 8M
tc qdisc replace dev ens4 root fq_codel

for mode in fentry kprobe; do
    measure oversize-$mode --mode $mode -- sh -c '
        vmnet load client 10.10.1.10 -t 2 &
        sleep 1
        ip link set dev ens4 gso_max_size 8000
        wait'
    ip link set dev ens4 gso_max_size 65536
done

tc qdisc replace dev ens4 root tbf rate 100mbit burst 3000 limit 4mb
measure small-burst -- vmnet load client 10.10.1.10 -n 2M
measure small-burst-kprobe --mode kprobe -- vmnet load client 10.10.1.10 -n 2M
ethtool -K ens4 tso off
measure small-burst-off -- vmnet load client 10.10.1.10 -n 2M
ethtool -K ens4 tso on
tc qdisc replace dev ens4 root fq_codel

measure whole -- vmnet load client 10.10.1.10 -n 2M

ip netns add inner
ip link add to-inner type veth peer name outer netns inner
ip address add 10.10.2.1/24 dev to-inner
ip link set to-inner up
ip -n inner address add 10.10.2.2/24 dev outer
ip -n inner link set outer up
ip -n inner route add default via 10.10.2.1
ethtool -K ens4 tso off
measure forwarded -- ip netns exec inner vmnet load client 10.10.1.10 -n 2M
ethtool -K ens4 tso on

ip netns exec inner sh -c 'echo 1 >/proc/sys/net/ipv4/ip_no_pmtu_disc'
ip link set ens4 mtu 1000
measure smaller-mtu -- ip netns exec inner vmnet load client 10.10.1.10 -n 2M
"#;

#[test]
fn whatever_comes_between_a_super_packet_and_a_device_that_would_take_it_is_named() {
    skip_unless!(skip::vm(Kernel::V6_1), skip::vmnet(), skip::program("sysctl"));
    let run = machine(Kernel::V6_1, &[TUNNEL, BETWEEN].concat())
        .nic("host_ecn=off")
        .host_exec("sysctl -q -w net.ipv4.tcp_ecn=1 net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.tap0.send_redirects=0")
        .host_exec("ip route add 10.10.3.0/24 via 10.10.1.2")
        .host_exec("ip route add 10.10.2.0/24 via 10.10.1.2")
        .run()
        .unwrap();
    println!("{:.1} s", run.duration.as_secs_f64());
    assert_eq!(run.exit_code, 0, "{}", run.stdout);
    for name in ["vxlan", "vxlan-kprobe"] {
        assert_explained(&Measured::of(&run, name), &["tunnel-missing"]);
    }
    for name in ["oversize-fentry", "oversize-kprobe"] {
        let oversize = Measured::of(&run, name);
        assert!(oversize.tcp("hardware_bytes") > 0, "{oversize}");
        assert_explained(&oversize, &["too-large"]);
    }
    assert_explained(&Measured::of(&run, "marked"), &["ecn-missing"]);
    for name in ["small-burst", "small-burst-kprobe"] {
        assert_explained(&Measured::of(&run, name), &["qdisc-splits"]);
    }
    // Another qdisc would change nothing.
    assert_explained(&Measured::of(&run, "small-burst-off"), &["tso4-missing"]);
    assert_explained(&Measured::of(&run, "above"), &["upper-device"]);
    assert_explained(&Measured::of(&run, "whole"), &[]);
    let forwarded = Measured::of(&run, "forwarded");
    assert!(forwarded.tcp("forwarded_bytes") >= 2 * MIB, "{forwarded}");
    assert_explained(&forwarded, &["tso4-missing"]);

    // What leaves are fragments, in which no TCP is seen.
    let smaller_mtu = Measured::of(&run, "smaller-mtu");
    let reasons = reasons(&smaller_mtu);
    assert_eq!(ids(&reasons), ["stack-splits"], "{smaller_mtu}");
    assert!(reasons[0].bytes > MIB, "{smaller_mtu}");
}

/// A driver that was loaded with `gso=0` has no TSO for tagged packets, even after it was switched on for others. Nobody answers to
/// what is tagged, so the flow is tagged in its middle.
const TAGGED: &str = r#"
set -e
ip link set ens4 down
rmmod virtio_net
modprobe virtio_net gso=0
until [ -e /sys/class/net/eth0 ]; do sleep 0.1; done
ip link set eth0 name ens4
ip link set ens4 up
ip address add 10.10.1.2/24 dev ens4
until ping -c 1 -W 1 10.10.1.10 >/dev/null; do sleep 0.1; done
ethtool -K ens4 tso on
measure untagged -- vmnet load client 10.10.1.10 -n 2M
tc qdisc add dev ens4 clsact
for mode in fentry kprobe; do
    measure tagged-$mode --mode $mode -- sh -c '
        vmnet load client 10.10.1.10 -t 30 >/dev/null 2>&1 &
        sleep 1
        tc filter add dev ens4 egress matchall action vlan push id 7
        sleep 1
        kill -KILL $!'
    tc filter del dev ens4 egress
done
"#;

#[test]
fn a_tag_that_the_device_does_not_segment_behind_is_named() {
    skip_unless!(skip::vm(Kernel::V6_1), skip::vmnet());
    let run = machine(Kernel::V6_1, TAGGED).run().unwrap();
    println!("{:.1} s", run.duration.as_secs_f64());
    assert_eq!(run.exit_code, 0, "{}", run.stdout);
    let untagged = Measured::of(&run, "untagged");
    assert_eq!(untagged.state(), "engaged", "{untagged}");
    assert_explained(&untagged, &[]);
    for name in ["tagged-fentry", "tagged-kprobe"] {
        let tagged = Measured::of(&run, name);
        assert!(tagged.tcp("hardware_bytes") > 0, "{tagged}");
        assert_explained(&tagged, &["vlan"]);
    }
}
