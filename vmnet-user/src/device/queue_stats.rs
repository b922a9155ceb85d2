//! Packets, bytes and notifications of each transmit queue, by whichever interface the kernel has.
//!
//! The driver's own names (`ethtool -S`) hold all three in virtio-net up to 6.8; since 6.9 packets and bytes are in netdev-genl
//! (`NETDEV_CMD_QSTATS_GET`), and the driver's names keep the notifications alone.

use super::{
    attributes::{attribute, push_attribute, u32_at, u64_at},
    driver_stats,
    genl::{Family, GENLMSGHDR_BYTES},
    netlink::NetlinkError,
};
use crate::model::machine::QueueCounters;

// `linux/netdev.h`.
const NETDEV_CMD_QSTATS_GET: u8 = 12;
const NETDEV_A_QSTATS_IFINDEX: u16 = 1;
const NETDEV_A_QSTATS_QUEUE_TYPE: u16 = 2;
const NETDEV_A_QSTATS_QUEUE_ID: u16 = 3;
const NETDEV_A_QSTATS_SCOPE: u16 = 4;
const NETDEV_A_QSTATS_TX_PACKETS: u16 = 10;
const NETDEV_A_QSTATS_TX_BYTES: u16 = 11;
const NETDEV_QSTATS_SCOPE_QUEUE: u64 = 1;
const NETDEV_QUEUE_TYPE_TX: u32 = 1;

const ETHTOOL: &str = "ethtool -S";
const NETDEV: &str = "netdev-genl";
/// More queues than any device has: a larger number in a name is not a queue's.
pub(super) const MOST_QUEUES: usize = 65_536;

/// The counters of each transmit queue since boot, in order, and where they came from.
///
/// # Errors
/// The reason why there are none, in words.
pub fn transmit_queues(interface: &str, ifindex: u32) -> Result<(Vec<QueueCounters>, &'static str), String> {
    let by_driver = driver_stats::read(interface).map(|list| by_name(&list));
    let by_kernel = by_netdev(ifindex);
    merge(by_driver.map_err(|error| error.to_string()), by_kernel.map_err(|error| error.to_string()))
}

/// One entry of the driver's statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Count {
    Packets,
    Bytes,
    Kicks,
}

type Counters = Vec<QueueCounters>;

/// What the one lacks, the other may have: since 6.9 virtio-net's notifications are in the one, its packets in the other.
fn merge(
    driver: Result<Counters, String>,
    kernel: Result<Counters, String>,
) -> Result<(Counters, &'static str), String> {
    let found = |counters: &Result<Counters, String>| counters.as_ref().is_ok_and(|list| !list.is_empty());
    match (found(&driver), found(&kernel)) {
        (true, true) => {
            let (driver, kernel) = (driver?, kernel?);
            let length = driver.len().max(kernel.len());
            let at = |list: &Counters, queue| list.get(queue).copied().unwrap_or_default();
            let complete = driver.iter().all(|queue| queue.packets.is_some());
            let merged = (0..length).map(|queue| {
                let (own, other) = (at(&driver, queue), at(&kernel, queue));
                QueueCounters {
                    packets: own.packets.or(other.packets),
                    bytes: own.bytes.or(other.bytes),
                    kicks: own.kicks,
                }
            });
            Ok((merged.collect(), if complete { ETHTOOL } else { NETDEV }))
        }
        (true, false) => Ok((driver?, ETHTOOL)),
        (false, true) => Ok((kernel?, NETDEV)),
        (false, false) => {
            let said = |counters: Result<Counters, String>| match counters {
                Ok(_) => "nothing of single transmit queues".to_owned(),
                Err(reason) => reason,
            };
            Err(format!(
                "the driver counts nothing by transmit queue ({ETHTOOL}: {}; {NETDEV}: {})",
                said(driver),
                said(kernel)
            ))
        }
    }
}

