//! The story this began with: a guest behind Open vSwitch with DPDK, over vhost-user. What the switch does not offer,
//! nothing in the guest can turn on.

#![expect(clippy::unwrap_used, reason = "a scenario's helpers fail as its tests do")]

use testbed::{HostEnd, Kernel, Vm, VmRun, skip, skip_unless};

use measured::Measured;

mod measured;

/// What one looks at in the guest, what everybody recommends to do about it, and the same bulk either way.
const SCRIPT: &str = "\
send-file features /sys/class/net/ens4/device/features
ethtool -k ens4 >/tmp/offloads
send-file offloads /tmp/offloads
ethtool -K ens4 tso on
echo \"tso on: exit $?\"
mark before
measure bulk -- vmnet load client 10.10.1.10 -n 20M
mark after
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
    /// them, if the guest's kernel did not cut them up.
    fn mean_packet_bytes_behind_the_switch(&self) -> u64 {
        let during = self.0.marks["after"].since(self.0.marks["before"]);
        during.rx_bytes / during.rx_packets
    }

    fn bulk(&self) -> Measured {
        Measured::of(&self.0, "bulk")
    }
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
