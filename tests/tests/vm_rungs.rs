//! The rungs of the ladder, side by side on one kernel: however packets are counted, the counts are the same.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a scenario's helpers fail as its tests do")]

use testbed::{Kernel, Report, Vm, VmRun, skip, skip_unless};

const SENT_BYTES: u64 = 10 << 20;

/// Name and options of each run.
const WAYS: &[(&str, &str)] = &[
    ("fentry", "--mode fentry"),
    ("kprobe", "--mode kprobe"),
    ("tracepoint", "--mode tracepoint"),
    ("queue-raw", "--way net_dev_queue=raw_tp"),
    ("start-raw", "--way net_dev_start_xmit=raw_tp"),
    ("xmit-raw", "--way net_dev_xmit=raw_tp"),
    ("free-raw", "--way kfree_skb=raw_tp"),
    ("queue-kprobe", "--way net_dev_queue=kprobe"),
];

fn report(run: &VmRun, name: &str) -> Report {
    Report::parse(run.files.get(name).unwrap_or_else(|| panic!("no {name} in: {}", run.stdout))).unwrap()
}

fn transfer(name: &str, options: &str) -> String {
    format!(
        "vmnet run ens4 --exact --plain {options} -o /tmp/reports --json /tmp/{name}.json -- \
         vmnet load client 10.10.1.10 -n 10M --json || exit\nsend-file {name}.json /tmp/{name}.json\n"
    )
}

#[test]
fn every_rung_and_every_way_to_a_hook_counts_the_same() {
    skip_unless!(skip::vm(Kernel::V6_1), skip::vmnet());
    let mut script = String::new();
    for tso in ["on", "off"] {
        script.push_str(&format!("ethtool -K ens4 tso {tso}\n"));
        for (name, options) in WAYS {
            script.push_str(&transfer(&format!("{tso}-{name}"), options));
        }
    }
    let run = Vm::new(Kernel::V6_1).serve_load().script(script).run().unwrap();
    println!("{:.1} s", run.duration.as_secs_f64());
    assert_eq!(run.exit_code, 0, "{}", run.stdout);
    for (tso, state) in [("on", "engaged"), ("off", "software")] {
        for (name, options) in WAYS {
            let report = report(&run, &format!("{tso}-{name}.json"));
            println!("tso {tso} {options}: {report}");
            let mode = options.strip_prefix("--mode ").unwrap_or("fentry");
            assert_eq!(report.word("probes.mode"), mode, "{report}");
            assert_eq!(report.state(), state, "{name}: {report}");
            if let Some((hook, kind)) = options.strip_prefix("--way ").and_then(|way| way.split_once('=')) {
                let hooks = report.0["probes"]["hooks"].as_array().unwrap();
                let counted_by: Vec<_> =
                    hooks.iter().filter(|each| each["hook"] == hook).map(|each| &each["kind"]).collect();
                assert_eq!(counted_by, [kind], "{report}");
            }
            assert_consistent(&report, state);
            // What our own programs took inside a timed call is kept apart from what the call took.
            let own_ns = report.count("cost.own_ns");
            assert_eq!(own_ns.is_some(), mode != "tracepoint", "{report}");
            assert!(own_ns.is_none_or(|ns| (ns > 0) == (state == "software")), "{own_ns:?} {report}");
            // The tracepoint rung does not see segmentation itself: an identity fewer is measured there, not a false one.
            let confidence = if mode == "tracepoint" { report.confidence() } else { "proven" };
            assert_eq!(report.confidence(), confidence, "{name}: {report}");
            assert!(report.unexplained_nulls().is_empty(), "{name}: {:?}", report.unexplained_nulls());
        }
    }
}

