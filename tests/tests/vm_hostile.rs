//! Qdiscs, filters, tunnels and devices above and beside that mislead, where the kernel has them all: what a run says is held against what the scenario
//! did, what the device and its qdiscs counted, and TCP's own count of what it retransmitted.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a scenario's helpers fail as its tests do")]

mod measured;

use measured::{Measured, TUNNEL, machine};
use testbed::{Kernel, Vm, VmRun, skip, skip_unless};

const MIB: u64 = 1 << 20;

/// The largest payload of a segment here: an IPv4 header and a TCP header without options below an MTU of 1,500.
const MOST_OF_A_SEGMENT: u64 = 1_460;

/// `held NAME INTERFACE [OPTIONS] -- COMMAND`: `measure_light`, and in one line what nobody asked vmnet for, before and after: packets of the
/// interface, its drops, the most that one of its qdiscs dropped, segments that TCP retransmitted.
const WITNESSED: &str = r#"
set -e
counts() {
    cat "/sys/class/net/$INTERFACE/statistics/tx_packets" "/sys/class/net/$INTERFACE/statistics/tx_dropped"
    tc -s qdisc show dev "$INTERFACE" | sed -n 's/.*(dropped \([0-9]*\),.*/\1/p' | sort -n | tail -n 1
    nstat -asz TcpRetransSegs | sed -n 's/^TcpRetransSegs *\([0-9]*\).*/\1/p'
}
held() {
    run=$1
    INTERFACE=$2
    shift 2
    before=$(counts)
    measure_light "$run" "$@"
    echo "$run: witness" $before $(counts)
    INTERFACE=ens4
}
"#;

fn hostile(script: &str) -> Vm {
    machine(Kernel::V6_12, &format!("{WITNESSED}{script}"))
}

fn came_through(vm: &Vm) -> VmRun {
    let run = vm.run().unwrap();
    println!("{:.1} s\n{}", run.duration.as_secs_f64(), run.stdout);
    assert_eq!(run.exit_code, 0, "{}", run.stdout);
    run
}

/// The numbers of the line that the script printed with this in front.
fn said(run: &VmRun, front: &str) -> Vec<u64> {
    let line = run.stdout.lines().find_map(|line| line.strip_prefix(front));
    let line = line.unwrap_or_else(|| panic!("no {front:?} in\n{}", run.stdout));
    line.split_whitespace().map(|number| number.parse().unwrap()).collect()
}

/// What the interface and TCP counted from before the run until after it.
struct Witness {
    packets: u64,
    dropped: u64,
    dropped_by_qdisc: u64,
    retransmitted_segs: u64,
}

/// A run of `held`, none of whose numbers is another than what the witnesses say.
fn held(run: &VmRun, name: &str) -> (Measured, Witness) {
    let of = Measured::of(run, name);
    let counts = said(run, &format!("{name}: witness "));
    let [packets, dropped, dropped_by_qdisc, retransmitted_segs] =
        std::array::from_fn(|at| counts[at + 4] - counts[at]);
    let told: u64 = ["tcp", "udp", "other"]
        .map(|lane| of.figure(&format!("/ledger/{lane}/packets_to_driver")))
        .iter()
        .sum();
    // A few more left while nothing watched.
    assert!(told.abs_diff(packets) <= packets / 100 + 10, "{told} packets told, {packets} left: {of}");

    if dropped == 0 && dropped_by_qdisc == 0 {
        assert_eq!(of.tcp("dropped_bytes"), 0, "nothing was dropped: {of}");
    }
    // Unknown where the sockets are above the device.
    if let Some(bytes) = of.report["ledger"]["tcp"]["retransmitted_bytes"].as_u64() {
        assert!(
            bytes <= retransmitted_segs * MOST_OF_A_SEGMENT,
            "{bytes} of {retransmitted_segs} segments: {of}"
        );
        assert!(
            bytes >= retransmitted_segs * MOST_OF_A_SEGMENT / 2,
            "{bytes} of {retransmitted_segs} segments: {of}"
        );
    }
    (of, Witness { packets, dropped, dropped_by_qdisc, retransmitted_segs })
}

/// Every part of the audit that could be measured holds.
fn assert_audited(of: &Measured) {
    assert_eq!(of.failing(), [""; 0], "{of}");
    of.assert_the_ledger_adds_up();
}

