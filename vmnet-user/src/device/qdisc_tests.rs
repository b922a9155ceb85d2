use proptest::prelude::*;

use super::*;
use crate::device::{attributes::push_attribute, netlink::payloads};

/// `tc qdisc show` in a namespace, kernel 6.18: lo and veth1 (noqueue), veth0 (index 3: mq 1: with pfifo_fast on queues 1, 3, 4 and tbf on 2),
/// after one packet of 110 bytes on queue 1.
const RECORDED: &[u8] = include_bytes!("recorded/qdisc-veth.bin");

fn recorded() -> Vec<Qdisc> {
    payloads(RECORDED).iter().filter_map(|message| Qdisc::parse(message)).collect()
}

fn stats(bytes: u64, packets_32: u32) -> Stats {
    Stats { bytes, packets_32, packets_64: None, backlog_packets: 1, backlog_bytes: 2, drops: 3, requeues: 4 }
}

fn qdisc(handle: u32, parent: u32, kind: &str, stats: Option<Stats>) -> Qdisc {
    Qdisc { ifindex: 7, handle, parent, kind: kind.to_owned(), stats }
}

#[test]
fn a_recorded_mq_is_the_sum_of_its_queues_and_knows_that_one_may_segment() {
    let tree = tree(&recorded(), 3, true);
    assert_eq!(tree.root.as_deref(), Some("mq"));
    assert_eq!(tree.kinds, ["mq", "tbf", "pfifo_fast"]);
    let expected = QdiscCounters { bytes: 110, packets: 1, may_segment: true, ..QdiscCounters::default() };
    assert_eq!(tree.counters, Some(expected));
}

#[test]
fn noqueue_counts_nothing_so_it_has_no_counters() {
    let tree = tree(&recorded(), 1, true);
    assert_eq!((tree.root.as_deref(), tree.counters), (Some("noqueue"), None));
}

#[test]
fn an_interface_that_is_not_in_the_list_has_no_root() {
    assert_eq!(tree(&recorded(), 99, true), QdiscTree::default());
}

#[test]
fn the_children_of_mq_are_summed_even_where_the_root_does_not() {
    let qdiscs = [
        qdisc(0, TC_H_ROOT, "mq", Some(stats(0, 0))),
        qdisc(0, 1, "fq_codel", Some(stats(1000, 10))),
        qdisc(0, 2, "fq_codel", Some(stats(500, 5))),
        qdisc(0xFFFF_0000, TC_H_INGRESS, "clsact", Some(stats(77, 7))),
    ];
    let counters = tree(&qdiscs, 7, true).counters.unwrap();
    assert_eq!((counters.bytes, counters.packets), (1500, 15));
    assert_eq!((counters.backlog_packets, counters.backlog_bytes), (2, 4));
    assert_eq!((counters.drops, counters.requeues), (6, 8));
}

#[test]
fn the_classes_of_htb_are_not_added_to_what_its_root_counted() {
    let qdiscs = [
        qdisc(0x1_0000, TC_H_ROOT, "htb", Some(stats(1000, 10))),
        qdisc(0x2_0000, 0x1_0001, "fq_codel", Some(stats(1000, 10))),
    ];
    assert_eq!(tree(&qdiscs, 7, true).counters.unwrap().packets, 10);
}

#[test]
fn what_hangs_below_a_queue_of_mq_is_counted_once() {
    let qdiscs = [
        qdisc(0x1_0000, TC_H_ROOT, "mq", Some(stats(0, 0))),
        qdisc(0x2_0000, 0x1_0001, "htb", Some(stats(1000, 10))),
        qdisc(0x3_0000, 0x2_0001, "netem", Some(stats(1000, 10))),
    ];
    let tree = tree(&qdiscs, 7, true);
    assert_eq!(tree.counters.unwrap().packets, 10);
    assert!(tree.counters.unwrap().may_segment);
}

