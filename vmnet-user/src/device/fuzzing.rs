//! What holds for any answer of a kernel. For the fuzzer and its test; no build of vmnet has it.

use std::net::IpAddr;

use super::attributes::{attributes, push_attribute, u32_at};
use super::netlink::{messages, payloads};
use super::{
    change, channels, features, genl, links, neighbours, qdisc, qdisc_options, queue_stats, rings, routes,
    sockets, stack, tunnels, watch, wireguard,
};

/// Where attributes begin in the messages that are read: behind nothing, `genlmsghdr`, `rtgenmsg` and `ifaddrmsg`, `ndmsg` and `rtmsg`,
/// `ifinfomsg`, `tcmsg`, `inet_diag_msg`.
const HEADERS_BYTES: [usize; 7] = [0, 4, 8, 12, 16, 20, 72];

/// Each costs a look at all others.
const MOST_LOOKED_FROM: usize = 8;

/// Every parser reads every message of a datagram, and the datagram itself as if it were one. What they make of them is no more than
/// there was, and what is walked ends.
pub(crate) fn any_answer_is_read(datagram: &[u8]) {
    let mut answers = payloads(datagram);
    assert!(answers.iter().map(Vec::len).sum::<usize>() <= datagram.len());
    answers.push(datagram.to_vec());
    for answer in &answers {
        HEADERS_BYTES.iter().filter_map(|header| answer.get(*header..)).for_each(attributes_come_back);
        one(answer);
    }
    for message in messages(datagram) {
        let _ = (watch::link(message.kind, message.payload), watch::features(message.payload));
    }
    all(&answers);
}

/// Walked, written and walked again, they are the same.
fn attributes_come_back(bytes: &[u8]) {
    let walked: Vec<(u16, &[u8])> = attributes(bytes).collect();
    let mut written = Vec::new();
    walked.iter().for_each(|(kind, value)| push_attribute(&mut written, *kind, value));
    // The last one may lack its padding.
    assert!(written.len() <= bytes.len().next_multiple_of(4));
    assert_eq!(attributes(&written).collect::<Vec<_>>(), walked);
}

fn one(answer: &[u8]) {
    let names = features::parse_names(answer).unwrap_or_else(|| vec!["tx-tcp-segmentation".to_owned()]);
    assert!(names.len() <= features::MOST_FEATURES);
    if let Some(set) = features::parse_features(answer, &names) {
        assert!(set.iter().count() <= names.len());
    }
    let _ = (rings::parse(answer), channels::parse_channels(answer), channels::parse_speed(answer));
    let _ = (genl::parse(answer), tunnels::parse(answer), routes::parse(answer));
    let _ = (neighbours::neighbour(answer), neighbours::forwarded(answer), links::parse_address(answer));
    let _ = (sockets::parse(answer), sockets::parse_sender(answer));
    let peers = wireguard::parse(answer);
    for to in [IpAddr::from([10, 0, 0, 1]), IpAddr::from([0_u8; 16])] {
        let _ = wireguard::endpoint(&peers, to);
    }
    if let Some(ifindex) = u32_at(answer, 4) {
        change::qdisc_goes_back(answer, ifindex);
    }
}

fn all(answers: &[Vec<u8>]) {
    let links: Vec<links::Link> =
        answers.iter().filter_map(|answer| links::parse_link(answer).ok()).collect();
    for link in links.iter().take(MOST_LOOKED_FROM) {
        let around = stack::around(&links, link.ifindex);
        assert!(around.len() <= 4 * links.len(), "each is above, below, a peer or routed, once");
    }
    let qdiscs: Vec<qdisc::Qdisc> = answers.iter().filter_map(|answer| qdisc::Qdisc::parse(answer)).collect();
    for ifindex in answers.iter().filter_map(|answer| u32_at(answer, 4)).take(MOST_LOOKED_FROM) {
        let listed = qdisc_options::of_interface(answers, ifindex);
        assert!(listed.len() <= answers.len());
        for keeps_64_bits in [true, false] {
            assert!(qdisc::tree(&qdiscs, ifindex, keeps_64_bits).kinds.len() <= qdiscs.len());
        }
    }
    for ifindex in [1, 2, 3] {
        assert!(queue_stats::by_message(answers, ifindex).len() <= queue_stats::MOST_QUEUES);
    }
}