fn first_cause(of: &Measured) -> &str {
    of.report["causes"][0]["id"].as_str().unwrap_or_default()
}

/// Each qdisc that leaves super-packets whole, or as whole as it says; a filter that drops before the queue; a loss behind it; small writes beside bulk.
const SCRIPT: &str = r#"
send() { measure_light "$1" -- vmnet load client 10.10.1.10 -t 1s -P 2; }
with() { tc qdisc replace dev ens4 root $2; send "$1"; tc qdisc delete dev ens4 root; }
with fq fq
with sfq sfq
with cake "cake no-split-gso"
with cake-splits cake
with netem-duplicates "netem duplicate 5%"

tc qdisc add dev ens4 clsact
tc filter add dev ens4 egress matchall action gact ok random netrand drop 100
before=$(nstat -asz TcpRetransSegs | tail -1 | tr -s ' ' | cut -d' ' -f2)
send tc-drops
after=$(nstat -asz TcpRetransSegs | tail -1 | tr -s ' ' | cut -d' ' -f2)
echo "retransmitted $((after - before))"
tc qdisc delete dev ens4 clsact

measure_light small-beside -- sh -c 'vmnet load client 10.10.1.10 -t 1s --message-bytes 200 --nodelay & vmnet load client 10.10.1.10 -t 1s; wait'
"#;

#[test]
fn whatever_the_qdisc_no_statement_is_false() {
    skip_unless!(skip::vm(Kernel::V6_12), skip::vmnet());
    let run = came_through(&hostile(SCRIPT));
    for name in ["fq", "sfq", "cake"] {
        let of = Measured::of(&run, name);
        assert_eq!((of.state(), of.confidence()), ("engaged", "proven"), "{of}");
        // cake drops by itself where its queue stands.
        assert!(name == "cake" || of.tcp("dropped_bytes") == 0, "{of}");
    }
    let splits = Measured::of(&run, "cake-splits");
    assert_eq!(splits.state(), "software", "{splits}");
    // What comes out twice was queued once.
    let twice = Measured::of(&run, "netem-duplicates");
    assert_ne!(twice.state(), "software", "{twice}");

    // tc drops before `net_dev_queue`: nothing of that was ever queued. TCP is told, and sends it as if for the first time (`tcp_write_xmit`).
    let dropped = Measured::of(&run, "tc-drops");
    assert_eq!((dropped.state(), dropped.tcp("dropped_bytes")), ("engaged", 0), "{dropped}");
    if said(&run, "retransmitted ") == [0] {
        assert_eq!(dropped.tcp("retransmitted_bytes"), 0, "{dropped}");
    }

    let small = Measured::of(&run, "small-beside");
    assert_eq!(small.state(), "engaged", "{small}");
}

/// Super-packets of more than 64 KiB (BIG TCP), which only IPv6 had at first, by a header that is taken off before the wire. virtio-net takes none of that
/// length.
const BIG_TCP: &str = r#"
ip netns add far
ip link add big0 type veth peer name big1 netns far
ip address add fd01::1/64 dev big0 nodad
ip -n far address add fd01::2/64 dev big1 nodad
ip link set big0 gso_max_size 185000 gro_max_size 185000 up
ip -n far link set big1 gso_max_size 185000 gro_max_size 185000 up
ip -n far link set lo up
ip netns exec far vmnet load server &
until ip netns exec far ss -ltn | grep -q 5310; do sleep 0.1; done
held big-on big0 --exact -- vmnet load client fd01::2 -n 16M
ethtool -K big0 tso off
held big-off big0 --exact -- vmnet load client fd01::2 -n 16M
held big-off-light big0 -- vmnet load client fd01::2 -t 1s
ip link delete big0
"#;

/// A filter that sends everything to one queue of two, whatever XPS would.
const ONE_QUEUE: &str = r#"
tc qdisc replace dev ens4 root handle 1: mq
tc qdisc replace dev ens4 parent 1:1 fq
tc qdisc replace dev ens4 parent 1:2 fq
tc qdisc add dev ens4 clsact
tc filter add dev ens4 egress matchall action skbedit queue_mapping 1
held one-queue ens4 --exact -- vmnet load client 10.10.1.10 -n 8M -P 4
tc qdisc delete dev ens4 clsact
tc -s qdisc show dev ens4 parent 1:2 | sed -n 's/.*Sent \([0-9]*\) bytes.*/second queue \1/p'
tc qdisc delete dev ens4 root
"#;

