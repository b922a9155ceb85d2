//! What `vmnet doctor --json` reads of devices in a namespace is what ethtool, tc and ip show of them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a scenario's helpers fail as its tests do")]

#[path = "agreement/mod.rs"]
mod agreement;

use agreement::{device_agrees, features_agree, json, qdisc_counters_agree, qdiscs_agree, stack, stacked};
use serde_json::Value;
use testbed::report::document;
use testbed::{Netns, paths, skip, skip_unless};

fn facts(namespace: &Netns, interface: &str) -> Value {
    let line = format!("{} doctor --no-check --json - {interface}", paths::vmnet().display());
    document(namespace.exec(&line).unwrap().as_bytes()).unwrap()
}

#[test]
fn a_veth_with_a_tunnel_on_it_is_read_as_the_usual_programs_show_it() {
    skip_unless!(skip::root(), skip::vmnet());
    let namespace = Netns::new("facts").unwrap();
    namespace.ip("link add veth0 numtxqueues 4 numrxqueues 4 type veth peer name veth1 numtxqueues 4 numrxqueues 4").unwrap();
    namespace.ip("link set veth0 up mtu 1400").unwrap();
    namespace.ip("link set veth1 up").unwrap();
    namespace.ip("link set veth0 gso_max_size 8000").unwrap();
    namespace.exec("ethtool -K veth0 tx off").unwrap();
    namespace.exec("tc qdisc add dev veth0 root handle 1: tbf rate 100mbit burst 20kb latency 50ms").unwrap();
    let tunnel = namespace.ip("link add vx0 type vxlan id 5 dev veth0 dstport 4789").is_ok();

    // A new interface speaks of its own accord (IPv6): until two looks agree, so that all three are of the same counts.
    let counters = || namespace.exec("tc -s -j qdisc show dev veth0").unwrap();
    let (report, counted) = (0..50)
        .find_map(|_| {
            let (before, report, after) = (counters(), facts(&namespace, "veth0"), counters());
            (before == after).then_some((report, after))
        })
        .expect("veth0 never rested");
    let machine = &report["machine"];
    let links = json(namespace.ip("-d -j link").unwrap().as_bytes());
    device_agrees(&machine["device"], &links);
    features_agree(&machine["device"]["features"], &namespace.exec("ethtool -k veth0").unwrap());
    for place in machine["stack"].as_array().unwrap() {
        device_agrees(&place["device"], &links);
        let name = place["device"]["name"].as_str().unwrap();
        features_agree(&place["device"]["features"], &namespace.exec(&format!("ethtool -k {name}")).unwrap());
    }
    qdisc_counters_agree(machine, &json(counted.as_bytes()));
    qdiscs_agree(machine, &json(namespace.exec("tc -j qdisc show dev veth0").unwrap().as_bytes()));

    // What `tx off` leaves is wanted and not had.
    let features = machine["device"]["features"].as_array().unwrap();
    let tso = features.iter().find(|feature| feature["name"] == "tx-tcp-segmentation").unwrap();
    assert_eq!((&tso["wanted"], &tso["active"]), (&true.into(), &false.into()));
    assert_eq!(machine["device"]["limits"]["gso_max_size"], 8000);
    let tbf = &machine["qdiscs"][0]["options"];
    assert_eq!((&tbf["burst_bytes"], &tbf["rate_bytes_per_s"]), (&20_480.into(), &12_500_000.into()));
    let expected = [("above", 1, "vx0"), ("peer", 1, "veth1")];
    assert_eq!(stack(machine), stacked(if tunnel { &expected } else { &expected[1..] }));
    assert_eq!(machine["virtio"], Value::Null);
    assert_eq!(machine["queues"]["tx"], 4);
    assert_eq!(machine["queues"]["xps"].as_array().unwrap().len(), 4);
    assert_eq!(machine["queues"]["irqs"], Value::Null);
    assert!(report["unmeasured"]["machine.queues.irqs"].as_str().unwrap().contains("no bus device"));
}

#[test]
fn a_peer_in_another_namespace_is_not_taken_for_a_device_of_this_one() {
    skip_unless!(skip::root(), skip::vmnet());
    let (near, far) = (Netns::new("facts").unwrap(), Netns::new("facts").unwrap());
    near.ip(&format!("link add veth0 type veth peer name veth1 netns {}", far.name())).unwrap();
    for (namespace, interface) in [(&near, "veth0"), (&far, "veth1")] {
        assert_eq!(stack(&facts(namespace, interface)["machine"]), [], "{interface}");
    }
}
