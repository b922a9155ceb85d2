//! An interface's own counters.

/// `IFLA_STATS64`, transmit side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounters {
    /// skbs that the driver counts as sent: super-packets count once.
    pub tx_packets: u64,
    /// Their bytes.
    pub tx_bytes: u64,
    /// Dropped by the device or for want of it.
    pub tx_dropped: u64,
    /// Transmit errors.
    pub tx_errors: u64,
}