/// Out of the driver's statistics, those of single transmit queues.
fn by_name(statistics: &[(String, u64)]) -> Counters {
    let mut queues = Counters::new();
    for (name, value) in statistics {
        let Some((queue, count)) = queue_of(name) else { continue };
        if queues.len() <= queue {
            queues.resize(queue + 1, QueueCounters::default());
        }
        let Some(counters) = queues.get_mut(queue) else { continue };
        match count {
            Count::Packets => counters.packets = Some(*value),
            Count::Bytes => counters.bytes = Some(*value),
            Count::Kicks => counters.kicks = Some(*value),
        }
    }
    queues
}

/// `tx_queue_3_packets` (virtio-net to 6.8, Intel's), `tx3_kicks` (virtio-net since), `tx-3.bytes` (i40e, ice), `tx_bytes[3]` (gve),
/// `queue_3_tx_cnt` (ena), `tx_queue_3_bytes`; not `tx_queue_3_xdp_tx`.
fn queue_of(name: &str) -> Option<(usize, Count)> {
    let name = name.trim();
    let (queue, what) = if let Some((what, queue)) =
        name.strip_prefix("tx_").and_then(|rest| rest.strip_suffix(']')).and_then(|rest| rest.split_once('['))
    {
        (queue, what)
    } else if let Some((queue, what)) = name.strip_prefix("queue_").and_then(|rest| rest.split_once("_tx_")) {
        (queue, what)
    } else {
        let rest =
            ["tx_queue_", "tx-", "tx_", "tx"].into_iter().find_map(|prefix| name.strip_prefix(prefix))?;
        let end = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let (queue, what) = rest.split_at_checked(end)?;
        (queue, what.strip_prefix(['_', '.'])?)
    };
    let count = match what {
        "packets" | "cnt" => Count::Packets,
        "bytes" => Count::Bytes,
        "kicks" => Count::Kicks,
        _ => return None,
    };
    let queue = queue.parse().ok().filter(|queue| *queue < MOST_QUEUES)?;
    Some((queue, count))
}

fn by_netdev(ifindex: u32) -> Result<Counters, NetlinkError> {
    let mut family = Family::open("netdev")?;
    let mut request = vec![NETDEV_CMD_QSTATS_GET, 1, 0, 0];
    push_attribute(&mut request, NETDEV_A_QSTATS_IFINDEX, &ifindex.to_ne_bytes());
    push_attribute(&mut request, NETDEV_A_QSTATS_SCOPE, &NETDEV_QSTATS_SCOPE_QUEUE.to_ne_bytes());
    let messages = family.netlink.dump(family.id, &request)?;
    Ok(by_message(&messages, ifindex))
}

pub(super) fn by_message(messages: &[Vec<u8>], ifindex: u32) -> Counters {
    let mut queues = Counters::new();
    for message in messages {
        let Some((queue, counters)) = parse(message, ifindex) else { continue };
        if queues.len() <= queue {
            queues.resize(queue + 1, QueueCounters::default());
        }
        if let Some(slot) = queues.get_mut(queue) {
            *slot = counters;
        }
    }
    queues
}

