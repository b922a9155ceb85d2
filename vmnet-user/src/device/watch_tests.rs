use std::process::Command;

use nix::sched::{CloneFlags, unshare};
use proptest::prelude::*;

use super::*;
use crate::device::{attributes::push_attribute, features::FeatureReader, links::LinkReader};

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
        // ethtool 5.10 and later speak netlink; `--disable-netlink` is the ioctl of older ones.
        run("ethtool -K veth0 tso off");
        let changed = Change::Features { ifindex, name: "veth0".to_owned() };
        next(&mut monitor, |change| *change == changed);
        assert!(!tso());
        run("ethtool --disable-netlink -K veth0 tso on");
        next(&mut monitor, |change| *change == changed);
        assert!(tso());
        run("ip link set veth0 gso_max_size 8000");
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
