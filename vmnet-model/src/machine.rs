//! What the device and the machine around it say of themselves: the facts that causes are found from. Read by
//! `device::machine_facts`, judged by [`super::cause`]; nothing here does I/O.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fact::{self, Fact, Why};
use super::features::FeatureSet;
use crate::null_because;

null_because! {
    not_counted: Why::is("not among this kernel's statistics");
    no_counters: Why::is("noqueue counts nothing, or this kernel does not tell");
    no_option: Why::is("not set, or this kernel does not tell");
    no_features: Why::is("its features could not be read");
    no_other_end: Why::is(
        "it is none of a pair whose other end is in another namespace of this machine, or that may not be entered"
    );
}

/// Everything about one interface and the machine around it, at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Machine {
    /// The interface itself.
    pub device: Device,
    /// The devices above it (vlan, bond, bridge, tunnel, macvlan) and below it, nearest first; then tunnels whose way is not known.
    pub stack: Vec<Stacked>,
    /// `uname -r`.
    pub kernel: String,
    /// virtio-net's bits; None where the interface is not a virtio one.
    #[serde(with = "fact::optional")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Virtio>"))]
    pub virtio: Option<Fact<Virtio>>,
    /// Parameters of the driver's module (`/sys/module/virtio_net/parameters`): name → value. Empty where it has none.
    pub module_parameters: BTreeMap<String, String>,
    /// Queues and who serves them.
    pub queues: Queues,
    /// The transmit qdiscs, the root first.
    #[serde(with = "fact")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<Qdisc>>"))]
    pub qdiscs: Fact<Vec<Qdisc>>,
    /// CPUs online.
    #[serde(with = "fact")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u32>"))]
    pub cpus_online: Fact<u32>,
    /// `net.ipv4.tcp_ecn`.
    #[serde(with = "fact")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u32>"))]
    pub tcp_ecn: Fact<u32>,
    /// Whether IPv4 or IPv6 packets are forwarded.
    #[serde(with = "fact")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<bool>"))]
    pub forwarding: Fact<bool>,
    /// The other interfaces by which forwarded packets could come in, with whether GRO is on.
    pub ingress: Vec<Ingress>,
    /// Files that set offloads of this interface, or could: `.link`, netplan, NetworkManager, udev, tuned, ifupdown.
    pub setters: Vec<Setter>,
    /// Such files that could not be read, each with its reason: what they set is not known.
    pub setters_unread: Vec<String>,
    /// nfqueue: queues that get packets without the GSO flag (`/proc/net/netfilter/nfnetlink_queue` has none of the flag, so this
    /// is the number of queues bound).
    #[serde(with = "fact")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u32>"))]
    pub nfqueues: Fact<u32>,
    /// Whether tc filters hand packets for the interface to other devices (`act_mirred`): what leaves by those is not seen on this one.
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<bool>"))]
    pub redirects: Fact<bool>,
}

impl Machine {
    /// What the interface's own qdisc lets through, where it is tbf.
    #[must_use]
    pub fn shaped_bytes_per_s(&self) -> Option<u64> {
        const ROOT: u32 = u32::MAX;
        let root = self.qdiscs.as_ref().ok()?.iter().find(|qdisc| qdisc.parent == ROOT)?;
        match root.options {
            QdiscOptions::Tbf { rate_bytes_per_s, .. } => Some(rate_bytes_per_s),
            _ => None,
        }
    }
}

/// One network device as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Device {
    /// Its name.
    pub name: String,
    /// Its index in its network namespace.
    pub ifindex: u32,
    /// Driver of the bus device behind it (`virtio_net`); None where none stands behind it.
    pub driver: Option<String>,
    /// `IFLA_INFO_KIND` (veth, vlan, bond, …); None for hardware, virtio and lo.
    pub kind: Option<String>,
    /// The loopback device.
    pub loopback: bool,
    /// `IFF_UP`.
    pub up: bool,
    /// False where packets go on inside this machine.
    pub terminal: bool,
    /// Bytes.
    pub mtu: u32,
    /// Link speed, Mbit/s, where the driver tells.
    #[serde(with = "fact")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u32>"))]
    pub speed_mbps: Fact<u32>,
    /// hw, wanted and active sets.
    #[serde(with = "fact")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<FeatureSet>"))]
    pub features: Fact<FeatureSet>,
    /// GSO and TSO limits.
    pub limits: Limits,
    /// Of a tunnel: whether what it sends has a checksum of its own outside, too. Left out where that cannot be chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outer_checksum: Option<bool>,
}