#[test]
fn a_queue_without_counters_leaves_no_sum() {
    let qdiscs = [
        qdisc(0x1_0000, TC_H_ROOT, "mq", Some(stats(9, 9))),
        qdisc(0, 0x1_0001, "pfifo_fast", Some(stats(1, 1))),
        qdisc(0, 0x1_0002, "pfifo_fast", None),
    ];
    assert_eq!(tree(&qdiscs, 7, true).counters, None);
}

#[test]
fn the_64_bit_count_wins_over_the_32_bit_one_and_the_flag_says_which_wraps() {
    let wide = Stats { packets_64: Some(5 << 32), ..stats(1, 0) };
    let new = tree(&[qdisc(0, TC_H_ROOT, "fq", Some(wide))], 7, false).counters.unwrap();
    assert_eq!((new.packets, new.packets_are_32_bit), (5 << 32, false));
    let old = tree(&[qdisc(0, TC_H_ROOT, "fq", Some(stats(1, 42)))], 7, false).counters.unwrap();
    assert_eq!((old.packets, old.packets_are_32_bit), (42, true));
    let small = tree(&[qdisc(0, TC_H_ROOT, "fq", Some(stats(1, 42)))], 7, true).counters.unwrap();
    assert_eq!((small.packets, small.packets_are_32_bit), (42, false));
}

#[test]
fn the_attributes_of_tca_stats2_are_read_from_their_places() {
    let mut nested = Vec::new();
    push_attribute(&mut nested, TCA_STATS_BASIC, &[&7u64.to_ne_bytes()[..], &8u32.to_ne_bytes()].concat());
    push_attribute(&mut nested, TCA_STATS_PKT64, &9u64.to_ne_bytes());
    assert_eq!(Stats::parse(&nested), None, "without the queue's part");
    let queue: Vec<u8> = (10..15u32).flat_map(u32::to_ne_bytes).collect();
    push_attribute(&mut nested, TCA_STATS_QUEUE, &queue);
    let expected = Stats {
        bytes: 7,
        packets_32: 8,
        packets_64: Some(9),
        backlog_packets: 10,
        backlog_bytes: 11,
        drops: 12,
        requeues: 13,
    };
    assert_eq!(Stats::parse(&nested), Some(expected));
}

#[test]
fn kernels_before_5_5_wrap() {
    for (release, keeps) in [
        ("5.4.0-1-amd64", false),
        ("5.5.0", true),
        ("5.10.0-28", true),
        ("4.19", false),
        ("6.1", true),
        ("junk", false),
        ("", false),
    ] {
        assert_eq!(at_least_5_5(release), keeps, "{release}");
    }
}

#[test]
fn a_message_cut_off_anywhere_is_no_qdisc_or_lacks_its_counters() {
    let whole = &payloads(RECORDED)[2];
    assert!(Qdisc::parse(whole).unwrap().stats.is_some());
    for length in 0..whole.len() {
        if let Some(qdisc) = Qdisc::parse(&whole[..length]) {
            assert_eq!(qdisc.kind, "mq", "{length} bytes");
        }
    }
}

#[test]
fn the_kernel_of_this_machine_lists_the_loopback_device_as_noqueue_or_down() {
    let tree = QdiscReader::open().unwrap().read(1).unwrap();
    assert!(tree.root.is_none_or(|root| root == "noqueue"));
    assert_eq!(tree.counters, None);
}

proptest! {
    #[test]
    fn any_message_can_be_parsed(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        let qdiscs: Vec<_> = Qdisc::parse(&bytes).into_iter().collect();
        let _ = tree(&qdiscs, 7, true);
    }

    #[test]
    fn a_message_with_any_byte_changed_can_be_parsed(at in 0usize..200, value: u8) {
        let mut message = payloads(RECORDED).remove(2);
        if let Some(byte) = message.get_mut(at) {
            *byte = value;
        }
        let _ = Qdisc::parse(&message).map(|qdisc| tree(&[qdisc], 3, true));
    }
}
