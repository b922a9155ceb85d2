//! The lines of `ethtool -k` (`netdev_features_strings`, net/ethtool/common.c, 5.10 to 7.2) that no other word of the register has.

use super::{Part, Word};

const fn flag(names: &'static [&'static str], means: &'static str) -> Word {
    Word { names, means, of: Part::Flags }
}

/// Those that segmentation depends on first.
pub(super) const FLAGS: &[Word] = &[
    flag(
        &["tx-tcp6-segmentation"],
        "TSO of TCP over IPv6. It is a flag of its own: IPv4 can be offloaded while the CPU segments IPv6.",
    ),
    flag(
        &["tx-tcp-ecn-segmentation"],
        "TSO of packets in which TCP says that it slowed down (CWR). Without it the CPU segments these alone, which are few.",
    ),
    flag(
        &["tx-tcp-accecn-segmentation"],
        "TSO of connections that use Accurate ECN (newer kernels): the device must leave the CWR flag as it is.",
    ),
    flag(
        &["tx-tcp-mangleid-segmentation", "mangleid"],
        "TSO where the device need not count the IPv4 ID up from segment to segment. `ethtool -K eth0 tso on` switches it with the \
         others of TSO; devices without it offload TCP all the same.",
    ),
    flag(
        &["tx-checksum-ipv4", "tx-checksum-ipv6", "rx-checksum", "rx-checksumming"],
        "Checksums of TCP and UDP by the device: transmit for one family each, and receive. TSO of a family requires transmit checksums for \
         it, or tx-checksum-ip-generic.",
    ),
    flag(
        &["tx-scatter-gather-fraglist", "tx-gso-list", "rx-gro-list", "rx-udp-gro-forwarding"],
        "Super-packets as lists of whole packets, for traffic that is forwarded. Few devices take such lists; elsewhere the CPU takes them \
         apart, which costs little.",
    ),
    flag(
        &["highdma"],
        "The device reaches all of memory. Without it the kernel copies what lies beyond its reach, super-packets too.",
    ),
    flag(
        &["tx-gso-robust"],
        "The device accepts super-packets from sources that are not trusted, such as a guest, as they are. Without it the kernel verifies \
         and completes them first; both are TSO.",
    ),
    flag(
        &["tx-gso-partial"],
        "The device segments what is inside a tunnel whose outer headers the kernel prepared to be alike. Counts of segments are of what the \
         kernel made, and vmnet counts such packets exactly instead.",
    ),
    flag(
        &["tx-udp_tnl-segmentation", "tx-udp_tnl-csum-segmentation"],
        "TSO inside VXLAN and Geneve, without and with a checksum in the outer UDP header. Without it the CPU segments what is sent through \
         such a tunnel, above the device that has TSO.",
    ),
    flag(
        &[
            "tx-gre-segmentation",
            "tx-gre-csum-segmentation",
            "tx-ipxip4-segmentation",
            "tx-ipxip6-segmentation",
            "tx-tunnel-remcsum-segmentation",
        ],
        "TSO inside GRE, IP in IP (ipip, sit, ip6tnl), and tunnels with remote checksums, likewise.",
    ),
    flag(
        &["tx-esp-segmentation", "esp-hw-offload", "esp-tx-csum-hw-offload"],
        "IPsec by the device: encryption, its checksums, and segmentation with it. Without it the CPU segments before it encrypts.",
    ),
    flag(
        &["tx-sctp-segmentation", "tx-fcoe-segmentation", "udp-fragmentation-offload"],
        "The same for SCTP and Fibre Channel over Ethernet, and fragments of UDP (gone since 4.14). TCP does not use them.",
    ),
    flag(
        &["rx-gro-hw", "rx-lro"],
        "The device merges what it receives: GRO by hardware, which may be forwarded, and LRO, which must not be.",
    ),
    flag(
        &[
            "rx-vlan-offload",
            "tx-vlan-offload",
            "rx-vlan-hw-parse",
            "tx-vlan-hw-insert",
            "tx-vlan-stag-hw-insert",
            "rx-vlan-stag-hw-parse",
            "rx-vlan-filter",
            "rx-vlan-stag-filter",
            "vlan-challenged",
        ],
        "VLAN tags put in, taken out and filtered by the device. Where it does not put them in, the kernel does so itself, and offloads \
         follow the device's features for tagged packets (vlan_features).",
    ),
    flag(
        &["tls-hw-tx-offload", "tls-hw-rx-offload", "tls-hw-record", "macsec-hw-offload"],
        "Encryption by the device: TLS of sockets (kTLS), and MACsec.",
    ),
    flag(
        &[
            "ntuple-filters",
            "rx-ntuple-filter",
            "receive-hashing",
            "rx-hashing",
            "hw-tc-offload",
            "l2-fwd-offload",
            "rx-udp_tunnel-port-offload",
            "hsr-tag-ins-offload",
            "hsr-tag-rm-offload",
            "hsr-fwd-offload",
            "hsr-dup-offload",
        ],
        "Where packets go, by the device: receive queues by flow, tc rules, macvlan, ports of tunnels, HSR. TSO does not depend on them.",
    ),
    flag(
        &[
            "tx-nocache-copy",
            "loopback",
            "rx-fcs",
            "rx-all",
            "tx-checksum-sctp",
            "tx-checksum-fcoe-crc",
            "fcoe-mtu",
            "tx-lockless",
            "netns-local",
        ],
        "Neither TSO nor anything that it depends on: how data is copied, tests of the device, broken frames, other protocols.",
    ),
];