impl Device {
    /// Whether a link stands behind it that its speed is the speed of. Of a device that is made of software it is a name, and of virtio what
    /// the host wrote there.
    #[must_use]
    pub fn has_a_link(&self) -> bool {
        const WITHOUT: [&str; 10] =
            ["bridge", "dummy", "geneve", "gre", "ifb", "ipip", "netkit", "tun", "veth", "vxlan"];
        let is_software = self.kind.as_deref().is_some_and(|kind| WITHOUT.contains(&kind));
        !self.loopback && !is_software && self.driver.as_deref() != Some("virtio_net")
    }
}

/// Limits of super-packets. None where the kernel does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Limits {
    /// Most bytes (IPv6, and IPv4 where the next is not kept apart).
    #[serde(serialize_with = "fact::kernel_silent")]
    pub gso_max_size: Option<u32>,
    /// Most bytes, IPv4 (6.3).
    #[serde(serialize_with = "fact::kernel_silent")]
    pub gso_ipv4_max_size: Option<u32>,
    /// Most segments.
    #[serde(serialize_with = "fact::kernel_silent")]
    pub gso_max_segs: Option<u32>,
    /// The driver's own most bytes (5.19).
    #[serde(serialize_with = "fact::kernel_silent")]
    pub tso_max_size: Option<u32>,
    /// The driver's own most segments (5.19).
    #[serde(serialize_with = "fact::kernel_silent")]
    pub tso_max_segs: Option<u32>,
}

/// A device above or below.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Stacked {
    /// Where it stands.
    pub relation: Relation,
    /// How many steps away: 1 is next to the interface.
    pub distance: u32,
    /// The device.
    pub device: Device,
    /// vlan: its 802.1Q id.
    pub vlan_id: Option<u16>,
    /// Sent since it was made, headers included; 0 in recordings of before.
    #[serde(default)]
    pub tx_bytes: u64,
}

/// Where a device stands, seen from the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Relation {
    /// Its packets go through the interface: a vlan on it, the bond or bridge that it is a port of, a tunnel bound to it or routed by it alone.
    Above,
    /// The interface's packets go through it.
    Below,
    /// The other end of a veth pair, in this namespace.
    Peer,
    /// A tunnel bound to no device whose way is not known: its packets go out by the interface if their route does.
    Routed,
}

/// virtio-net's feature bits by name, without `VIRTIO_NET_F_`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Virtio {
    /// Agreed on by driver and host. A name that this kernel cannot show (bits above 63 before 6.18) is not in `shown`.
    pub negotiated: Vec<String>,
    /// Names whose bits this kernel shows at all.
    pub shown: Vec<String>,
    /// Offered by the host, from debugfs (`virtio/virtioN/device_features`, CONFIG_VIRTIO_DEBUG); mostly not there.
    #[serde(with = "fact")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<String>>"))]
    pub offered: Fact<Vec<String>>,
}

impl Virtio {
    /// Whether a bit was negotiated; None where this kernel does not show it.
    #[must_use]
    pub fn negotiated(&self, name: &str) -> Option<bool> {
        let has = |names: &[String]| names.iter().any(|known| known == name);
        has(&self.shown).then(|| has(&self.negotiated))
    }
}

/// Transmit queues and who serves them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Queues {
    /// Transmit queues in use (`/sys/class/net/IF/queues/tx-*`).
    #[serde(with = "fact")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u32>"))]
    pub tx: Fact<u32>,
    /// `ethtool -l`: (in use, at most) combined or transmit channels.
    #[serde(with = "fact")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<(u32, u32)>"))]
    pub channels: Fact<(u32, u32)>,
    /// XPS: for each transmit queue, the CPUs that use it; a reason where the kernel has none (a single queue: ENOENT).
    #[serde(with = "fact")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<Vec<u32>>>"))]
    pub xps: Fact<Vec<Vec<u32>>>,
    /// RPS: for each receive queue, the CPUs that packets are spread to; empty where it is off.
    #[serde(with = "fact")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<Vec<u32>>>"))]
    pub rps: Fact<Vec<Vec<u32>>>,
    /// The transmit interrupts, in order of their queues: (name, number, CPUs it may go to).
    #[serde(with = "fact")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<Irq>>"))]
    pub irqs: Fact<Vec<Irq>>,
    /// Packets and bytes of each transmit queue since boot.
    #[serde(with = "fact")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<QueueCounters>>"))]
    pub statistics: Fact<Vec<QueueCounters>>,
    /// Where `statistics` came from: `ethtool -S` or `netdev-genl`.
    pub statistics_source: Option<String>,
}

/// An interrupt of a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Irq {
    /// As in `/proc/interrupts` (`virtio0-output.0`).
    pub name: String,
    /// Its number.
    pub number: u32,
    /// `smp_affinity_list`.
    pub cpus: Vec<u32>,
}

