//! Causes on the way to the device, as `vmnet run` names them: what stands above it, its qdisc, its tunnel, the layers that forward. And
//! `vmnet fix` for those that it can fix, proved by the next run.

#![expect(clippy::unwrap_used, reason = "a scenario's helpers fail as its tests do")]

mod measured;

use std::collections::BTreeMap;

use measured::{Measured, TUNNEL, machine};
use serde_json::Value;
use testbed::report::Report;
use testbed::{Kernel, VmRun, skip, skip_unless};

/// `mended NAME -- COMMAND`: fixes, measures the same traffic once more as NAME-mended, undoes, and compares.
const MENDED: &str = r#"
snapshot() {
    for device in $(ls /sys/class/net); do
        echo "$device"
        ethtool -k "$device"
        ip -d link show dev "$device"
        tc -d qdisc show dev "$device"
    done
}
mended() {
    of=$1
    shift
    snapshot >/tmp/before
    vmnet fix ens4 -v --plain >/tmp/fix.txt 2>&1 && code=0 || code=$?
    echo "$of: fix $code"
    sed "s/^/$of: /" /tmp/fix.txt
    measure "$of-mended" "$@"
    vmnet fix ens4 -v --undo --plain >/tmp/fix.txt 2>&1 && code=0 || code=$?
    echo "$of: undo $code"
    snapshot >/tmp/after
    if cmp -s /tmp/before /tmp/after; then
        echo "$of: as before"
    else
        diff /tmp/before /tmp/after || cat /tmp/fix.txt
    fi
}
"#;

fn ids(of: &Measured) -> Vec<&str> {
    let causes = of.report["causes"].as_array().unwrap();
    for cause in causes {
        println!("  {} {} {}: {}", cause["id"], cause["share"], cause["title"], cause["detail"]);
    }
    causes.iter().map(|cause| cause["id"].as_str().unwrap()).collect()
}

/// The run whose first cause is this, and the share of it.
fn assert_first(run: &VmRun, name: &str, id: &str) -> Measured {
    let of = Measured::of(run, name);
    assert_eq!(ids(&of).first(), Some(&id), "{of}");
    of
}

/// As [`assert_first`], and it explains all but a thousandth of what the device was not given whole.
fn assert_all_of_it(run: &VmRun, name: &str, id: &str) -> Measured {
    let of = assert_first(run, name, id);
    let share = of.report["causes"][0]["share"].as_f64();
    assert!(share.is_some_and(|share| share > 0.9), "{share:?} {of}");
    of
}

fn assert_printed(run: &VmRun, line: &str) {
    assert!(run.stdout.lines().any(|printed| printed == line), "no line {line:?}\n{}", run.stdout);
}

/// Mended without a complaint, and put back to the letter.
fn assert_mended(run: &VmRun, name: &str) {
    for line in ["fix 0", "undo 0", "as before"] {
        assert_printed(run, &format!("{name}: {line}"));
    }
}

/// As [`assert_mended`], and the same traffic went out whole.
fn assert_engaged(run: &VmRun, name: &str) {
    assert_mended(run, name);
    let mended = Measured::of(run, &format!("{name}-mended"));
    assert_eq!(mended.state(), "engaged", "{mended}");
    assert_eq!(ids(&mended).first(), Some(&"not-the-bottleneck"), "{mended}");
}

/// `with_vlan`: ens4.7, to a host that knows of no tags: they are taken off on the way out, and answers come without.
const VLAN: &str = r#"
with_vlan() {
    for name in all ens4; do
        echo 0 >/proc/sys/net/ipv4/conf/$name/rp_filter
    done
    ip link add link ens4 name ens4.7 type vlan id 7
    ip address add 10.10.7.2/24 dev ens4.7
    ip link set ens4.7 up
    ping -c 1 -W 10 10.10.1.10 >/dev/null
    host=$(ip neigh show 10.10.1.10 dev ens4 | sed -n 's/.*lladdr \([^ ]*\).*/\1/p')
    ip neigh replace 10.10.7.10 lladdr "$host" dev ens4.7
    tc qdisc add dev ens4 clsact
    tc filter add dev ens4 egress matchall action vlan pop
}
without_vlan() {
    tc qdisc del dev ens4 clsact
    ip link del ens4.7
}
"#;

const ABOVE_AND_BESIDE: &str = r#"
measure tunnel -- vmnet load client 10.10.4.1 -n 2M

ethtool -K vx0 tso off
measure above -- vmnet load client 10.10.4.1 -n 2M
mended above -- vmnet load client 10.10.4.1 -n 2M
ethtool -K vx0 tso on