/// A queue that is too short below a device that has none: what the one drops, the other is told of (`NET_XMIT_CN`).
const CONGESTED: &str = r#"
ip link add link ens4 name above0 type macvlan mode bridge
ip address add 10.10.5.2/24 dev above0
ip link set above0 up
tc qdisc replace dev ens4 root handle 1: htb default 1
tc class add dev ens4 parent 1: classid 1:1 htb rate 300mbit quantum 60000
tc qdisc add dev ens4 parent 1:1 fq_codel limit 3
held above-congested above0 --exact -- vmnet load client 10.10.5.10 -t 500ms -P 8
held congested ens4 -- vmnet load client 10.10.5.10 -t 1s -P 8
tc -s qdisc show dev ens4 root | sed -n 's/.*(dropped \([0-9]*\),.*/below dropped \1/p'
tc qdisc delete dev ens4 root
ip link delete above0
"#;

/// What changes while a flow is on its way.
const IN_MID_RUN: &str = r#"
ethtool -K ens4 tso off
held smaller-mtu ens4 --exact -- sh -c '(sleep 0.4; ip link set ens4 mtu 1400) & vmnet load client 10.10.1.10 -t 1s; wait'
ip link set ens4 mtu 1500
ethtool -K ens4 tso on
held flap ens4 --exact -- sh -c '(sleep 0.4; ip link set ens4 down; ip link set ens4 up) & vmnet load client 10.10.1.10 -t 1s; wait'
"#;

/// The device as the one port of a bond, and a macvlan above that.
const STACKED: &str = r#"
ip link add bond7 type bond mode active-backup miimon 100
ip link set ens4 down
ip link set ens4 master bond7
ip address flush dev ens4
ip link set bond7 up
ip link add link bond7 name above0 type macvlan mode bridge
ip address add 10.10.1.2/24 dev above0
ip link set above0 up
until ping -c 1 -W 1 10.10.1.10 >/dev/null; do sleep 0.1; done
held port ens4 --exact -- vmnet load client 10.10.1.10 -n 8M
held bond bond7 --exact -- vmnet load client 10.10.1.10 -n 8M
"#;

#[test]
fn whatever_is_long_congested_changed_or_stacked_no_statement_is_false() {
    skip_unless!(skip::vm(Kernel::V6_12), skip::vmnet());
    let script = [BIG_TCP, ONE_QUEUE, CONGESTED, IN_MID_RUN, STACKED].concat();
    let vm = hostile(&script).queues(2).host_exec("ip address add 10.10.5.10/24 dev tap0");
    let run = came_through(&vm);

    for (name, state) in [("big-on", "engaged"), ("big-off", "software")] {
        let (of, _) = held(&run, name);
        of.assert_proven(state);
        assert_eq!(of.first_sent_bytes(), 16 * MIB, "{of}");
        assert!(
            of.tcp("payload_bytes") / of.tcp("super_packets_queued") > 65_536,
            "none was that large: {of}"
        );
    }
    let (light, _) = held(&run, "big-off-light");
    assert_eq!(light.report["probes"]["counting"], "light", "{light}");
    assert_eq!((light.state(), light.confidence()), ("software", "proven"), "{light}");
    assert_audited(&light);

    let (one_queue, _) = held(&run, "one-queue");
    one_queue.assert_proven("engaged");
    let [by_the_second] = said(&run, "second queue ")[..] else { panic!("{}", run.stdout) };
    assert!(by_the_second > 8 * MIB, "the filter sent only {by_the_second} bytes there");
    let detail = one_queue.report["causes"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("queue 1 of 2 carried 100 %"), "{detail}");

    // The queue below drops, and tells the device above, which has sent what it was given.
    let (above, witness) = held(&run, "above-congested");
    assert!(witness.dropped == 0 && witness.retransmitted_segs > 0, "{} drops", witness.dropped);
    assert_eq!(above.tcp("dropped_bytes"), 0, "{above}");
    assert_audited(&above);
    let (congested, witness) = held(&run, "congested");
    assert!(witness.dropped_by_qdisc > 0 && congested.tcp("dropped_bytes") > 0, "{congested}");
    assert_audited(&congested);
    for of in [&above, &congested] {
        assert_eq!(of.tcp("software_bytes"), 0, "{of}");
    }

    let (smaller, _) = held(&run, "smaller-mtu");
    assert_eq!((smaller.state(), smaller.confidence()), ("software", "proven"), "{smaller}");
    // What was too long when it came to IP output was never queued; TCP counts it as sent.
    let unqueued: Vec<String> =
        smaller.failing().into_iter().filter(|name| name != "tcp-bytes-sent").collect();
    assert_eq!(unqueued, [""; 0], "{smaller}");
    let of_a_segment = smaller.tcp("software_bytes") / smaller.tcp("segments_made");
    assert!(
        (1_348..1_448).contains(&of_a_segment),
        "{of_a_segment} bytes a segment, of both MTUs: {smaller}"
    );
    let events = smaller.report["events"].as_array().unwrap();
    assert!(events.iter().any(|event| event["kind"] == "mtu-changed"), "{smaller}");

    let (flap, witness) = held(&run, "flap");
    assert_eq!((flap.state(), flap.tcp("software_bytes")), ("engaged", 0), "{flap}");
    assert_eq!(flap.tcp("dropped_bytes") == 0, witness.dropped == 0, "{} dropped: {flap}", witness.dropped);

    for name in ["port", "bond"] {
        let (of, witness) = held(&run, name);
        of.assert_proven("engaged");
        assert!(of.tcp("payload_bytes") >= 8 * MIB && witness.packets < 8 * MIB / 10_000, "{of}");
    }
}

