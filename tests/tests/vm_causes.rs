//! Each cause that lies in the device, on a real virtio-net device: named first by the run's packets, named by doctor and check
//! before any traffic, and mended by `vmnet fix` where the guest can.

mod diagnosed;
mod measured;

use diagnosed::{Case, examined, patient};
use measured::Measured;
use measured::reasons::assert_explained;
use testbed::{HostEnd, Kernel, skip, skip_unless};

const ROOT: &str = "guest-root";
const HOST: &str = "host";
const MIB: u64 = 1 << 20;

/// What nobody and nothing is to blame for.
const ELSEWHERE: (&str, &str) = ("not-the-bottleneck", "none");

fn on_and_off(kernel: Kernel) {
    skip_unless!(skip::vm(kernel), skip::vmnet());
    let script = "diagnose on\nethtool -K ens4 tso off\ndiagnose off\nmend off\n";
    let vm = examined(&patient(kernel, script));
    let on = Case::of(&vm, "on");
    on.assert_both_say("engaged");
    on.assert_asked_name(&[]);
    assert_eq!(on.run.report["causes"][0]["id"], "not-the-bottleneck", "{}", on.run);
    let off = Case::of(&vm, "off");
    off.assert_both_say("software");
    off.assert_all_name(&[("turned-off", ROOT)]);
    off.assert_mended();
}

fn without_checksum(kernel: Kernel) {
    skip_unless!(skip::vm(kernel), skip::vmnet());
    let vm = examined(&patient(kernel, "diagnose none\ncannot_mend none\n").nic("csum=off"));
    let none = Case::of(&vm, "none");
    none.assert_both_say("software");
    none.run.assert_proven("software");
    none.assert_all_name(&[("host-no-csum", HOST)]);
    none.assert_beyond_mending();
}

/// Then switched off as well: the host's part is what has more bytes, the guest's is fixed, and the host's stays.
const ONE_FAMILY: &str = r#"
diagnose one
cannot_mend one
for mode in kprobe tracepoint; do measure one-$mode --mode $mode -- sh -c "$BOTH"; done
ethtool -K ens4 tso off
diagnose both
mend both partial
"#;

fn without_one_family(kernel: Kernel) {
    skip_unless!(skip::vm(kernel), skip::vmnet());
    let vm = examined(&patient(kernel, ONE_FAMILY).nic("host_tso6=off"));
    let one = Case::of(&vm, "one");
    one.assert_both_say("partial");
    one.assert_all_name(&[("one-family", HOST)]);
    one.assert_beyond_mending();
    let kprobe = Measured::of(&vm, "one-kprobe");
    for (run, mode) in [(&one.run, "fentry"), (&kprobe, "kprobe")] {
        assert_eq!(run.report["probes"]["mode"], mode, "{run}");
        run.assert_proven("partial");
        let reasons = assert_explained(run, &["tso6-missing"]);
        assert_eq!(reasons[0].ipv6_bytes, reasons[0].bytes);
        assert!(reasons[0].bytes > 3 * MIB, "{run}");
        assert_eq!(run.figure("/ledger/tcp/ipv6/hardware_bytes"), 0, "{run}");
        assert!(run.figure("/ledger/tcp/ipv4/hardware_bytes") > MIB, "{run}");
    }
    let unhooked = Measured::of(&vm, "one-tracepoint");
    assert!(unhooked.report["reasons"].is_null(), "{unhooked}");
    let why = unhooked.report["unmeasured"]["reasons"].as_str();
    assert!(why.is_some_and(|why| why.contains("not hooked")), "{unhooked}");
    // Features and the ledger by family tell as much.
    assert_eq!(unhooked.report["causes"][0]["id"], "one-family", "{unhooked}");

    let both = Case::of(&vm, "both");
    both.assert_both_say("software");
    both.run.assert_proven("software");
    both.assert_all_name(&[("host-no-tso", HOST), ("turned-off", ROOT)]);
    let reasons = assert_explained(&both.run, &["tso6-missing", "tso4-missing"]);
    assert_eq!((reasons[0].ipv4_bytes, reasons[1].ipv6_bytes), (0, 0), "{}", both.run);
    for what in ["fix exits 1", "run exits 0", "undo exits 0", "as before"] {
        both.assert_said(what);
    }
    both.assert_fix_names_host_settings("PARTLY CHANGED");
}

macro_rules! on_each_kernel {
    ($($scenario:ident: $on_5_10:ident $on_6_1:ident $on_6_12:ident $on_sid:ident;)+) => {
        $(
            #[test]
            fn $on_5_10() {
                $scenario(Kernel::V5_10);
            }
            #[test]
            fn $on_6_1() {
                $scenario(Kernel::V6_1);
            }
            #[test]
            fn $on_6_12() {
                $scenario(Kernel::V6_12);
            }
            #[test]
            fn $on_sid() {
                $scenario(Kernel::Sid);
            }
        )+
    };
}

