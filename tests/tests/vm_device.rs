//! The testbed itself, on each kernel: a real virtio-net device whose offers are those of its host.

#![expect(clippy::unwrap_used, reason = "a scenario's helpers fail as its tests do")]

use std::fs::{self, OpenOptions};
use std::time::{SystemTime, UNIX_EPOCH};

use testbed::{HostEnd, Kernel, Start, Vm, paths, skip, skip_unless};

const FEATURES: &str = "ethtool -k ens4 | grep -E 'tx-tcp6?-segmentation'\n";
const TRAFFIC: &str = "mark before\niperf3 -c 10.10.1.10 -t 1 --json >/tmp/iperf3.json && send-file iperf3.json /tmp/iperf3.json\n\
                       status=$?\nmark after\nexit $status\n";

fn tso_is_on_and_traffic_reaches_the_tap(kernel: Kernel) {
    skip_unless!(skip::vm(kernel));
    let run = Vm::new(kernel).script(format!("uname -r\n{FEATURES}{TRAFFIC}")).run().unwrap();
    println!("{kernel}: {:.1} s from start to power-off", run.duration.as_secs_f64());
    assert_eq!(run.exit_code, 0, "{}", run.stdout);
    assert!(run.stdout.contains("tx-tcp-segmentation: on\n"), "{}", run.stdout);
    assert!(run.stdout.contains("tx-tcp6-segmentation: on\n"), "{}", run.stdout);
    let during = run.marks["after"].since(run.marks["before"]);
    let report: serde_json::Value = serde_json::from_slice(&run.files["iperf3.json"]).unwrap();
    let sent_bytes = report["end"]["sum_received"]["bytes"].as_u64().unwrap();
    assert!(during.rx_bytes > sent_bytes, "{during:?}, {sent_bytes} bytes received");
    // Whole super-packets passed: no frame of at most 1514 bytes could carry so much in so few.
    assert!(during.rx_bytes / during.rx_packets > 1514, "{during:?}");
}

fn tso_that_the_host_does_not_offer_is_fixed_off(kernel: Kernel) {
    skip_unless!(skip::vm(kernel));
    let run = Vm::new(kernel)
        .nic("host_tso4=off,host_tso6=off")
        .script(format!("{FEATURES}{TRAFFIC}"))
        .run()
        .unwrap();
    assert_eq!(run.exit_code, 0, "{}", run.stdout);
    assert!(run.stdout.contains("tx-tcp-segmentation: off [fixed]\n"), "{}", run.stdout);
    assert!(run.stdout.contains("tx-tcp6-segmentation: off [fixed]\n"), "{}", run.stdout);
    let during = run.marks["after"].since(run.marks["before"]);
    assert!(during.rx_bytes / during.rx_packets <= 1514, "{during:?}");
}

#[test]
fn tso_is_on_and_traffic_reaches_the_tap_on_5_10() {
    tso_is_on_and_traffic_reaches_the_tap(Kernel::V5_10);
}

#[test]
fn tso_is_on_and_traffic_reaches_the_tap_on_6_1() {
    tso_is_on_and_traffic_reaches_the_tap(Kernel::V6_1);
}

#[test]
fn tso_is_on_and_traffic_reaches_the_tap_on_6_12() {
    tso_is_on_and_traffic_reaches_the_tap(Kernel::V6_12);
}

#[test]
fn tso_is_on_and_traffic_reaches_the_tap_on_sid() {
    tso_is_on_and_traffic_reaches_the_tap(Kernel::Sid);
}

#[test]
fn tso_that_the_host_does_not_offer_is_fixed_off_on_5_10() {
    tso_that_the_host_does_not_offer_is_fixed_off(Kernel::V5_10);
}

#[test]
fn tso_that_the_host_does_not_offer_is_fixed_off_on_6_1() {
    tso_that_the_host_does_not_offer_is_fixed_off(Kernel::V6_1);
}

#[test]
fn tso_that_the_host_does_not_offer_is_fixed_off_on_6_12() {
    tso_that_the_host_does_not_offer_is_fixed_off(Kernel::V6_12);
}