/// One transmit queue of one interface; None for everything else.
fn parse(message: &[u8], ifindex: u32) -> Option<(usize, QueueCounters)> {
    let values = message.get(GENLMSGHDR_BYTES..)?;
    let number = |kind| attribute(values, kind).and_then(|value| u32_at(value, 0));
    // `nla_put_uint`: 32 bits where they are enough, else 64.
    let count = |kind| {
        let value = attribute(values, kind)?;
        u64_at(value, 0).or_else(|| u32_at(value, 0).map(u64::from))
    };
    if number(NETDEV_A_QSTATS_IFINDEX)? != ifindex
        || number(NETDEV_A_QSTATS_QUEUE_TYPE)? != NETDEV_QUEUE_TYPE_TX
    {
        return None;
    }
    let queue =
        usize::try_from(number(NETDEV_A_QSTATS_QUEUE_ID)?).ok().filter(|queue| *queue < MOST_QUEUES)?;
    let counters = QueueCounters {
        packets: count(NETDEV_A_QSTATS_TX_PACKETS),
        bytes: count(NETDEV_A_QSTATS_TX_BYTES),
        kicks: None,
    };
    Some((queue, counters))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counters(packets: Option<u64>, bytes: Option<u64>, kicks: Option<u64>) -> QueueCounters {
        QueueCounters { packets, bytes, kicks }
    }

    fn named(list: &[(&str, u64)]) -> Vec<(String, u64)> {
        list.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
    }

    fn message(ifindex: u32, queue_type: u32, queue: u32, packets: &[u8]) -> Vec<u8> {
        let mut message = vec![NETDEV_CMD_QSTATS_GET, 1, 0, 0];
        push_attribute(&mut message, NETDEV_A_QSTATS_IFINDEX, &ifindex.to_ne_bytes());
        push_attribute(&mut message, NETDEV_A_QSTATS_QUEUE_TYPE, &queue_type.to_ne_bytes());
        push_attribute(&mut message, NETDEV_A_QSTATS_QUEUE_ID, &queue.to_ne_bytes());
        push_attribute(&mut message, NETDEV_A_QSTATS_TX_PACKETS, packets);
        message
    }

    #[test]
    fn old_virtio_names_hold_all_three() {
        let list = named(&[
            ("rx_queue_0_packets", 9),
            ("tx_queue_1_packets", 10),
            ("tx_queue_1_bytes", 11),
            ("tx_queue_1_xdp_tx", 12),
            ("tx_queue_1_kicks", 13),
        ]);
        assert_eq!(by_name(&list), [counters(None, None, None), counters(Some(10), Some(11), Some(13))]);
    }

    #[test]
    fn each_drivers_way_to_name_a_queue_is_known() {
        for (name, expected) in [
            ("tx_queue_3_bytes", Some((3, Count::Bytes))),
            ("tx3_kicks", Some((3, Count::Kicks))),
            ("tx-12.packets", Some((12, Count::Packets))),
            ("tx_bytes[3]", Some((3, Count::Bytes))),
            ("queue_3_tx_cnt", Some((3, Count::Packets))),
            ("     tx_queue_0_packets", Some((0, Count::Packets))),
            ("tx_packets", None),
            ("tx_queue_3_xdp_tx", None),
            ("rx_queue_3_packets", None),
            ("tx_queue_99999999999_packets", None),
            ("tx_queue_70000_packets", None),
        ] {
            assert_eq!(queue_of(name), expected, "{name}");
        }
    }

    #[test]
    fn kicks_of_the_driver_and_packets_of_the_kernel_make_one_row() {
        let driver = Ok(vec![counters(None, None, Some(5)), counters(None, None, Some(6))]);
        let kernel = Ok(vec![counters(Some(1), Some(2), None), counters(Some(3), Some(4), None)]);
        let expected = vec![counters(Some(1), Some(2), Some(5)), counters(Some(3), Some(4), Some(6))];
        assert_eq!(merge(driver, kernel), Ok((expected, NETDEV)));
    }

    #[test]
    fn without_either_both_reasons_are_given() {
        let reason = merge(Ok(vec![]), Err("refused".to_owned())).unwrap_err();
        assert!(reason.contains("nothing of single") && reason.contains("refused"), "{reason}");
    }

    #[test]
    fn a_count_is_32_bits_where_they_are_enough_and_only_transmit_queues_of_the_interface_count() {
        let list = [
            message(7, 1, 1, &5u32.to_ne_bytes()),
            message(7, 1, 0, &(1u64 << 40).to_ne_bytes()),
            message(7, 0, 0, &9u32.to_ne_bytes()),
            message(8, 1, 0, &9u32.to_ne_bytes()),
        ];
        let packets: Vec<_> = by_message(&list, 7).into_iter().map(|queue| queue.packets).collect();
        assert_eq!(packets, [Some(1 << 40), Some(5)]);
    }

    #[test]
    fn the_loopback_device_has_none_and_says_why() {
        assert!(transmit_queues("lo", 1).unwrap_err().contains(ETHTOOL));
    }

    proptest! {
        #[test]
        fn any_name_and_any_message_can_be_parsed(name in ".{0,40}|tx[-_]?[0-9]{0,12}[._]?[a-z]{0,8}", bytes in proptest::collection::vec(any::<u8>(), 0..128)) {
            let _ = (queue_of(&name), parse(&bytes, 1));
        }
    }
}
