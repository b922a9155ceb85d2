//! Each way to lose segmentation offload is named by the packets themselves, and the named bytes are all of them.

mod measured;

use measured::reasons::{assert_explained, ids, reasons};
use measured::{Measured, TUNNEL, machine};
use testbed::{Kernel, skip, skip_unless};

const MIB: u64 = 1 << 20;

/// A device that has TSO, and everything that comes between. A live flow keeps the limit that its route had. A router whose packets
/// may be fragmented segments for the smaller MTU behind it.
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
        vmnet load client 10.10.1.10 -t 1 &
        sleep 0.5
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
        sleep 0.5
        tc filter add dev ens4 egress matchall action vlan push id 7
        sleep 0.5
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