on_each_kernel! {
    on_and_off:
        what_is_turned_off_is_named_and_mended_on_5_10
        what_is_turned_off_is_named_and_mended_on_6_1
        what_is_turned_off_is_named_and_mended_on_6_12
        what_is_turned_off_is_named_and_mended_on_sid;
    without_checksum:
        a_host_without_checksum_is_named_and_beyond_mending_on_5_10
        a_host_without_checksum_is_named_and_beyond_mending_on_6_1
        a_host_without_checksum_is_named_and_beyond_mending_on_6_12
        a_host_without_checksum_is_named_and_beyond_mending_on_sid;
    without_one_family:
        a_host_without_one_family_is_named_alone_and_beside_what_is_turned_off_on_5_10
        a_host_without_one_family_is_named_alone_and_beside_what_is_turned_off_on_6_1
        a_host_without_one_family_is_named_alone_and_beside_what_is_turned_off_on_6_12
        a_host_without_one_family_is_named_alone_and_beside_what_is_turned_off_on_sid;
}

#[test]
fn a_user_mode_host_is_one_without_checksum() {
    skip_unless!(skip::vm(Kernel::V6_1), skip::vmnet());
    let script = "diagnose user -- vmnet load client 10.10.1.10 -n 4M\ncannot_mend user\n";
    let vm = examined(&patient(Kernel::V6_1, script).host_end(HostEnd::User));
    let user = Case::of(&vm, "user");
    user.assert_both_say("software");
    user.run.assert_proven("software");
    user.assert_all_name(&[("host-no-csum", HOST)]);
    user.assert_beyond_mending();
}

#[test]
fn a_host_with_checksum_and_without_tso_is_told_from_one_without_either() {
    skip_unless!(skip::vm(Kernel::V6_1), skip::vmnet());
    let vm = examined(
        &patient(Kernel::V6_1, "diagnose none\ncannot_mend none\n").nic("host_tso4=off,host_tso6=off"),
    );
    let none = Case::of(&vm, "none");
    none.assert_both_say("software");
    none.assert_all_name(&[("host-no-tso", HOST)]);
    none.assert_beyond_mending();
}

/// Marks by the guest's own qdisc make TCP reduce its window, and what it sends then carries CWR.
const MARKED: &str = r"
echo 1 >/proc/sys/net/ipv4/tcp_ecn
tc qdisc replace dev ens4 root netem loss 1% ecn
diagnose marked -- vmnet load client 10.10.1.10 -n 60M
cannot_mend marked
";

