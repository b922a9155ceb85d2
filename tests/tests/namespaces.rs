//! The testbed's network namespaces.

use testbed::command::{captured, words};
use testbed::netns::{VethEnd, veth_pair};
use testbed::{Netns, skip, skip_unless};

#[test]
fn the_two_ends_of_a_veth_pair_reach_each_other_at_once() {
    skip_unless!(skip::root(), skip::program("ping"));
    let (one, other) = (Netns::new("test").unwrap(), Netns::new("test").unwrap());
    veth_pair(
        VethEnd { namespace: &one, interface: "veth0", addresses: &["10.96.0.1/24", "fd00:96::1/64"] },
        VethEnd { namespace: &other, interface: "veth1", addresses: &["10.96.0.2/24", "fd00:96::2/64"] },
    )
    .unwrap();
    one.exec("ping -c 1 -W 5 10.96.0.2").unwrap();
    one.exec("ping -c 1 -W 5 fd00:96::2").unwrap();
    assert!(other.statistic("veth1", "rx_packets").unwrap() >= 2);
}

#[test]
fn a_namespace_is_gone_with_its_value() {
    skip_unless!(skip::root());
    let namespace = Netns::new("test").unwrap();
    let name = namespace.name().to_owned();
    let listed = || String::from_utf8(captured(&mut words("ip netns list")).unwrap().stdout).unwrap();
    assert!(listed().contains(&name));
    drop(namespace);
    assert!(!listed().contains(&name));
}
