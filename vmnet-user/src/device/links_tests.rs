use proptest::prelude::*;

use super::*;
use crate::device::netlink::payloads;

/// `ip link show veth0` in a namespace: 4 queues, MTU 1400, `gso_max_segs` 40, mq, altname uplink0. Kernel 6.18.
const VETH: &[u8] = include_bytes!("recorded/link-veth.bin");
/// A virtio-net interface, kernel 6.18.
const VIRTIO: &[u8] = include_bytes!("recorded/link-virtio.bin");
/// `ip address`, in the namespace of `VETH`; veth1 has 198.51.100.9 with the peer 198.51.100.10.
const ADDRESSES: &[u8] = include_bytes!("recorded/addresses-veth.bin");

fn veth() -> Link {
    parse_link(&payloads(VETH)[0]).unwrap()
}

fn virtio() -> Link {
    parse_link(&payloads(VIRTIO)[0]).unwrap()
}

fn id(name: &str) -> LinkId {
    LinkId { name: name.to_owned(), ifindex: 1, alternative_names: Vec::new() }
}

#[test]
fn a_recorded_veth_is_described_as_ip_link_described_it() {
    let link = veth();
    assert_eq!((link.name.as_str(), link.ifindex), ("veth0", 3));
    assert_eq!(link.alternative_names, ["uplink0"]);
    assert_eq!(link.kind.as_deref(), Some("veth"));
    assert_eq!((link.mtu, link.num_tx_queues), (1400, Some(4)));
    assert_eq!((link.gso_max_segs, link.gso_max_size), (Some(40), Some(65_536)));
    assert_eq!((link.tso_max_segs, link.tso_max_size), (Some(65_535), Some(524_280)));
    assert_eq!(link.gso_ipv4_max_size, Some(65_536));
    assert_eq!((link.operstate, link.up, link.loopback), (OperState::Up, true, false));
    assert_eq!(link.carrier, Some(true));
    assert_eq!(link.qdisc.as_deref(), Some("mq"));
    assert_eq!(link.below_ifindex, Some(2));
}

#[test]
fn a_recorded_virtio_interface_has_no_kind_and_nothing_below_but_has_sent_something() {
    let link = virtio();
    assert_eq!((link.kind, link.below_ifindex), (None, None));
    assert!(link.counters.tx_packets > 0 && link.counters.tx_bytes >= 60 * link.counters.tx_packets);
    assert_eq!((link.counters.tx_errors, link.counters.tx_dropped), (0, 0));
}

#[test]
fn the_counters_are_picked_from_their_places_in_rtnl_link_stats64() {
    let stats: Vec<u8> = (0..25u64).flat_map(u64::to_ne_bytes).collect();
    let mut values = Vec::new();
    push_attribute(&mut values, libc::IFLA_STATS64, &stats);
    let expected = LinkCounters { tx_packets: 1, tx_bytes: 3, tx_errors: 5, tx_dropped: 7 };
    assert_eq!(parse_counters(&values), Some(expected));
}

#[test]
fn a_message_cut_off_anywhere_is_an_error_or_lacks_its_tail() {
    let whole = &payloads(VETH)[0];
    for length in 0..whole.len() {
        if let Ok(link) = parse_link(&whole[..length]) {
            assert_eq!((link.name.as_str(), link.mtu), ("veth0", 1400), "{length} bytes");
        }
    }
}

#[test]
fn an_address_is_ones_own_not_the_peers() {
    let addresses: Vec<_> = payloads(ADDRESSES).iter().filter_map(|message| parse_address(message)).collect();
    let of = |ifindex| {
        addresses.iter().filter(move |(of, _)| *of == ifindex).map(|(_, address)| address.to_string())
    };
    assert!(of(2).any(|address| address == "198.51.100.9"));
    assert!(!of(2).any(|address| address == "198.51.100.10"));
    assert!(of(3).any(|address| address == "192.0.2.1"));
    assert!(of(3).any(|address| address == "2001:db8::1"));
}

