//! The story this began with: a guest behind Open vSwitch with DPDK, over vhost-user. What the switch does not offer,
//! nothing in the guest can turn on.

#![expect(clippy::unwrap_used, reason = "a scenario's helpers fail as its tests do")]

use serde_json::Value;
use testbed::report::document;
use testbed::{HostEnd, Kernel, Vm, VmRun, skip, skip_unless};

use measured::Measured;

mod measured;

/// What one looks at in the guest, what everybody recommends to do about it, and the same bulk either way. Then what `vmnet` says
/// without traffic, and what it makes of the device.
const SCRIPT: &str = "\
send-file features /sys/class/net/ens4/device/features
ethtool -k ens4 >/tmp/offloads
send-file offloads /tmp/offloads
ethtool -K ens4 tso on
echo \"tso on: exit $?\"
mark before
measure bulk -- vmnet load client 10.10.1.10 -n 20M
mark after
vmnet check ens4 --json - >/tmp/check.json 2>/tmp/check.txt
echo \"check: exit $?\"
send-file check.json /tmp/check.json
vmnet doctor ens4 --json - >/tmp/doctor.json 2>/tmp/doctor.txt
echo \"doctor: exit $?\"
send-file doctor.json /tmp/doctor.json
snapshot() { ethtool -k ens4; ip -d link show dev ens4; tc -d qdisc show dev ens4; }
snapshot >/tmp/before
vmnet fix ens4 -v --plain >/tmp/fix.txt 2>&1
echo \"fix: exit $?\"
send-file fix.txt /tmp/fix.txt
snapshot >/tmp/now
cmp /tmp/before /tmp/now && echo 'nothing was changed'
";

/// From <linux/virtio_net.h>: the place of each in the file `features`, which has those that were negotiated.
const VIRTIO_NET_F_CSUM: usize = 0;
const VIRTIO_NET_F_HOST_TSO4: usize = 11;
const VIRTIO_NET_F_HOST_TSO6: usize = 12;
const VIRTIO_NET_F_HOST_ECN: usize = 13;

/// What `ethtool -k` calls the offloads that come with those.
const OFFLOADS: [&str; 4] =
    ["tx-checksum-ip-generic", "tx-scatter-gather", "tx-tcp-segmentation", "tx-tcp6-segmentation"];

/// The guest at a port of a switch whose `userspace-tso-enable` is `tso`.
fn behind_the_switch(tso: bool) -> Seen {
    let run = measured::machine(Kernel::V6_1, SCRIPT).host_end(HostEnd::OvsDpdk { tso }).run().unwrap();
    println!("{:.1} s from QEMU's start to its end", run.duration.as_secs_f64());
    assert_eq!(run.exit_code, 0, "{}", run.stdout);
    Seen(run)
}

struct Seen(VmRun);

impl Seen {
    fn file(&self, name: &str) -> String {
        String::from_utf8(self.0.files[name].clone()).unwrap()
    }

    /// An answer of `vmnet` in JSON.
    fn answer(&self, name: &str) -> Value {
        document(self.file(name).as_bytes()).unwrap()
    }

