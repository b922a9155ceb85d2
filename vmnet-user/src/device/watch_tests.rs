use std::process::Command;

use nix::sched::{CloneFlags, unshare};
use proptest::prelude::*;

use super::*;
use crate::device::{
    attributes::push_attribute, change::Changer, features::FeatureReader, links::LinkReader,
};
use crate::model::fix::{DeviceId, FeatureRequest, Step};

/// In a network namespace of this thread's own, which ends with it; None where that takes root.
fn in_own_namespace<T: Send + 'static>(test: fn() -> T) -> Option<T> {
    std::thread::spawn(move || unshare(CloneFlags::CLONE_NEWNET).ok().map(|()| test())).join().unwrap()
}

/// A child of this thread is in its namespace.
fn run(line: &str) {
    let mut words = line.split_whitespace();
    let status = Command::new(words.next().unwrap()).args(words).stdout(std::process::Stdio::null()).status();
    assert!(status.unwrap().success(), "{line}");
}

/// By netlink, as `ethtool -K veth0 tso off` does.
fn switch_tso_off(interface: &str) {
    let mut changer = Changer::open().unwrap();
    let device = changer.read(interface).unwrap();
    let tso = device.features.get("tx-tcp-segmentation").unwrap();
    let requests = vec![FeatureRequest { bit: tso.bit, name: tso.name.clone(), on: false }];
    let device = DeviceId { ifindex: device.ifindex, name: device.name.clone() };
    changer.carry_out(&Step::Features { device, requests }).unwrap();
}

/// `ETHTOOL_STSO` by `ioctl`, where ethtool from 5.9 on speaks netlink.
fn switch_tso_on_as_older_programs_do(interface: &str) {
    let [a, b, c, d] = 0x1fu32.to_ne_bytes();
    let [e, f, g, h] = 1u32.to_ne_bytes();
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    crate::device::driver_stats::ioctl(
        &socket,
        interface,
        &mut [u64::from_ne_bytes([a, b, c, d, e, f, g, h])],
    )
    .unwrap();
}

fn next(monitor: &mut Monitor, wanted: impl Fn(&Change) -> bool) -> Change {
    for _ in 0..50 {
        match monitor.next(Duration::from_secs(10)).unwrap() {
            Some(change) if wanted(&change) => return change,
            Some(_) => {}
            None => break,
        }
    }
    panic!("no such change")
}

#[test]
fn whoever_switches_a_feature_or_takes_a_link_away_is_noticed() {
    let tried = in_own_namespace(|| {
        run("ip link add veth0 type veth peer name veth1");
        let mut monitor = Monitor::open().unwrap();
        assert_eq!(monitor.next(Duration::ZERO).unwrap(), None, "nothing of what was before it");
        let ifindex = LinkReader::open().unwrap().link("veth0").unwrap().ifindex;
        let tso =
            || FeatureReader::open().unwrap().read(ifindex).unwrap().active("tx-tcp-segmentation").unwrap();
        assert!(tso());
        switch_tso_off("veth0");
        let changed = Change::Features { ifindex, name: "veth0".to_owned() };
        next(&mut monitor, |change| *change == changed);
        assert!(!tso());
        switch_tso_on_as_older_programs_do("veth0");
        next(&mut monitor, |change| *change == changed);
        assert!(tso());
        run("ip link set veth0 mtu 1400");
        next(&mut monitor, |change| matches!(change, Change::Link { name, .. } if name == "veth0"));
        run("ip link del veth0");
        next(&mut monitor, |change| *change == Change::Gone { ifindex, name: "veth0".to_owned() });
    });
    if tried.is_none() {
        eprintln!("skipped: a network namespace of one's own takes root");
    }
}

#[test]
fn a_port_that_leaves_its_bridge_is_not_gone() {
    let mut message =
        vec![u8::try_from(libc::AF_BRIDGE).unwrap(), 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    push_attribute(&mut message, libc::IFLA_IFNAME, b"ens4\0");
    assert_eq!(link(libc::RTM_DELLINK, &message), None);
    message[0] = 0;
    let gone = Change::Gone { ifindex: u32::from_ne_bytes([7, 0, 0, 0]), name: "ens4".to_owned() };
    assert_eq!(link(libc::RTM_DELLINK, &message), Some(gone));
}

proptest! {
    #[test]
    fn any_message_can_be_parsed(kind: u16, bytes in proptest::collection::vec(any::<u8>(), 0..128)) {
        let _ = (link(kind, &bytes), features(&bytes));
    }
}