#[test]
fn only_a_bus_device_with_nothing_below_is_terminal() {
    let sys = tempfile::tempdir().unwrap();
    let mut link = virtio();
    assert!(!terminal_in(sys.path(), &link), "no bus device");
    std::fs::create_dir_all(sys.path().join(&link.name).join("device")).unwrap();
    assert!(terminal_in(sys.path(), &link));
    for not_terminal in [
        Link { kind: Some("netdevsim".to_owned()), ..link.clone() },
        Link { loopback: true, ..link.clone() },
        Link { below_ifindex: Some(9), ..link.clone() },
    ] {
        assert!(!terminal_in(sys.path(), &not_terminal), "{not_terminal:?}");
    }
    std::fs::create_dir(sys.path().join(&link.name).join("upper_bond0")).unwrap();
    assert!(terminal_in(sys.path(), &link), "a port of a bond still is the end");
    std::fs::create_dir(sys.path().join(&link.name).join("lower_enP1s1")).unwrap();
    assert!(!terminal_in(sys.path(), &link), "passes on to the interface below");
    link.name = "veth0".to_owned();
    assert!(!terminal_in(sys.path(), &link));
}

#[test]
fn a_name_that_is_not_there_gets_near_names_and_all_names() {
    let error = not_found("ens5", &[id("lo"), id("ens4"), id("docker0")]).to_string();
    assert_eq!(
        error,
        "no interface ens5 in this network namespace (did you mean ens4?); there are: lo, ens4, docker0"
    );
    let error = not_found("wlan0", &[id("lo"), id("ens4")]).to_string();
    assert_eq!(error, "no interface wlan0 in this network namespace; there are: lo, ens4");
}

#[test]
fn the_distance_counts_letters_put_in_left_out_and_replaced() {
    for (left, right, distance) in [
        ("eth0", "eth0", 0),
        ("ETH0", "eth0", 0),
        ("eht0", "eth0", 2),
        ("eth", "eth0", 1),
        ("", "lo", 2),
        ("ens4", "eth0", 3),
    ] {
        assert_eq!(edit_distance(left, right), distance, "{left} {right}");
        assert_eq!(edit_distance(right, left), distance, "{right} {left}");
    }
}

#[test]
fn the_loopback_device_of_this_machine_is_found_read_and_not_terminal() {
    let mut reader = LinkReader::open().unwrap();
    let link = reader.link("lo").unwrap();
    assert!(link.loopback && link.ifindex == 1 && !terminal(&link));
    assert!(link.addresses.contains(&IpAddr::from(Ipv4Addr::LOCALHOST)));
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(&[0; 100], socket.local_addr().unwrap()).unwrap();
    let counters = reader.counters(1, "lo").unwrap();
    assert!(counters.tx_packets > link.counters.tx_packets);
    assert!(counters.tx_bytes >= link.counters.tx_bytes + 100);
}

#[test]
fn an_index_of_no_interface_is_gone_and_another_name_is_renamed() {
    let mut reader = LinkReader::open().unwrap();
    let gone = reader.counters(0x7FFF_FFFF, "ens4").unwrap_err();
    assert!(matches!(gone, LinkError::Gone { .. }), "{gone}");
    let renamed = reader.counters(1, "ens4").unwrap_err();
    assert!(matches!(&renamed, LinkError::Renamed { now, .. } if now == "lo"), "{renamed}");
    let missing = reader.link("no-such-interface").unwrap_err();
    assert!(
        matches!(&missing, LinkError::NotFound { there, .. } if there.contains(&"lo".to_owned())),
        "{missing}"
    );
}

proptest! {
    #[test]
    fn any_message_can_be_parsed(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        let _ = (parse_link(&bytes), parse_id(&bytes), parse_address(&bytes));
    }

    #[test]
    fn a_message_with_any_byte_changed_can_be_parsed(at in 0usize..1400, value: u8) {
        let mut message = payloads(VETH).remove(0);
        if let Some(byte) = message.get_mut(at) {
            *byte = value;
        }
        let _ = parse_link(&message);
    }
}