ethtool -K ens4 tx-tcp6-segmentation off
measure two -- sh -c 'vmnet load client fd00:10:10:1::10 -n 4M && vmnet load client 10.10.4.1 -n 2M'
ethtool -K ens4 tx-tcp6-segmentation on
ip rule del iif ens4

with_vlan
ethtool -K ens4.7 tso off
measure vlan -- vmnet load client 10.10.7.10 -n 2M
mended vlan -- vmnet load client 10.10.7.10 -n 2M
without_vlan

tc qdisc replace dev ens4 root tbf rate 100mbit burst 3000 limit 4mb
measure tbf -- vmnet load client 10.10.1.10 -n 2M
mended tbf -- vmnet load client 10.10.1.10 -n 2M
tc qdisc replace dev ens4 root cake
measure cake -- vmnet load client 10.10.1.10 -n 2M
mended cake -- vmnet load client 10.10.1.10 -n 2M
tc qdisc replace dev ens4 root fq_codel
"#;

/// A router whose packets come in already segmented, and one whose packets are too long for what is behind it, and may be fragmented.
const FORWARDED: &str = r#"
ip netns add inner
ip link add to-inner type veth peer name outer netns inner
ip address add 10.10.2.1/24 dev to-inner
ip link set to-inner up
ip -n inner address add 10.10.2.2/24 dev outer
ip -n inner link set outer up
ip -n inner route add default via 10.10.2.1
ip netns exec inner ethtool -K outer tso off gso off
ethtool -K to-inner gro off
measure singles -- ip netns exec inner vmnet load client 10.10.1.10 -n 4M
mended singles -- ip netns exec inner vmnet load client 10.10.1.10 -n 4M
ip netns exec inner ethtool -K outer gso on tso on

ip netns exec inner sh -c 'echo 1 >/proc/sys/net/ipv4/ip_no_pmtu_disc'
ip link set ens4 mtu 1000
measure smaller-mtu -- ip netns exec inner vmnet load client 10.10.1.10 -n 2M
"#;

#[test]
fn whatever_stands_above_or_beside_the_device_is_named_first_and_what_can_be_mended_is() {
    skip_unless!(skip::vm(Kernel::V6_1), skip::vmnet(), skip::program("sysctl"));
    // Bound to the device, as most set them up, so that it is known what stands above.
    let tunnel = TUNNEL.replace("local 10.10.1.2 dstport 4789\n", "local 10.10.1.2 dstport 4789 dev ens4\n");
    assert_ne!(tunnel, TUNNEL);
    let run = machine(Kernel::V6_1, &[tunnel.as_str(), MENDED, VLAN, ABOVE_AND_BESIDE, FORWARDED].concat())
        .host_exec("sysctl -q -w net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.tap0.send_redirects=0")
        .host_exec("ip route add 10.10.3.0/24 via 10.10.1.2")
        .host_exec("ip route add 10.10.2.0/24 via 10.10.1.2")
        .host_exec("ip address add 10.10.7.10/24 dev tap0")
        .run()
        .unwrap();
    println!("{:.1} s\n{}", run.duration.as_secs_f64(), run.stdout);
    assert_eq!(run.exit_code, 0, "{}", run.stdout);

    let tunnel = assert_all_of_it(&run, "tunnel", "tunnel");
    assert_eq!(tunnel.report["causes"][0]["fix"]["by"], "host", "{tunnel}");
    assert_all_of_it(&run, "above", "upper-device");
    assert_mended(&run, "above");
    // Behind what was fixed, what cannot be.
    assert_all_of_it(&run, "above-mended", "tunnel");

    let two = Measured::of(&run, "two");
    assert_eq!(ids(&two), ["one-family", "tunnel"], "{two}");

    assert_all_of_it(&run, "vlan", "upper-device");
    assert_engaged(&run, "vlan");
    for qdisc in ["tbf", "cake"] {
        assert_all_of_it(&run, qdisc, "qdisc-splits");
        assert_engaged(&run, qdisc);
    }

    let singles = assert_all_of_it(&run, "singles", "gro-off");
    let detail = singles.report["causes"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("off on to-inner"), "{detail}");
    assert_mended(&run, "singles");
    let put_together = Measured::of(&run, "singles-mended");
    assert!(!ids(&put_together).contains(&"gro-off"), "{put_together}");

    // What leaves are fragments, in which no TCP is seen.
    assert_first(&run, "smaller-mtu", "mtu-smaller");
}

