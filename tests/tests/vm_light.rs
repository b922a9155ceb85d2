//! `vmnet run` as people run it: light, with windows in which every segment is counted. On each rung of each kernel it comes to the state that
//! is there, proven, without a hook per segment for most of the time.

#![expect(clippy::unwrap_used, reason = "a scenario's helpers fail as its tests do")]

mod measured;

use measured::{Measured, machine};
use testbed::report::unexplained_nulls;
use testbed::{Kernel, skip, skip_unless};

/// Name, options, and what `tso` is; the tracepoint rung, which sees no segmentation, both ways.
const RUNS: [(&str, &str, &str, &str); 4] = [
    ("fentry", "--mode fentry", "on", "engaged"),
    ("kprobe", "--mode kprobe", "off", "software"),
    ("tracepoint-off", "--mode tracepoint", "off", "software"),
    ("tracepoint-on", "--mode tracepoint", "on", "engaged"),
];

/// Light to the end, every identity that was measured holds, and no null is without its reason.
fn assert_light(of: &Measured) {
    assert_eq!(of.report["probes"]["counting"], "light", "{of}");
    let share = of.report["probes"]["exact_share"].as_f64().unwrap();
    assert!(share > 0.0 && share < 0.7, "{share} of the time with every hook: {of}");
    assert!(of.failing().is_empty(), "{:?} {of}", of.failing());
    assert_eq!(of.report["audit"]["missed"]["unmatched_xmits"], 0, "{of}");
    of.assert_the_ledger_adds_up();
    assert!(unexplained_nulls(&of.report).is_empty(), "{:?} {of}", unexplained_nulls(&of.report));
}

fn light_is_proven_on_every_rung(kernel: Kernel) {
    skip_unless!(skip::vm(kernel), skip::vmnet());
    let mut script = "set -e\n".to_owned();
    for (name, options, tso, _) in RUNS {
        script += &format!(
            "ethtool -K ens4 tso {tso}\nmeasure_light {name} {options} -- vmnet load client 10.10.1.10 -t 1200ms\n"
        );
    }
    let run = machine(kernel, &script).run().unwrap();
    println!("{:.1} s", run.duration.as_secs_f64());
    assert_eq!(run.exit_code, 0, "{}", run.stdout);
    for (name, _, _, state) in RUNS {
        let of = Measured::of(&run, name);
        assert_light(&of);
        assert_eq!((of.state(), of.confidence()), (state, "proven"), "{of}");
        let other = if state == "engaged" { "software_bytes" } else { "hardware_bytes" };
        assert_eq!(of.tcp(other), 0, "{of}");
    }
}

#[test]
fn light_is_proven_on_every_rung_on_5_10() {
    light_is_proven_on_every_rung(Kernel::V5_10);
}

#[test]
fn light_is_proven_on_every_rung_on_6_1() {
    light_is_proven_on_every_rung(Kernel::V6_1);
}

#[test]
fn light_is_proven_on_every_rung_on_6_12() {
    light_is_proven_on_every_rung(Kernel::V6_12);
}

#[test]
fn light_is_proven_on_every_rung_on_sid() {
    light_is_proven_on_every_rung(Kernel::Sid);
}

/// What traffic can be like beside one stream: families and protocols at once, one family without TSO, drops, no qdisc, a router.
const MIXES: &str = r#"
set -e
ethtool -K ens4 tso off
both='vmnet load client 10.10.1.10 -t 1200ms & vmnet load client fd00:10:10:1::10 -t 1200ms & wait'
one_by_one='vmnet load client fd00:10:10:1::10 -n 80M && vmnet load client 10.10.1.10 -n 80M'
measure_light mixed -- sh -c "iperf3 -c 10.10.1.10 -u -b 5M -t 2 >/dev/null & $both"
ethtool -K ens4 tso on
ethtool -K ens4 tx-tcp6-segmentation off
measure_light one-family --mode tracepoint -- sh -c "$one_by_one"
ethtool -K ens4 tx-tcp6-segmentation on

ethtool -K ens4 tso off
tc qdisc replace dev ens4 root netem loss 1%
measure_light dropping -- vmnet load client 10.10.1.10 -t 1200ms -P 4
tc qdisc replace dev ens4 root noqueue
measure_light noqueue --mode tracepoint -- vmnet load client 10.10.1.10 -t 1200ms
tc qdisc delete dev ens4 root
ethtool -K ens4 tso on

