//! What to set on the host.

use crate::model::breaks::Family;

/// What the host lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostNeed {
    /// Checksum offload.
    Checksum,
    /// TSO, both families.
    Tso,
    /// TSO, IPv4.
    Tso4,
    /// TSO, IPv6.
    Tso6,
    /// TSO of packets with CWR set.
    Ecn,
    /// Segmentation inside tunnels.
    Tunnel,
}

impl HostNeed {
    /// For these families.
    #[must_use]
    pub fn tso(families: &[Family]) -> Self {
        match families {
            [Family::Ipv4] => Self::Tso4,
            [Family::Ipv6] => Self::Tso6,
            _ => Self::Tso,
        }
    }
}

/// Settings.
#[must_use]
pub fn settings(_need: HostNeed) -> Vec<String> {
    Vec::new()
}