    /// The words of `vmnet fix`, with each space and line break one space.
    fn fix_said(&self) -> String {
        let said = self.file("fix.txt");
        println!("{said}");
        said.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn assert_printed(&self, line: &str) {
        assert!(self.0.stdout.lines().any(|printed| printed == line), "no line {line:?}\n{}", self.0.stdout);
    }

    fn is_negotiated(&self, bit: usize) -> bool {
        self.file("features").as_bytes()[bit] == b'1'
    }

    /// A line of `ethtool -k`, such as `off [fixed]`. Empty where there is no such line.
    fn offload(&self, name: &str) -> String {
        let offloads = self.file("offloads");
        let mut lines = offloads.lines().filter_map(|line| line.trim().split_once(": "));
        let found = lines.find(|(offload, _)| *offload == name);
        found.map(|(_, state)| state.to_owned()).unwrap_or_default()
    }

    /// Mean length of what the switch passed on to the host while the bulk was sent: whole packets as the device got
    /// them, if the guest's kernel did not segment them.
    fn mean_packet_bytes_behind_the_switch(&self) -> u64 {
        let during = self.0.marks["after"].since(self.0.marks["before"]);
        during.rx_bytes / during.rx_packets
    }

    fn bulk(&self) -> Measured {
        Measured::of(&self.0, "bulk")
    }
}

/// The name of the first link of doctor's chain that does not hold.
fn first_broken(doctor: &Value) -> Option<&str> {
    let chain = doctor["chain"].as_array().unwrap();
    let broken = chain.iter().find(|link| link["state"] == "broken" || link["state"] == "partial")?;
    broken["link"].as_str()
}

#[test]
fn a_switch_without_tso_leaves_segmenting_to_the_guest_and_turning_tso_on_there_is_refused() {
    skip_unless!(skip::vm(Kernel::V6_1), skip::ovs_dpdk(), skip::vmnet());
    let seen = behind_the_switch(false);
    for withheld in [VIRTIO_NET_F_CSUM, VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_HOST_TSO6] {
        assert!(!seen.is_negotiated(withheld), "bit {withheld} of {}", seen.file("features"));
    }
    // Without checksums nothing that builds on them is left to the driver.
    for offload in OFFLOADS {
        assert_eq!(seen.offload(offload), "off [fixed]", "{offload}");
    }
    assert!(
        seen.0.stdout.contains("Could not change any device features\ntso on: exit 1\n"),
        "{}",
        seen.0.stdout
    );
    let bulk = seen.bulk();
    bulk.assert_proven("software");
    assert!(seen.mean_packet_bytes_behind_the_switch() <= 1514);

    let doctor = seen.answer("doctor.json");
    println!("{:#}", doctor["chain"]);
    for (who, causes) in [("run", &bulk.report["causes"]), ("doctor", &doctor["causes"])] {
        let cause = &causes[0];
        assert_eq!(
            (&cause["id"], &cause["fix"]["by"]),
            (&"host-no-csum".into(), &"host".into()),
            "{who}: {cause}"
        );
        let mut settings = cause["fix"]["commands"].as_array().unwrap().iter();
        assert!(
            settings.any(|setting| setting.as_str().unwrap().contains("userspace-tso-enable=true")),
            "{who}: {cause}"
        );
    }
    assert!(bulk.report["causes"][0]["share"].as_f64().unwrap() > 0.99, "{}", bulk.report["causes"]);
    assert_eq!(first_broken(&doctor), Some("offered"), "{}", doctor["chain"]);
    seen.assert_printed("check: exit 0");
    assert_eq!(seen.answer("check.json")["state"], "software");

    seen.assert_printed("fix: exit 1");
    let said = seen.fix_said();
    for words in
        ["nothing inside this machine can help ens4", "nothing was changed", "userspace-tso-enable=true"]
    {
        assert!(said.contains(words), "{words}\n{said}");
    }
    seen.assert_printed("nothing was changed");
}

#[test]
fn the_same_switch_with_userspace_tso_gets_super_packets_whole() {
    skip_unless!(skip::vm(Kernel::V6_1), skip::ovs_dpdk(), skip::vmnet());
    let seen = behind_the_switch(true);
    for offered in [VIRTIO_NET_F_CSUM, VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_HOST_TSO6] {
        assert!(seen.is_negotiated(offered), "bit {offered} of {}", seen.file("features"));
    }
    for offload in OFFLOADS {
        assert_eq!(seen.offload(offload), "on", "{offload}");
    }
    // The switch has no TSO for congestion marks, and withholds it with TSO alone.
    assert!(!seen.is_negotiated(VIRTIO_NET_F_HOST_ECN), "{}", seen.file("features"));
    assert_eq!(seen.offload("tx-tcp-ecn-segmentation"), "off [fixed]");
    let bulk = seen.bulk();
    bulk.assert_proven("engaged");
    assert!(seen.mean_packet_bytes_behind_the_switch() > 1514);

    assert_eq!(bulk.report["causes"][0]["id"], "not-the-bottleneck", "{}", bulk.report["causes"]);
    let doctor = seen.answer("doctor.json");
    for link in doctor["chain"].as_array().unwrap() {
        assert_eq!(link["state"], "ok", "{link}");
    }
    let summary = doctor["summary"].as_str().unwrap();
    assert!(summary.contains("TSO works on ens4"), "{summary}");
    // Without TSO for congestion marks, which nobody misses here.
    let check = seen.answer("check.json");
    assert_eq!(check["state"], "engaged", "{check}");

    seen.assert_printed("fix: exit 0");
    let said = seen.fix_said();
    assert!(said.contains("NOTHING TO DO"), "{said}");
    seen.assert_printed("nothing was changed");
}

#[test]
fn the_switch_serves_every_queue_of_the_device() {
    skip_unless!(skip::vm(Kernel::V6_1), skip::ovs_dpdk());
    let run = Vm::new(Kernel::V6_1)
        .host_end(HostEnd::OvsDpdk { tso: false })
        .queues(2)
        // A CPU sends through the queue of its own.
        .script(
            "taskset 1 ping -c 1 -W 10 10.10.1.10 && taskset 2 ping -c 1 -W 10 10.10.1.10 || exit 1\n\
             ethtool -S ens4 | grep -E 'tx_queue_[01]_packets'",
        )
        .run()
        .unwrap();
    assert_eq!(run.exit_code, 0, "{}", run.stdout);
    let sent = run.stdout.lines().filter_map(|line| line.trim().strip_prefix("tx_queue_"));
    assert_eq!(sent.filter(|queue| !queue.ends_with(" 0")).count(), 2, "{}", run.stdout);
}