/// What a transfer of known size has to give, whoever counts.
fn assert_consistent(report: &Report, state: &str) {
    let tcp = |column: &str| report.count(&format!("ledger.tcp.{column}")).unwrap();
    assert_eq!(tcp("payload_bytes") - tcp("retransmitted_bytes"), SENT_BYTES, "{report}");
    let (built, other) = match state {
        "engaged" => ("hardware_bytes", "software_bytes"),
        _ => ("software_bytes", "hardware_bytes"),
    };
    assert_eq!(tcp(other), 0, "{report}");
    assert_eq!(tcp(built) + tcp("unaggregated_bytes") + tcp("small_bytes"), tcp("payload_bytes"), "{report}");
    assert!(tcp(built) > SENT_BYTES / 10 * 9, "{report}");
    for identity in report.identities() {
        if identity.left.is_some() {
            assert_eq!((identity.residual, identity.slack), (Some(0), Some(0)), "{identity}\n{report}");
        }
    }
    // With TSO as many super-packets reach the driver as were queued; without, none.
    let whole = if state == "engaged" { tcp("super_packets_queued") } else { 0 };
    assert_eq!(tcp("super_packets_to_driver"), whole, "{report}");
    assert_eq!(report.missed(), 0, "{report}");
}

const COUNTERS: &str = r#"
transfer="vmnet load client 10.10.1.10 -n 10M --json"
nobody="setpriv --reuid 65534 --regid 65534 --clear-groups"
mkdir -p /tmp/nobody && chmod 777 /tmp/nobody
for tso in on off; do
    ethtool -K ens4 tso $tso
    $nobody vmnet run ens4 --plain --mode counters -o /tmp/nobody --json /tmp/nobody/$tso.json -- $transfer || exit
    send-file $tso.json /tmp/nobody/$tso.json
done
ethtool -K ens4 tso on
vmnet run ens4 --plain --mode counters -o /tmp/reports --json /tmp/mixed.json -- \
    sh -c "$transfer; ethtool -K ens4 tso off; $transfer" || exit
send-file mixed.json /tmp/mixed.json
$nobody vmnet run ens4 --plain -d 1s -o /tmp/nobody 2>/tmp/refused.txt
echo $? >>/tmp/refused.txt
send-file refused.txt /tmp/refused.txt
"#;

#[test]
fn without_root_and_programs_the_answer_is_the_same_with_less_confidence() {
    skip_unless!(skip::vm(Kernel::V6_1), skip::vmnet(), skip::program("setpriv"));
    let run = Vm::new(Kernel::V6_1).program("setpriv").serve_load().script(COUNTERS).run().unwrap();
    println!("{:.1} s", run.duration.as_secs_f64());
    assert_eq!(run.exit_code, 0, "{}", run.stdout);
    let [on, off, mixed] = ["on.json", "off.json", "mixed.json"].map(|name| report(&run, name));
    println!("on: {on}\noff: {off}\nmixed: {mixed}");
    assert_eq!(on.state(), "engaged", "{on}");
    assert!(["supported", "weak"].contains(&on.confidence()), "{on}");
    assert_eq!((off.state(), off.confidence()), ("software", "weak"), "{off}");
    assert_eq!((mixed.state(), mixed.confidence()), ("inconclusive", "weak"), "{mixed}");
    for report in [on, off, mixed] {
        assert_eq!(report.word("probes.mode"), "counters", "{report}");
        assert!(report.at("ledger.tcp").is_none() && report.at("audit").is_none(), "{report}");
        assert!(!report.word("verdict.basis").is_empty(), "{report}");
        assert!(report.unexplained_nulls().is_empty(), "{:?}", report.unexplained_nulls());
    }
    let refused = String::from_utf8_lossy(&run.files["refused.txt"]);
    println!("{refused}");
    assert!(refused.contains("sudo") && refused.contains("--mode counters"), "{refused}");
    assert!(refused.ends_with("\n1\n"), "{refused}");
}

/// What stands in the way of programs: a kernel without its types, two capabilities and no more, and one that is locked down (for good).
const KEPT_OUT: &str = r#"
set -e
ethtool -K ens4 tso off
mkdir -p /tmp/nobody && chmod 777 /tmp/nobody
measure() {
    name=$1
    shift
    "$@" vmnet run ens4 --plain -o /tmp/nobody --json /tmp/nobody/$name.json -- vmnet load client 10.10.1.10 -n 10M >/tmp/$name.txt 2>&1
    send-file $name.json /tmp/nobody/$name.json
    send-file $name.txt /tmp/$name.txt
}
mount -t tmpfs none /sys/kernel/btf
measure no-btf
umount /sys/kernel/btf
two=+bpf,+perfmon
measure two-capabilities setpriv --reuid 65534 --regid 65534 --clear-groups \
    --inh-caps=-all,$two --ambient-caps=-all,$two --bounding-set=-all,$two