#[test]
fn a_host_without_ecn_is_named_first_although_tso_is_engaged() {
    skip_unless!(skip::vm(Kernel::V6_1), skip::vmnet(), skip::program("sysctl"));
    let vm = examined(
        &patient(Kernel::V6_1, MARKED).nic("host_ecn=off").host_exec("sysctl -q -w net.ipv4.tcp_ecn=1"),
    );
    let marked = Case::of(&vm, "marked");
    marked.assert_both_say("engaged");
    marked.assert_asked_name(&[("host-no-ecn", HOST)]);
    let causes = marked.run.report["causes"].as_array().unwrap();
    let ids: Vec<&str> = causes.iter().map(|cause| cause["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["host-no-ecn", "not-the-bottleneck"], "{}", marked.run);
    let software = marked.run.tcp("software_bytes");
    assert!(software * 1000 >= marked.run.tcp("payload_bytes"), "hardly any CWR: {}", marked.run);
    // All that was segmented; the rest are singles, more or fewer by what the marks left of the window.
    let rest = marked.run.tcp("unaggregated_bytes") + marked.run.tcp("small_bytes");
    let expected = software as f64 / (software + rest) as f64;
    let share = causes[0]["share"].as_f64().unwrap();
    assert!((share - expected).abs() < 1e-9, "{share}, not {expected} of {}", marked.run);
    // It keeps no TSO off, and is no failure: it is said, with the host's settings.
    for what in ["fix exits 0", "as before", "journals 0"] {
        marked.assert_said(what);
    }
    assert!(marked.fix_text().contains("host_ecn=on"), "{}", marked.fix_text());
}

/// What root of the guest did, one thing after the other.
const SWITCHES: &str = r"
ethtool -K ens4 tx-tcp6-segmentation off
diagnose one-family
mend one-family
ethtool -K ens4 tso on

ethtool -K ens4 tx off
diagnose csum
mend csum
ethtool -K ens4 tx on

ethtool -K ens4 sg off
diagnose sg
mend sg
ethtool -K ens4 sg on gso on tso on

ethtool -K ens4 tso off tx off
diagnose two
mend two
ethtool -K ens4 tx on tso on

ip link set dev ens4 gso_max_segs 1
diagnose segs
mend segs
ip link set dev ens4 gso_max_segs 65535

sent=$(cat /sys/class/net/ens4/statistics/tx_bytes)
vmnet load client 10.10.1.10 -t 60 >/dev/null &
live=$!
# It has its limit from before once it sends.
until [ $(cat /sys/class/net/ens4/statistics/tx_bytes) -gt $((sent + 1000000)) ]; do sleep 0.1; done
ip link set dev ens4 gso_max_size 8000
measure size -d 500ms
kill -INT $live
wait $live || true
ask size
mend size
ip link set dev ens4 gso_max_size 65536

tc qdisc replace dev ens4 root tbf rate 100mbit burst 3000 limit 4mb
diagnose tbf
mend tbf
tc qdisc replace dev ens4 root cake
diagnose cake
mend cake
tc qdisc replace dev ens4 root fq_codel

ethtool -K ens4 tso off
measure flip -- sh -c 'vmnet load client 10.10.1.10 -t 1 & sleep 0.5; ethtool -K ens4 tso on; wait'
ask flip

diagnose small -- iperf3 -c 10.10.1.10 --no-delay --length 100 --bitrate 3M --bytes 800K
";

#[test]
fn whatever_root_switched_is_named_and_mended_and_put_back() {
    skip_unless!(skip::vm(Kernel::V6_1), skip::vmnet());
    let vm = examined(&patient(Kernel::V6_1, SWITCHES));
    for (name, state, causes) in [
        ("one-family", "partial", [("one-family", ROOT)].as_slice()),
        ("csum", "software", &[("csum-off", ROOT)]),
        ("sg", "software", &[("sg-off", ROOT)]),
        ("two", "software", &[("turned-off", ROOT), ("csum-off", ROOT)]),
        ("tbf", "software", &[("qdisc-splits", ROOT)]),
        ("cake", "software", &[("qdisc-splits", ROOT)]),
    ] {
        let case = Case::of(&vm, name);
        case.assert_both_say(state);
        case.assert_all_name(causes);
        case.assert_mended();
    }

    let segs = Case::of(&vm, "segs");
    segs.run.assert_proven("not-built");
    segs.assert_all_name(&[("not-built", ROOT)]);
    segs.assert_mended();

    // A new flow keeps to the limit: only the live one was too large.
    let size = Case::of(&vm, "size");
    assert_eq!(size.run.state(), "software", "{}", size.run);
    size.assert_all_name(&[("too-large", ROOT)]);
    size.assert_mended();

    let flip = Case::of(&vm, "flip");
    flip.run.assert_proven("partial");
    flip.assert_run_names(&[("turned-off", ROOT)]);
    let detail = flip.run.report["causes"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("fixed meanwhile"), "{detail}");
    flip.assert_asked_name(&[]);

    let small = Case::of(&vm, "small");
    small.run.assert_proven("nothing-to-offload");
    small.assert_run_names(&[("small-writes", "application")]);
    assert_eq!(small.check["state"], "engaged", "{}", small.check);
    small.assert_asked_name(&[]);
}

/// The driver's parameters outlive what is switched, so the fix is told from its cause.
const PARAMETERS: &str = r"
reload gso=N
diagnose gso
mend gso
reload csum=N
diagnose csum
mend csum
";

#[test]
fn how_the_driver_was_loaded_is_named_and_mended() {
    skip_unless!(skip::vm(Kernel::V6_1), skip::vmnet());
    let vm = examined(&patient(Kernel::V6_1, PARAMETERS));
    for name in ["gso", "csum"] {
        let case = Case::of(&vm, name);
        case.assert_both_say("software");
        case.assert_all_name(&[("driver-param", ROOT)]);
        let detail = case.run.report["causes"][0]["detail"].as_str().unwrap();
        assert!(detail.contains(&format!("parameters/{name} is N")), "{detail}");
        case.assert_mended();
    }
}

/// XPS that sends every CPU to one of four queues, as a tuning guide may have it.
const ONE_QUEUE: &str = r"
for queue in 0 1 3; do echo 0 >/sys/class/net/ens4/queues/tx-$queue/xps_cpus; done
echo f >/sys/class/net/ens4/queues/tx-2/xps_cpus
diagnose one-queue -- vmnet load client 10.10.1.10 -n 20M -P 4
";

#[test]
fn an_engaged_run_through_one_queue_of_four_names_the_queue() {
    skip_unless!(skip::vm(Kernel::V6_12), skip::vmnet());
    let vm = examined(&patient(Kernel::V6_12, ONE_QUEUE).queues(4).cpus(4));
    let case = Case::of(&vm, "one-queue");
    case.assert_both_say("engaged");
    case.assert_asked_name(&[]);
    let first = &case.run.report["causes"][0];
    assert_eq!(
        (&first["id"], &first["fix"]["by"]),
        (&ELSEWHERE.0.into(), &ELSEWHERE.1.into()),
        "{}",
        case.run
    );
    let detail = first["detail"].as_str().unwrap();
    assert!(detail.contains("queue 2 of 4 carried"), "{detail}");
}
