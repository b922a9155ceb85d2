//! What a device's own counters stand for.

use serde::{Deserialize, Serialize};

use crate::driver_semantics::{CountedAs, DriverRow};

/// What one `tx_packets` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Counts {
    /// An skb: a super-packet that left whole is one.
    Skbs,
    /// A packet on the wire.
    WireSegments,
    /// Not this device's: it shows the sum of others'.
    Others,
    /// Not known of this driver.
    Unknown,
}

/// Kinds of link whose sources were read (5.10 to 6.18): one packet an skb.
const SKBS: [&str; 24] = [
    "bridge",
    "dummy",
    "erspan",
    "geneve",
    "gre",
    "gretap",
    "ifb",
    "ip6gre",
    "ip6gretap",
    "ip6tnl",
    "ipip",
    "ipvlan",
    "macvlan",
    "macvtap",
    "netkit",
    "sit",
    "team",
    "tun",
    "veth",
    "vlan",
    "vrf",
    "vxlan",
    "wireguard",
    "xfrm",
];

impl Counts {
    /// Of a link's kind, or of the driver behind it; `loopback` has neither.
    #[must_use]
    pub fn of(kind: Option<&str>, driver: Option<&str>, loopback: bool) -> Self {
        match (kind, driver) {
            (Some("bond"), _) => Self::Others,
            (Some(kind), _) if SKBS.contains(&kind) => Self::Skbs,
            (_, name) => match DriverRow::of(if loopback { "lo" } else { name.or(kind).unwrap_or_default() })
            {
                DriverRow::Known(row) if row.packets == CountedAs::Skbs => Self::Skbs,
                DriverRow::Known(_) => Self::WireSegments,
                DriverRow::AskTheFirstWindow => Self::Unknown,
            },
        }
    }
}
