use super::*;
use crate::model::machine::QdiscOptions;

fn pasted(text: &str) -> Paste {
    let mut paste = Paste::default();
    paste.add(text, None);
    paste.settle();
    paste
}

#[test]
fn features_are_the_three_sets_that_ethtool_hints_at() {
    let paste = pasted(
        "Features for ens4:\nrx-checksumming: on [fixed]\ntcp-segmentation-offload: off\n\ttx-tcp-segmentation: off [requested on]\n\
         \ttx-tcp6-segmentation: off [fixed]\n\ttx-tcp-ecn-segmentation: on [requested off]\ngeneric-segmentation-offload: on\n",
    );
    let features = &paste.interfaces["ens4"].features;
    let of = |name: &str| {
        let (feature, _) = features.iter().find(|(feature, _)| feature.name == name).unwrap();
        (feature.active, feature.wanted, feature.changeable)
    };
    assert_eq!(of("tx-tcp-segmentation"), (false, true, true));
    assert_eq!(of("tx-tcp6-segmentation"), (false, false, false));
    assert_eq!(of("tx-tcp-ecn-segmentation"), (true, false, true));
    assert_eq!(of("tx-generic-segmentation"), (true, true, true));
    assert_eq!(of("rx-checksum"), (true, true, false));
    assert_eq!(paste.not_understood, 0);
}

#[test]
fn a_prompt_tells_which_interface_an_answer_is_of() {
    let paste = pasted(
        "root@vm:~# ethtool -i ens4\ndriver: virtio_net\nversion: 1.0.0\nbus-info: 0000:00:04.0\n[me@vm ~]$ sudo ethtool -S ens4\nNIC statistics:\n     \
         tx_queue_0_packets: 12\n     TSO pkts tx: 7\n$ uname -a\nLinux vm 6.1.0-50-cloud-amd64 #1 SMP Debian\n",
    );
    let ens4 = &paste.interfaces["ens4"];
    assert_eq!(ens4.driver.as_deref(), Some("virtio_net"));
    assert_eq!(ens4.statistics, [("tx_queue_0_packets".to_owned(), 12), ("TSO pkts tx".to_owned(), 7)]);
    assert_eq!(paste.kernel.as_deref(), Some("6.1.0-50-cloud-amd64"));
    assert_eq!(paste.interfaces.len(), 1);
}

#[test]
fn what_is_told_without_a_name_belongs_to_the_only_one_that_has_one() {
    let paste = pasted("driver: virtio_net\nFeatures for ens4:\nscatter-gather: on\n");
    assert_eq!(paste.interfaces["ens4"].driver.as_deref(), Some("virtio_net"));
    assert!(!paste.interfaces.contains_key(UNNAMED));
    assert_eq!(pasted("tcp-segmentation-offload: off [fixed]\n").interfaces[UNNAMED].features.len(), 1);
}

#[test]
fn a_link_is_known_with_its_kind_its_limits_and_what_it_sent() {
    let text = "3: ens4.7@ens4: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue master br0 state UP mode DEFAULT group default qlen 1000\n    \
                link/ether 52:54:00:10:10:02 brd ff:ff:ff:ff:ff:ff promiscuity 0 minmtu 0 maxmtu 65535 \n    vlan protocol 802.1Q id 7 <REORDER_HDR> \
                addrgenmode eui64 numtxqueues 1 numrxqueues 1 gso_max_size 65536 gso_max_segs 65535 tso_max_size 65536 tso_max_segs 65535\n    RX:  bytes \
                packets errors dropped  missed   mcast           \n             100       1      0       0       0       0 \n    TX:  bytes packets errors \
                dropped carrier collsns           \n          616000     400      1       2       0       0 \n";
    let link = pasted(text).interfaces["ens4.7"].link.clone().unwrap();
    assert_eq!(
        (link.kind.as_deref(), link.vlan_id, link.below.as_deref()),
        (Some("vlan"), Some(7), Some("ens4"))
    );
    assert_eq!((link.master.as_deref(), link.mtu, link.up), (Some("br0"), 1500, true));
    assert_eq!((link.gso_max_segs, link.tso_max_size), (Some(65_535), Some(65_536)));
    assert_eq!(link.sent, Some([616_000, 400, 1, 2]));
}

#[test]
fn a_qdisc_is_known_with_what_it_sent_and_its_options() {
    let paste = pasted(
        "qdisc tbf 8001: dev ens4 root refcnt 2 rate 100Mbit burst 20Kb lat 50ms \n Sent 1234 bytes 56 pkt (dropped 7, overlimits 0 requeues 3) \n \
         backlog 0b 0p requeues 3\nqdisc cake 9: dev ens4 parent 1:a bandwidth 1Gbit no-split-gso rtt 100ms\nqdisc netem 8: dev ens4 root limit 1000 \
         corrupt 1%\nqdisc noqueue 0: dev lo root refcnt 2 \n",
    );
    let qdiscs = &paste.interfaces["ens4"].qdiscs;
    assert_eq!(qdiscs[0].options, QdiscOptions::Tbf { burst_bytes: 20 << 10, rate_bytes_per_s: 12_500_000 });
    let counts = qdiscs[0].counters.unwrap();
    assert_eq!((counts.bytes, counts.segments, counts.drops, counts.requeues), (1_234, 56, 7, 3));
    assert_eq!((qdiscs[1].handle, qdiscs[1].parent), (9 << 16, 1 << 16 | 0xa));
    assert_eq!(qdiscs[1].options, QdiscOptions::Cake { split_gso: Some(false) });
    assert_eq!(qdiscs[2].options, QdiscOptions::Netem { corrupt: u32::MAX / 100 });
    assert_eq!(paste.interfaces["lo"].qdiscs.len(), 1);
}

#[test]
fn nstat_tells_what_was_retransmitted() {
    let paste = pasted(
        "#kernel\nIpInReceives                    5                  0.0\nTcpOutSegs   20000 0.0\nTcpRetransSegs 500 0.0\n",
    );
    assert_eq!(paste.tcp.unwrap().retransmitted_share(), Some(0.025));
}

#[test]
fn nothing_hostile_becomes_an_interface() {
    for text in [
        "Features for :\n",
        "Features for ../../etc/passwd:\ntx-tcp-segmentation: on\n",
        "Features for a name that is too long:\n",
        "qdisc fq 0: dev --help root\n",
        "99999999999: x: <UP> mtu 1500\n",
        "1: \u{1b}[2J: <UP> mtu 1500\n",
        "qdisc fq zzzz: dev ens4 root\n",
    ] {
        assert!(pasted(text).interfaces.keys().all(|name| name == UNNAMED), "{text:?}");
    }
    let many: String = (0..2_000).map(|n| format!("Features for e{n}:\n")).collect();
    assert_eq!(pasted(&many).interfaces.len(), MOST_INTERFACES);
}
