//! Where every byte went.

use serde::{Deserialize, Serialize};

/// One transport protocol's bytes and packets. Bytes are payload: headers excluded, retransmits included.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Protocol {
    /// Both families together.
    #[serde(flatten)]
    pub total: Entry,
    /// IPv4.
    pub ipv4: Entry,
    /// IPv6.
    pub ipv6: Entry,
}

/// One row of the ledger. The six `_bytes` from `hardware` to `pending` add up to `payload_bytes`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Queued to the interface in the window (or, if more left than was queued, what left).
    pub payload_bytes: u64,
    /// Left in super-packets that the driver got whole.
    pub hardware_bytes: u64,
    /// Left in super-packets that the CPU segmented for this device.
    pub software_bytes: u64,
    /// Left in full-size singles.
    pub unaggregated_bytes: u64,
    /// Left in smaller singles.
    pub small_bytes: u64,
    /// Dropped between queue and driver, or by the driver.
    pub dropped_bytes: u64,
    /// Queued, and not seen to leave or drop.
    pub pending_bytes: u64,
    /// Sent before; part of the above.
    pub retransmitted_bytes: u64,
    /// Super-packets at the queue.
    pub super_packets_queued: u64,
    /// Super-packets that the driver took whole.
    pub super_packets_to_driver: u64,
    /// skbs that the driver took.
    pub packets_to_driver: u64,
    /// Segments made in software that the driver took.
    pub segments_made: u64,
    /// Packets without payload, at the queue.
    pub control_packets: u64,
    /// Median wire segments of the super-packets queued; None where there were none, and for UDP.
    pub median_gso_segs: Option<f64>,
    /// Payload inside tunnels.
    pub tunnel_bytes: u64,
    /// Payload forwarded from another interface.
    pub forwarded_bytes: u64,
}

/// Neither TCP nor UDP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Other {
    /// skbs that the driver took.
    pub packets_to_driver: u64,
    /// Their length, link header included.
    pub bytes: u64,
}
