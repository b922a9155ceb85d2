//! The audit can fail: without any one hook, and for packets that pass the hooks by, it says so. With all hooks it is
//! exact, drops included.

mod measured;

use measured::{Measured, machine};
use testbed::{Kernel, skip, skip_unless};

/// Each hook, and what must fail without it where segmentation is software's and the qdisc drops.
const HOOKS: [(&str, &[&str]); 8] = [
    ("net_dev_queue", &["wire-bytes", "wire-segments", "driver-packets", "tcp-bytes-sent", "sendmsg-bytes"]),
    ("net_dev_start_xmit", DRIVER_STAGE),
    ("net_dev_xmit", DRIVER_STAGE),
    ("kfree_skb", &["wire-bytes", "wire-segments", "driver-packets"]),
    ("__skb_gso_segment", &["wire-bytes", "driver-packets"]),
    ("skb_segment", &["segment-counts"]),
    ("tcp_sendmsg", &["sendmsg-bytes"]),
    ("inet_sock_set_state", &["tcp-bytes-sent"]),
];

const DRIVER_STAGE: &[&str] =
    &["wire-bytes", "wire-segments", "driver-packets", "device-packets", "device-bytes"];

/// Ways to lose packets between queue and driver: the qdisc, and what is behind it. The slow tbf gives its child something
/// to drop; the one of small burst segments by itself what it then drops.
const DROPS: [(&str, &str, &str); 4] = [
    ("pfifo", "tbf rate 100mbit burst 70kb limit 1mb", "pfifo limit 2"),
    ("fq-codel", "tbf rate 100mbit burst 70kb limit 1mb", "fq_codel limit 2 flows 1"),
    ("tbf", "tbf rate 100mbit burst 20kb limit 40kb", ""),
    ("netem", "netem loss 5%", ""),
];

#[test]
fn without_any_one_hook_the_audit_fails_and_with_all_of_them_it_is_exact() {
    skip_unless!(skip::vm(Kernel::V6_1), skip::vmnet());
    let mut script =
        "set -e\nethtool -K ens4 tso off\ntc qdisc replace dev ens4 root netem loss 8%\n".to_owned();
    for (hook, _) in HOOKS {
        script +=
            &format!("measure without-{hook} --without-hook {hook} -- vmnet load client 10.10.1.10 -n 4M\n");
    }
    script += "measure with-all -- vmnet load client 10.10.1.10 -n 4M\n";
    let run = machine(Kernel::V6_1, &script).run().unwrap();
    assert_eq!(run.exit_code, 0, "{}", run.stdout);

    for (hook, identities) in HOOKS {
        let measured = Measured::of(&run, &format!("without-{hook}"));
        for name in identities {
            let identity = measured.identity(name);
            assert_eq!(identity.ok, Some(false), "without {hook}: {identity:?} of {measured}");
            assert_ne!(identity.residual, Some(0), "without {hook}: {identity:?}");
        }
        assert!(!measured.audit_ok(), "without {hook}: {measured}");
        assert_ne!(measured.confidence(), "proven", "without {hook}: {measured}");
        assert!(!measured.basis().is_empty(), "without {hook}: {measured}");
    }
    let with_all = Measured::of(&run, "with-all");
    with_all.assert_exact();
    // Which state that is depends on how small a window the losses leave: TCP may build singles for most of the bytes.
    assert_eq!(with_all.confidence(), "proven", "{with_all}");
    assert_eq!(with_all.tcp("hardware_bytes"), 0, "{with_all}");
    assert!(with_all.tcp("software_bytes") > 0, "{with_all}");
    assert!(with_all.tcp("dropped_bytes") > 0, "{with_all}");
    println!("{:?}", run.duration);
}

#[test]
fn every_packet_that_a_qdisc_drops_is_found() {
    skip_unless!(skip::vm(Kernel::V6_1), skip::vmnet());
    let mut script = "set -e\n".to_owned();
    for tso in ["on", "off"] {
        script += &format!("ethtool -K ens4 tso {tso}\n");
        for (name, root, child) in DROPS {
            script += &format!("tc qdisc replace dev ens4 root handle 1: {root}\n");
            if !child.is_empty() {
                script += &format!("tc qdisc replace dev ens4 parent 1:1 {child}\n");
            }
            script += &format!(
                "measure {name}-{tso} -- vmnet load client 10.10.1.10 -n 4M -P 8\n\
                 tc qdisc delete dev ens4 root\n"
            );
        }
    }
    let run = machine(Kernel::V6_1, &script).run().unwrap();
    assert_eq!(run.exit_code, 0, "{}", run.stdout);
    for tso in ["on", "off"] {
        for (name, ..) in DROPS {
            let measured = Measured::of(&run, &format!("{name}-{tso}"));
            assert!(measured.tcp("dropped_bytes") > 0, "{measured}");
            assert_eq!(measured.identity("wire-segments").residual, Some(0), "{measured}");
            measured.assert_exact();
            // All of it arrived in the end, so it left beside what was dropped.
            let left = measured.tcp("payload_bytes") - measured.tcp("dropped_bytes");
            assert!(left >= 4 << 20, "{measured}");
        }
    }
    println!("{:?}", run.duration);
}

#[test]
fn frames_that_bypass_the_hooks_are_missed_to_the_frame() {
    skip_unless!(skip::vm(Kernel::V6_1), skip::vmnet());
    let script = "set -e\n\
        measure bypassed -- sh -c 'bypass-frames ens4 1000; vmnet load client 10.10.1.10 -n 4M'\n\
        measure not-bypassed -- vmnet load client 10.10.1.10 -n 4M\n";
    let run = machine(Kernel::V6_1, script)
        .file(env!("CARGO_BIN_EXE_bypass-frames"), "/usr/bin/bypass-frames")
        .run()
        .unwrap();
    assert_eq!(run.exit_code, 0, "{}", run.stdout);

    let bypassed = Measured::of(&run, "bypassed");
    let [packets, bytes] = ["device-packets", "device-bytes"].map(|name| bypassed.identity(name));
    assert_eq!((packets.residual, packets.ok), (Some(-1_000), Some(false)), "{bypassed}");
    assert_eq!((bytes.residual, bytes.ok), (Some(-60_000), Some(false)), "{bypassed}");
    assert!(!bypassed.audit_ok(), "{bypassed}");
    assert_ne!(bypassed.confidence(), "proven", "{bypassed}");
    assert!(bypassed.basis().contains("device-"), "{bypassed}");
    Measured::of(&run, "not-bypassed").assert_proven("engaged");
    println!("{:?}", run.duration);
}