ulimit -l unlimited
measure and-a-limit setpriv --reuid 65534 --regid 65534 --clear-groups \
    --inh-caps=-all,$two --ambient-caps=-all,$two --bounding-set=-all,$two
mount -t securityfs none /sys/kernel/security
echo confidentiality >/sys/kernel/security/lockdown
measure locked-down
umount /sys/kernel/security
measure locked-down-unread
"#;

fn what_keeps_programs_out_is_one_line(kernel: Kernel) {
    skip_unless!(skip::vm(kernel), skip::vmnet(), skip::program("setpriv"));
    let run = Vm::new(kernel).program("setpriv").serve_load().script(KEPT_OUT).run().unwrap();
    println!("{:.1} s", run.duration.as_secs_f64());
    assert_eq!(run.exit_code, 0, "{}", run.stdout);
    for (name, words) in [
        ("no-btf", "CONFIG_DEBUG_INFO_BTF"),
        ("locked-down", "(lockdown=confidentiality)"),
        ("locked-down-unread", "lockdown=confidentiality, by what it refused"),
    ] {
        let said = String::from_utf8_lossy(&run.files[&format!("{name}.txt")]).into_owned();
        let report = report(&run, &format!("{name}.json"));
        let why = report.at("probes.fell_because").unwrap().as_array().unwrap();
        assert!(why.len() == 1 && why[0].as_str().unwrap().contains(words), "{why:?}\n{said}");
        assert!(!said.contains("verifier") && !said.contains("bpf_probe_read"), "{said}");
        assert_eq!((report.state(), report.confidence()), ("software", "weak"), "{report}");
    }
    // Before 5.11 they take a limit besides.
    let said = String::from_utf8_lossy(&run.files["two-capabilities.txt"]);
    let two = report(&run, "two-capabilities.json");
    let mode = if kernel == Kernel::V5_10 { "counters" } else { "fentry" };
    assert_eq!((two.word("probes.mode"), two.state()), (mode, "software"), "{two}\n{said}");
    assert_eq!(mode == "counters", said.contains("LimitMEMLOCK"), "{said}");
    let raised = report(&run, "and-a-limit.json");
    assert_eq!((raised.word("probes.mode"), raised.state()), ("fentry", "software"), "{raised}");
}

#[test]
fn what_keeps_programs_out_is_one_line_on_5_10() {
    what_keeps_programs_out_is_one_line(Kernel::V5_10);
}

#[test]
fn what_keeps_programs_out_is_one_line_on_6_12() {
    what_keeps_programs_out_is_one_line(Kernel::V6_12);
}

/// The kernel skips kprobe programs on a CPU whose task is inside a `bpf()` call on a map, and before 6.7 says so nowhere
/// (`bpf_disable_instrumentation`): reading counters must not make us lose what we count.
const SAMPLED_OFTEN: &str = r#"
ethtool -K ens4 tso off
vmnet run ens4 --exact --plain --mode kprobe -i 100ms -o /tmp/reports --json /tmp/report.json -- \
    vmnet load client 10.10.1.10 -t 12 -P 4 --json || exit
send-file report.json /tmp/report.json
"#;

#[test]
fn kprobes_lose_nothing_to_the_reading_of_their_counters() {
    skip_unless!(skip::vm(Kernel::V6_1), skip::vmnet());
    // With one CPU, whatever interrupts the reading finds us in it.
    let run = Vm::new(Kernel::V6_1).cpus(1).serve_load().script(SAMPLED_OFTEN).run().unwrap();
    assert_eq!(run.exit_code, 0, "{}", run.stdout);
    let report = report(&run, "report.json");
    println!("{report}");
    // The load leaves the one CPU to others seldom, and beside other guests more seldom still.
    assert!(report.at("throughput.samples").unwrap().as_array().unwrap().len() > 20, "{report}");
    assert_eq!((report.state(), report.confidence()), ("software", "proven"), "{report}");
    for identity in report.identities() {
        if identity.left.is_some() {
            assert_eq!((identity.residual, identity.slack), (Some(0), Some(0)), "{identity}\n{report}");
        }
    }
    assert_eq!(report.missed(), 0, "{report}");
}