ip netns add inner
ip link add to-inner type veth peer name outer netns inner
ip address add 10.10.2.1/24 dev to-inner
ip link set to-inner up
ip -n inner address add 10.10.2.2/24 dev outer
ip -n inner link set outer up
ip -n inner route add default via 10.10.2.1
echo 1 >/proc/sys/net/ipv4/ip_forward
measure_light forwarded --mode tracepoint -- ip netns exec inner vmnet load client 10.10.1.10 -t 4s
"#;

#[test]
fn light_tells_families_drops_and_forwarding_apart_as_well() {
    skip_unless!(skip::vm(Kernel::V6_1), skip::vmnet(), skip::program("iperf3"));
    let run =
        machine(Kernel::V6_1, MIXES).host_exec("ip route add 10.10.2.0/24 via 10.10.1.2").run().unwrap();
    println!("{:.1} s\n{}", run.duration.as_secs_f64(), run.stdout);
    assert_eq!(run.exit_code, 0, "{}", run.stdout);
    let of = |name| {
        let of = Measured::of(&run, name);
        assert_light(&of);
        of
    };

    let mixed = of("mixed");
    assert_eq!((mixed.state(), mixed.confidence()), ("software", "proven"), "{mixed}");
    for family in ["ipv4", "ipv6"] {
        assert!(mixed.figure(&format!("/ledger/tcp/{family}/software_bytes")) > 1 << 20, "{mixed}");
        assert_eq!(mixed.figure(&format!("/ledger/tcp/{family}/hardware_bytes")), 0, "{mixed}");
    }
    assert!(mixed.figure("/ledger/udp/payload_bytes") > 100_000, "{mixed}");

    let one_family = of("one-family");
    assert_eq!((one_family.state(), one_family.confidence()), ("partial", "proven"), "{one_family}");
    assert_eq!(one_family.figure("/ledger/tcp/ipv4/software_bytes"), 0, "{one_family}");
    assert_eq!(one_family.figure("/ledger/tcp/ipv6/hardware_bytes"), 0, "{one_family}");
    assert_eq!(one_family.report["ledger"]["tcp"]["method"], "allotted", "{one_family}");

    let dropping = of("dropping");
    assert!(dropping.tcp("dropped_bytes") > 0, "{dropping}");
    assert_eq!(dropping.tcp("hardware_bytes"), 0, "{dropping}");

    let noqueue = of("noqueue");
    assert_eq!((noqueue.state(), noqueue.tcp("hardware_bytes")), ("software", 0), "{noqueue}");

    let forwarded = of("forwarded");
    assert!(forwarded.tcp("forwarded_bytes") > 1 << 20, "{forwarded}");
}

/// UDP that the device segments beside TCP that it does not, both protocols' segments through one interface at once.
#[test]
fn light_tells_udp_that_the_device_segments_from_tcp_that_it_does_not() {
    skip_unless!(skip::vm(Kernel::V6_12), skip::vmnet());
    let script = "set -e
ethtool -K ens4 tso off tx-udp-segmentation on
ethtool -k ens4 | grep 'tx-udp-segmentation: on'
udp='udp-segments 10.10.1.10:5999 2'
both='vmnet load client 10.10.1.10 -t 2s & vmnet load client fd00:10:10:1::10 -t 2s & wait'
measure_light beside -- sh -c \"$udp & $both\"
measure_light alone -- $udp
";
    let run = machine(Kernel::V6_12, script)
        .file(env!("CARGO_BIN_EXE_udp-segments"), "/usr/bin/udp-segments")
        .run()
        .unwrap();
    println!("{:.1} s\n{}", run.duration.as_secs_f64(), run.stdout);
    assert_eq!(run.exit_code, 0, "{}", run.stdout);
    let beside = Measured::of(&run, "beside");
    assert_light(&beside);
    assert_eq!((beside.state(), beside.confidence()), ("software", "proven"), "{beside}");
    for family in ["ipv4", "ipv6"] {
        assert!(beside.figure(&format!("/ledger/tcp/{family}/software_bytes")) > 1 << 20, "{beside}");
        assert_eq!(beside.figure(&format!("/ledger/tcp/{family}/hardware_bytes")), 0, "{beside}");
    }
    let alone = Measured::of(&run, "alone");
    for of in [&beside, &alone] {
        let udp = of.figure("/ledger/udp/payload_bytes");
        assert!(udp > 1 << 20, "{of}");
        assert_eq!(of.figure("/ledger/udp/hardware_bytes"), udp, "{of}");
    }
    assert_eq!(alone.state(), "nothing-to-offload", "{alone}");
}