/// One transmit queue's counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct QueueCounters {
    /// skbs; super-packets count once.
    #[serde(serialize_with = "not_counted")]
    pub packets: Option<u64>,
    /// Bytes.
    #[serde(serialize_with = "not_counted")]
    pub bytes: Option<u64>,
    /// Notifications to the host.
    #[serde(serialize_with = "not_counted")]
    pub kicks: Option<u64>,
}

/// A transmit qdisc.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Qdisc {
    /// `tbf`, `fq_codel`, …
    pub kind: String,
    /// `major << 16`.
    pub handle: u32,
    /// Handle of its parent; `0xffff_ffff` for the root.
    pub parent: u32,
    /// What its options say about segmentation, where they do.
    pub options: QdiscOptions,
    /// What it counted since it was made; None for `noqueue`, which counts nothing, and where the kernel does not tell.
    #[serde(serialize_with = "no_counters")]
    pub counters: Option<QdiscCounts>,
}

/// A qdisc's counters (`tc -s`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct QdiscCounts {
    /// Dequeued bytes, with the headers that segmentation adds.
    pub bytes: u64,
    /// Dequeued wire segments (`gso_segs`), not skbs. Wraps at 32 bits before 5.5.
    pub segments: u64,
    /// skbs dropped.
    pub drops: u64,
    /// skbs put back because the driver was busy.
    pub requeues: u64,
    /// Waiting now, in whichever unit the qdisc counts.
    pub backlog_packets: u64,
    /// Waiting now.
    pub backlog_bytes: u64,
}

/// Options of a qdisc that decide about segmentation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "of", rename_all = "kebab-case")]
pub enum QdiscOptions {
    /// tbf segments what is longer than its burst.
    Tbf {
        /// Bytes.
        burst_bytes: u64,
        /// Bytes per second.
        rate_bytes_per_s: u64,
    },
    /// cake segments everything while `split-gso` is on (its default).
    Cake {
        /// None where the kernel does not tell.
        #[serde(serialize_with = "no_option")]
        split_gso: Option<bool>,
    },
    /// taprio segments what is longer than a class's max SDU.
    Taprio {
        /// Smallest that is set, bytes.
        #[serde(serialize_with = "no_option")]
        max_sdu_bytes: Option<u32>,
    },
    /// netem segments what it corrupts.
    Netem {
        /// `corrupt`, per 2^32.
        corrupt: u32,
    },
    /// No part in it.
    None,
}

/// An interface by which forwarded packets come in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ingress {
    /// Its name.
    pub name: String,
    /// `rx-gro`.
    #[serde(serialize_with = "no_features")]
    pub gro: Option<bool>,
    /// Bytes.
    pub mtu: u32,
    /// Received packets since it was made.
    pub rx_packets: u64,
    /// Received bytes, headers included.
    pub rx_bytes: u64,
    /// Who sends what comes in by it, where that is the other end of a pair, in another network namespace of this machine.
    #[serde(default, serialize_with = "no_other_end")]
    pub other_end: Option<OtherEnd>,
}

/// The other end of a pair, as a container's own device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OtherEnd {
    /// Its name there.
    pub name: String,
    /// Its namespace, as `--netns` takes it: a name, or a process that is in it.
    pub netns: String,
    /// Whether its TSO for IPv4 is on.
    #[serde(serialize_with = "no_features")]
    pub tso4: Option<bool>,
    /// For IPv6.
    #[serde(serialize_with = "no_features")]
    pub tso6: Option<bool>,
}

impl OtherEnd {
    /// Whether it segments by itself what its senders build.
    #[must_use]
    pub fn lacks_tso(&self) -> bool {
        self.tso4 == Some(false) || self.tso6 == Some(false)
    }
}

impl Ingress {
    /// Whether what it received so far was mostly full-size packets, one by one, and nothing put them together (GRO is off). Above the
    /// MTU packets came in as super-packets; well below it, they were acknowledgements and the like.
    #[must_use]
    pub fn hands_on_singles(&self) -> bool {
        let mtu = u64::from(self.mtu);
        let mean = self.rx_bytes.checked_div(self.rx_packets).unwrap_or(0);
        self.gro == Some(false) && mean >= mtu / 2 && mean <= mtu.saturating_add(MOST_LINK_HEADER_BYTES)
    }
}

/// Ethernet with two tags.
const MOST_LINK_HEADER_BYTES: u64 = 22;

/// A setting found in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Setter {
    /// The file.
    pub path: String,
    /// Line number, from 1.
    pub line: u32,
    /// The line itself, trimmed.
    pub text: String,
    /// Whether it turns segmentation (or what it depends on) off; otherwise it turns it on.
    pub turns_off: bool,
}