#[test]
fn tso_that_the_host_does_not_offer_is_fixed_off_on_sid() {
    tso_that_the_host_does_not_offer_is_fixed_off(Kernel::Sid);
}

#[test]
fn a_user_mode_network_offers_no_tso_either() {
    skip_unless!(skip::vm(Kernel::V6_1));
    let run = Vm::new(Kernel::V6_1)
        .host_end(HostEnd::User)
        .script(format!("{FEATURES}iperf3 -c 10.10.1.10 -t 1"))
        .run()
        .unwrap();
    assert_eq!(run.exit_code, 0, "{}", run.stdout);
    assert!(run.stdout.contains("tx-tcp-segmentation: off [fixed]\n"), "{}", run.stdout);
    assert!(run.stdout.contains("tx-tcp6-segmentation: off [fixed]\n"), "{}", run.stdout);
    assert_eq!(run.tap, None);
}

#[test]
fn several_queues_reach_the_guest() {
    skip_unless!(skip::vm(Kernel::V6_1));
    let run = Vm::new(Kernel::V6_1).queues(2).script("ls -1 /sys/class/net/ens4/queues").run().unwrap();
    assert_eq!(run.stdout, "rx-0\nrx-1\ntx-0\ntx-1\n");
}

#[test]
fn the_exit_code_of_the_script_comes_back() {
    skip_unless!(skip::vm(Kernel::V6_1));
    let run = Vm::new(Kernel::V6_1).script("printf 'no newline'; exit 42").run().unwrap();
    assert_eq!((run.exit_code, run.stdout.as_str()), (42, "no newline"));
}

/// Two guests from one state: what no two machines share came with the word to go.
#[test]
fn guests_restored_from_one_state_have_the_time_and_random_numbers_of_their_own() {
    skip_unless!(skip::vm(Kernel::V6_1));
    let restored = || {
        let run = Vm::new(Kernel::V6_1).script("date +%s; od -An -N8 -tx8 /dev/urandom").run().unwrap();
        println!("{}, {:.1} s", run.start, run.duration.as_secs_f64());
        assert_eq!(run.start, Start::Restored);
        let (time, random) = run.stdout.split_once('\n').unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        assert!(now.abs_diff(time.parse().unwrap()) <= 10, "{time} in the guest, {now} here");
        random.to_owned()
    };
    assert_ne!(restored(), restored());
}

#[test]
fn a_torn_state_is_made_once_more() {
    skip_unless!(skip::vm(Kernel::V5_10));
    let guest = || Vm::new(Kernel::V5_10).script("echo here").run().unwrap();
    guest();
    let states =
        fs::read_dir(paths::testbed_cache().join("states")).unwrap().map(|entry| entry.unwrap().path());
    for state in states.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("5.10-")) {
        let file = OpenOptions::new().write(true).open(&state).unwrap();
        file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    }
    let run = guest();
    assert_eq!((run.start, run.stdout.as_str()), (Start::Restored, "here\n"));
}

#[test]
fn a_capture_on_the_tap_sees_super_packets_whole() {
    skip_unless!(skip::vm(Kernel::V6_1));
    let run = Vm::new(Kernel::V6_1).capture(128).script("iperf3 -c 10.10.1.10 -t 1").run().unwrap();
    let lengths = frame_lengths(&run.capture.unwrap());
    assert!(
        lengths.iter().any(|length| *length > 1514),
        "{} frames, none longer than the MTU",
        lengths.len()
    );
}

/// The original length of each frame of a little-endian pcap file.
fn frame_lengths(pcap: &[u8]) -> Vec<u32> {
    let word = |at: usize| pcap.get(at..at + 4).map(|bytes| u32::from_le_bytes(bytes.try_into().unwrap()));
    let mut lengths = Vec::new();
    let mut at = 24;
    while let (Some(captured), Some(original)) = (word(at + 8), word(at + 12)) {
        lengths.push(original);
        at += 16 + usize::try_from(captured).unwrap();
    }
    lengths
}