/// Tunnels that hide what TCP there is from the device.
const TUNNELS: &str = r#"
ethtool -K vx0 tx off
held vxlan ens4 --exact -- vmnet load client 10.10.4.1 -n 4M --json
ethtool -K vx0 tx on tso on

for state in '10.10.1.2 dst 10.10.3.1 spi 1' '10.10.3.1 dst 10.10.1.2 spi 2'; do
    for netns in '' '-n far'; do
        ip $netns xfrm state add src $(echo "$state" | sed 's/spi/proto esp spi/') reqid 1 mode transport \
            aead 'rfc4106(gcm(aes))' 0x0123456789abcdef0123456789abcdef01234567 128
    done
done
# Policies for TCP (6) from here, and to here.
protect() {
    ip $1 xfrm policy add src 10.10.1.2 dst 10.10.3.1 proto 6 dir $2 tmpl proto esp reqid 1 mode transport
    ip $1 xfrm policy add src 10.10.3.1 dst 10.10.1.2 proto 6 dir $3 tmpl proto esp reqid 1 mode transport
}
protect '' out in
protect '-n far' in out
held ipsec ens4 --exact -- vmnet load client 10.10.3.1 -n 4M
ip -s xfrm state list src 10.10.1.2 | sed -n '/lifetime current/{n;s/^[^0-9]*\([0-9]*\)(bytes), \([0-9]*\)(packets)/protected \1 \2/p}'
ip xfrm policy flush
ip -n far xfrm policy flush

ip link add wg0 type wireguard
ip -n far link add wg0 type wireguard
wireguard-end wg0 left 10.10.3.1:51820
ip netns exec far wireguard-end wg0 right 10.10.1.2:51820
ip address add 10.10.6.2/24 dev wg0
ip -n far address add 10.10.6.1/24 dev wg0
ip link set wg0 up
ip -n far link set wg0 up
until ping -c 1 -W 1 10.10.6.1 >/dev/null; do sleep 0.1; done
plain=$(cat /sys/class/net/wg0/statistics/tx_bytes)
held wireguard ens4 --exact -- vmnet load client 10.10.6.1 -n 4M
echo "encrypted $(($(cat /sys/class/net/wg0/statistics/tx_bytes) - plain))"

ip netns exec far sctp-bulk serve 5999 >/tmp/served &
until ip netns exec far cat /proc/net/sctp/eps | grep -q 5999; do sleep 0.1; done
beside='sctp-bulk send 10.10.3.1:5999 2000000 & vmnet load client 10.10.1.10 -n 8M; wait'
held sctp-on ens4 --exact -- sh -c "$beside"
ethtool -K ens4 tso off
held sctp-off ens4 --exact -- sh -c "$beside"
until [ "$(grep -c SCTP /tmp/served)" = 2 ]; do sleep 0.1; done
cat /tmp/served
"#;

