//! How much a device may hold without having counted it: transmit rings and queues.

use std::{io, path::Path};

use super::{
    attributes::{attribute, u32_at},
    ethtool::{Ethtool, EthtoolError},
};

// `linux/ethtool_netlink.h`.
const ETHTOOL_MSG_RINGS_GET: u8 = 15;
const ETHTOOL_A_RINGS_TX_MAX: u16 = 5;
const ETHTOOL_A_RINGS_TX: u16 = 9;
const WHAT: &str = "ring sizes";

/// One transmit ring of an interface; all its queues have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxRing {
    /// Descriptors.
    pub descriptors: u32,
    /// Most descriptors it could be set to; None where the driver does not tell.
    pub most_descriptors: Option<u32>,
}

/// The size of the transmit rings.
///
/// # Errors
/// [`EthtoolError::Unsupported`] where the driver has no rings (veth, lo) or does not tell.
pub fn tx_ring(ifindex: u32) -> Result<TxRing, EthtoolError> {
    let reply = Ethtool::open()?.get(ETHTOOL_MSG_RINGS_GET, WHAT, ifindex, 0)?;
    parse(&reply).ok_or(EthtoolError::Unsupported { what: WHAT })
}

/// Transmit queues in use (`real_num_tx_queues`), which may be fewer than were allocated. `/sys` must be that of the namespace.
///
/// # Errors
/// When `/sys` does not show the interface.
pub fn tx_queues(interface: &str) -> io::Result<u32> {
    tx_queues_in(Path::new("/sys/class/net"), interface)
}

fn tx_queues_in(class_net: &Path, interface: &str) -> io::Result<u32> {
    let mut queues = 0;
    for entry in std::fs::read_dir(class_net.join(interface).join("queues"))? {
        queues += u32::from(entry?.file_name().as_encoded_bytes().starts_with(b"tx-"));
    }
    Ok(queues)
}

/// Ring times queues: what [`crate::model::sample::Conditions::ring_slots`] wants.
#[must_use]
pub fn ring_slots(ring: TxRing, queues: u32) -> u64 {
    u64::from(ring.descriptors) * u64::from(queues)
}

/// A driver without transmit rings leaves the attribute out, or says 0.
pub(super) fn parse(reply: &[u8]) -> Option<TxRing> {
    let number =
        |kind| attribute(reply, kind).and_then(|value| u32_at(value, 0)).filter(|number| *number > 0);
    Some(TxRing {
        descriptors: number(ETHTOOL_A_RINGS_TX)?,
        most_descriptors: number(ETHTOOL_A_RINGS_TX_MAX),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::device::{attributes::push_attribute, netlink::payloads};

    #[test]
    fn a_ring_has_its_size_and_the_most_it_could_be() {
        let mut reply = Vec::new();
        push_attribute(&mut reply, ETHTOOL_A_RINGS_TX_MAX, &1024u32.to_ne_bytes());
        push_attribute(&mut reply, ETHTOOL_A_RINGS_TX, &256u32.to_ne_bytes());
        let ring = parse(&reply).unwrap();
        assert_eq!(ring, TxRing { descriptors: 256, most_descriptors: Some(1024) });
        assert_eq!(ring_slots(ring, u32::MAX), 256 * u64::from(u32::MAX));
    }

    #[test]
    fn a_recorded_virtio_interface_has_rings_of_256() {
        // Kernel 6.18; the attributes follow `struct genlmsghdr`.
        let reply = &payloads(include_bytes!("recorded/rings-virtio.bin"))[0][4..];
        assert_eq!(parse(reply), Some(TxRing { descriptors: 256, most_descriptors: Some(256) }));
    }

    #[test]
    fn a_driver_that_says_nothing_or_zero_has_no_rings() {
        let mut zero = Vec::new();
        push_attribute(&mut zero, ETHTOOL_A_RINGS_TX, &0u32.to_ne_bytes());
        assert_eq!(parse(&zero), None);
        assert_eq!(parse(&[]), None);
    }

    #[test]
    fn only_transmit_queues_count() {
        let sys = tempfile::tempdir().unwrap();
        for queue in ["rx-0", "rx-1", "tx-0", "tx-1", "tx-10"] {
            std::fs::create_dir_all(sys.path().join("ens4/queues").join(queue)).unwrap();
        }
        assert_eq!(tx_queues_in(sys.path(), "ens4").unwrap(), 3);
        assert!(tx_queues_in(sys.path(), "ens5").is_err());
    }

    #[test]
    fn the_loopback_device_has_no_rings_and_the_kernel_says_so() {
        let error = tx_ring(1).unwrap_err();
        assert!(matches!(error, EthtoolError::Unsupported { .. }), "{error}");
    }

    proptest! {
        #[test]
        fn any_reply_can_be_parsed(bytes in proptest::collection::vec(any::<u8>(), 0..128)) {
            let _ = parse(&bytes);
        }
    }
}