/// A driver that was loaded with `gso=0` has no TSO for tagged packets, even after it was switched on for others. A
/// vlan above shows TSO as on all the same (`vlan_dev_fix_features` keeps all of software GSO). Nobody answers to what keeps its tag, so flows lose
/// the one who takes it off, or get it, in their middle.
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
with_vlan
measure above -- sh -c '
    vmnet load client 10.10.7.10 -t 30 >/dev/null 2>&1 &
    sleep 0.5
    tc filter del dev ens4 egress
    sleep 0.5
    kill -KILL $!'
without_vlan
tc qdisc add dev ens4 clsact
measure on-its-way -- sh -c '
    vmnet load client 10.10.1.10 -t 30 >/dev/null 2>&1 &
    sleep 0.5
    tc filter add dev ens4 egress matchall action vlan push id 8
    sleep 0.5
    kill -KILL $!'
"#;

#[test]
fn a_tag_that_the_driver_takes_no_super_packets_behind_is_the_stack_of_vlans() {
    skip_unless!(skip::vm(Kernel::V6_1), skip::vmnet());
    let run = machine(Kernel::V6_1, &[VLAN, TAGGED].concat())
        .host_exec("ip address add 10.10.7.10/24 dev tap0")
        .run()
        .unwrap();
    println!("{:.1} s\n{}", run.duration.as_secs_f64(), run.stdout);
    assert_eq!(run.exit_code, 0, "{}", run.stdout);
    assert_first(&run, "above", "vlan-stack");
    assert_first(&run, "on-its-way", "vlan-stack");
}

/// Devices of every kind that Debian's cloud kernel makes; some on top of ens4.
const KINDS: &str = r#"
ip link add dummy7 type dummy
ip link add bond7 type bond mode active-backup
ip link add bridge7 type bridge
ip link add vlan7 link ens4 type vlan id 7
ip link add macvlan7 link ens4 type macvlan
ip link add vxlan7 type vxlan id 7 remote 10.10.1.10 dstport 4789 dev ens4
ip link add geneve7 type geneve id 7 remote 10.10.1.10
ip link add gre7 type gre local 10.10.1.2 remote 10.10.1.10
ip link add vrf7 type vrf table 7
ip link add veth7 type veth peer name peer7
ip link add ifb7 type ifb
modprobe tun
ip tuntap add dev tap7 mode tap
ip tuntap add dev tun7 mode tun
for path in /sys/class/net/*7; do
    device=${path##*/}
    ip link set "$device" up
    vmnet doctor "$device" --json - >"/tmp/$device.json" 2>/tmp/said || {
        cat /tmp/said
        exit 1
    }
    send-file "$device.json" "/tmp/$device.json"
done
vmnet doctor ens4 --json - >/tmp/ens4.json 2>/dev/null
send-file ens4.json /tmp/ens4.json
"#;

#[test]
fn every_kind_of_device_is_diagnosed_for_what_it_is() {
    skip_unless!(skip::vm(Kernel::V6_1), skip::vmnet());
    let run = machine(Kernel::V6_1, KINDS).run().unwrap();
    println!("{:.1} s\n{}", run.duration.as_secs_f64(), run.stdout);
    assert_eq!(run.exit_code, 0, "{}", run.stdout);
    let mut causes = BTreeMap::new();
    for (file, bytes) in &run.files {
        let report = Report::parse(bytes).unwrap();
        let unexplained = report.unexplained_nulls();
        assert!(unexplained.is_empty(), "{file}: {unexplained:?}");
        let chain = report.0["chain"].as_array().unwrap();
        let states: Vec<&str> = chain.iter().map(|link| link["state"].as_str().unwrap()).collect();
        println!("{file} {states:?} {}", report.word("summary"));
        assert_eq!((chain.len(), states[0] == "ok"), (7, file == "ens4.json"), "{file}: {states:?}");
        assert_eq!(states[0] == "not-applicable", file != "ens4.json", "{file}: {states:?}");
        let ids = |cause: &Value| cause["id"].as_str().unwrap().to_owned();
        let of: Vec<String> = report.0["causes"].as_array().unwrap().iter().map(ids).collect();
        causes.insert(file.trim_end_matches("7.json").to_owned(), of);
    }
    println!("{causes:#?}");
    assert_eq!(causes.len(), 15, "{:?}", causes.keys());
    for healthy in ["dummy", "bridge", "vlan", "macvlan", "veth", "ens4.json"] {
        assert_eq!(causes[healthy], [""; 0], "{healthy}");
    }
    // No program holds the tap; the bond has no port; and ens4 does not cut inside a tunnel.
    for (kind, cause) in
        [("tap", "turned-off"), ("tun", "turned-off"), ("bond", "turned-off"), ("vxlan", "tunnel")]
    {
        assert_eq!(causes[kind], [cause], "{kind}");
    }
}
