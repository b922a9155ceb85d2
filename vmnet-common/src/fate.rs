//! What a driver made of a packet, by what `net_dev_xmit` says.

/// The driver took the packet.
const NETDEV_TX_OK: i32 = 0;
/// A device that stands on another hands on what that one's queue said: something there was dropped, most often another packet. The device above
/// counts this one as sent (vlan, macvlan, ipvlan).
const NET_XMIT_CN: i32 = 2;
/// Below this a return code means that the packet was consumed (`dev_xmit_complete`).
const NET_XMIT_MASK: i32 = 0x0f;

/// What became of a packet that a driver was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The driver took it.
    Sent,
    /// The driver dropped it.
    Dropped,
    /// The driver had no room (`NETDEV_TX_BUSY`): the same packet comes again.
    Again,
}

/// By the return code, and whether the packet was freed by `kfree_skb` before the driver returned.
#[inline(always)]
#[must_use]
pub const fn fate(return_code: i32, freed: bool) -> Fate {
    // What the queue below drops of what was handed on, is dropped there.
    if return_code == NET_XMIT_CN || (return_code == NETDEV_TX_OK && !freed) {
        Fate::Sent
    } else if return_code < NET_XMIT_MASK {
        Fate::Dropped
    } else {
        Fate::Again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn congestion_below_a_stacked_device_is_no_drop_of_its_own() {
        assert_eq!(fate(NET_XMIT_CN, false), Fate::Sent);
        assert_eq!(fate(NET_XMIT_CN, true), Fate::Sent);
    }

    #[test]
    fn a_driver_drops_what_it_frees_or_refuses_for_good() {
        const NET_XMIT_DROP: i32 = 1;
        const ENETDOWN: i32 = -100;
        assert_eq!(fate(NETDEV_TX_OK, false), Fate::Sent);
        assert_eq!(fate(NETDEV_TX_OK, true), Fate::Dropped);
        assert_eq!(fate(NET_XMIT_DROP, false), Fate::Dropped);
        assert_eq!(fate(ENETDOWN, true), Fate::Dropped);
    }

    #[test]
    fn a_busy_driver_is_given_the_packet_again() {
        const NETDEV_TX_BUSY: i32 = 0x10;
        assert_eq!(fate(NETDEV_TX_BUSY, false), Fate::Again);
    }
}