#[test]
fn whatever_hides_tcp_or_stands_beside_it_no_statement_is_false() {
    skip_unless!(skip::vm(Kernel::V6_12), skip::vmnet(), skip::program("sysctl"));
    let mut vm = hostile(&[TUNNEL, TUNNELS].concat())
        .file(env!("CARGO_BIN_EXE_wireguard-end"), "/usr/bin/wireguard-end")
        .file(env!("CARGO_BIN_EXE_sctp-bulk"), "/usr/bin/sctp-bulk")
        .host_exec("sysctl -q -w net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.tap0.send_redirects=0")
        .host_exec("ip route add 10.10.3.0/24 via 10.10.1.2");
    for module in ["esp4", "xfrm_user", "gcm", "ghash_generic", "ctr", "seqiv", "wireguard", "sctp"] {
        vm = vm.module(module);
    }
    let run = came_through(&vm);

    // The tunnel's device makes checksums by the CPU, and so it has no TSO either: its segments come here ready made.
    let (vxlan, _) = held(&run, "vxlan");
    vxlan.assert_proven("software");
    assert_eq!(vxlan.tcp("tunnel_bytes"), vxlan.tcp("payload_bytes"), "{vxlan}");
    assert_eq!(vxlan.first_sent_bytes(), 4 * MIB, "{vxlan}");
    assert_eq!((vxlan.tcp("super_packets_queued"), first_cause(&vxlan)), (0, "upper-device"), "{vxlan}");
    let title = vxlan.report["causes"][0]["title"].as_str().unwrap();
    assert!(title.contains("vx0"), "{title}");
    // What segmentation took for the tunnel's device is not this one's to tell.
    assert!(vxlan.report["cost"]["cores"].is_null(), "{vxlan}");

    // What leaves is ESP: no TCP is seen in it, and none is claimed to be.
    let (ipsec, witness) = held(&run, "ipsec");
    assert_eq!(first_cause(&ipsec), "ipsec", "{ipsec}");
    let [bytes, packets] = said(&run, "protected ")[..] else { panic!("{}", run.stdout) };
    assert!(
        bytes > 4 * MIB && packets > 2_800 && witness.packets >= packets,
        "{bytes} bytes in {packets} of ESP"
    );
    assert_eq!((ipsec.state(), ipsec.tcp("payload_bytes")), ("nothing-to-offload", 0), "{ipsec}");
    let others = ipsec.figure("/ledger/other/packets_to_driver");
    // The device counts what its ring has given back: a packet or two later.
    assert!(
        (packets..=witness.packets + 2).contains(&others),
        "{others} packets of other protocols: {ipsec}"
    );
    assert!(ipsec.figure("/ledger/other/bytes") > bytes, "ESP has headers: {ipsec}");

    // What leaves is UDP, to the byte what the tunnel's device counted, none of it in super-packets.
    let (wireguard, _) = held(&run, "wireguard");
    wireguard.assert_exact();
    assert_eq!(first_cause(&wireguard), "wireguard", "{wireguard}");
    assert_eq!((wireguard.state(), wireguard.tcp("payload_bytes")), ("nothing-to-offload", 0), "{wireguard}");
    assert_eq!(wireguard.report["verdict"]["udp"]["state"], "nothing-to-offload", "{wireguard}");
    // Beside what its device counts WireGuard sends a little of its own (handshakes, keepalives), more often on a quiet machine.
    let [encrypted] = said(&run, "encrypted ")[..] else { panic!("{}", run.stdout) };
    let udp = wireguard.figure("/ledger/udp/payload_bytes");
    assert!(
        (encrypted..encrypted + 1_000).contains(&udp),
        "{encrypted} encrypted, {udp} of UDP: {wireguard}"
    );

    // SCTP's super-packets have no one size of segment, so that they cannot be counted as others are. TCP beside them is told as it is.
    for (name, state, wrong) in
        [("sctp-on", "engaged", "software_bytes"), ("sctp-off", "software", "hardware_bytes")]
    {
        let (beside, _) = held(&run, name);
        assert_eq!(beside.state(), state, "{beside}");
        assert_eq!((beside.first_sent_bytes(), beside.tcp(wrong)), (8 * MIB, 0), "{beside}");
        assert!(beside.figure("/ledger/other/bytes") >= 2_000_000, "{beside}");
    }
    assert_eq!(run.stdout.lines().filter(|line| *line == "received 2000000 bytes by SCTP").count(), 2);
}
