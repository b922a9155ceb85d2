//! What `vmnet doctor --json` reads of a virtio-net device with four queues, a vlan on it and shaping, is what ethtool, tc and ip show.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a scenario's helpers fail as its tests do")]

#[path = "agreement/mod.rs"]
mod agreement;

use std::collections::BTreeMap;

use agreement::{device_agrees, features_agree, json, qdisc_counters_agree, qdiscs_agree, stack, stacked};
use serde_json::Value;
use testbed::report::document;
use testbed::{Kernel, Vm, VmRun, skip, skip_unless};

const LOOK: &str = r#"
keep() { name=$1; shift; "$@" >/tmp/$name; send-file $name /tmp/$name; }
ip link add link ens4 name ens4.7 type vlan id 7
ip link set ens4.7 up
ip link add mv0 link ens4.7 type macvlan
ip link add vmbr0 type bridge
ip link set mv0 master vmbr0
ip link add vx0 type vxlan id 5 dev ens4 dstport 4789
ethtool -K ens4 tx off
ethtool -K ens4.7 tso off
iperf3 -c 10.10.1.10 -t 1 >/dev/null
# Until two looks agree, so that the program's and ours are of the same counts.
tries=0
while [ $tries -lt 50 ]; do
    tries=$((tries + 1))
    ethtool -S ens4 >/tmp/before
    vmnet doctor --no-check --json - ens4 >/tmp/facts
    tc -s -j qdisc show dev ens4 >/tmp/qdisc-counters
    ethtool -S ens4 >/tmp/statistics
    cmp -s /tmp/before /tmp/statistics && break
    sleep 0.1
done
send-file facts /tmp/facts
send-file statistics /tmp/statistics
send-file qdisc-counters /tmp/qdisc-counters
for name in ens4 ens4.7 mv0 vmbr0 vx0; do keep features-$name ethtool -k $name; done
keep links ip -d -j link
keep channels ethtool -l ens4
keep qdiscs tc -j qdisc show dev ens4
keep interrupts cat /proc/interrupts
for kind in tbf cake netem; do
    case $kind in
        tbf) options="rate 100mbit burst 20kb latency 50ms" ;;
        cake) options="bandwidth 100mbit no-split-gso" ;;
        netem) options="corrupt 1%" ;;
    esac
    if tc qdisc add dev ens4 root handle 9: $kind $options; then
        keep facts-$kind vmnet doctor --no-check --json - ens4
        keep tc-$kind tc -j qdisc show dev ens4
        tc qdisc del dev ens4 root
    fi
done
"#;

fn agrees(kernel: Kernel) -> (VmRun, Value) {
    let run = Vm::new(kernel).queues(4).cpus(4).script(LOOK).run().unwrap();
    assert!(run.files.contains_key("facts"), "{}", run.stdout);
    let text = |name: &str| String::from_utf8(run.files[name].clone()).unwrap();
    let machine = document(&run.files["facts"]).unwrap()["machine"].clone();
    let links = json(&run.files["links"]);

    device_agrees(&machine["device"], &links);
    features_agree(&machine["device"]["features"], &text("features-ens4"));
    let expected = [("above", 1, "ens4.7"), ("above", 1, "vx0"), ("above", 2, "mv0"), ("above", 3, "vmbr0")];
    assert_eq!(stack(&machine), stacked(&expected));
    for place in machine["stack"].as_array().unwrap() {
        device_agrees(&place["device"], &links);
        let name = place["device"]["name"].as_str().unwrap();
        features_agree(&place["device"]["features"], &text(&format!("features-{name}")));
    }
    assert_eq!(machine["stack"][0]["vlan_id"], 7);
    qdiscs_agree(&machine, &json(&run.files["qdiscs"]));

    let channels = &machine["queues"]["channels"];
    let combined: Vec<u64> = text("channels")
        .lines()
        .filter_map(|line| line.strip_prefix("Combined:")?.trim().parse().ok())
        .collect();
    assert_eq!(combined, [channels[1].as_u64().unwrap(), channels[0].as_u64().unwrap()], "most, in use");
    // The driver spreads four CPUs over four queues, and so their interrupts.
    let each_cpu = serde_json::json!([[0], [1], [2], [3]]);
    assert_eq!(machine["queues"]["xps"], each_cpu, "{}", machine["queues"]);
    let irqs = machine["queues"]["irqs"].as_array().unwrap();
    assert_eq!(irqs.len(), 4);
    for irq in irqs {
        let line = format!("{}:", irq["number"]);
        let listed = text("interrupts");
        let listed = listed.lines().find(|listed| listed.trim_start().starts_with(&line)).unwrap();
        assert!(listed.ends_with(irq["name"].as_str().unwrap()), "{listed}");
    }
    statistics_agree(&machine, &text("statistics"));
    qdisc_counters_agree(&machine, &json(&run.files["qdisc-counters"]));

    let names = machine["virtio"]["negotiated"].as_array().unwrap();
    assert!(
        ["CSUM", "HOST_TSO4", "HOST_TSO6", "MQ"].iter().all(|name| names.contains(&(*name).into())),
        "{names:?}"
    );
    assert_eq!(machine["module_parameters"]["csum"], "Y");
    assert_eq!((&machine["cpus_online"], &machine["device"]["driver"]), (&4.into(), &"virtio_net".into()));
    assert_eq!(machine["device"]["terminal"], true);
    options_agree(&run);
    (run, machine)
}

/// What `ethtool -S` has of packets, bytes and kicks by queue, by either kernel's names.
fn statistics_agree(machine: &Value, ethtool_s: &str) {
    let shown: BTreeMap<&str, u64> = ethtool_s
        .lines()
        .filter_map(|line| line.trim().split_once(": "))
        .filter_map(|(name, value)| Some((name, value.parse().ok()?)))
        .collect();
    let queues = machine["queues"]["statistics"].as_array().unwrap();
    assert_eq!(queues.len(), 4);
    let mut compared = 0;
    for (number, queue) in queues.iter().enumerate() {
        for what in ["packets", "bytes", "kicks"] {
            let names = [format!("tx_queue_{number}_{what}"), format!("tx{number}_{what}")];
            if let Some(value) = names.iter().find_map(|name| shown.get(name.as_str())) {
                assert_eq!(queue[what].as_u64(), Some(*value), "{what} of queue {number}");
                compared += 1;
            }
        }
        assert!(queue["packets"].is_u64() && queue["bytes"].is_u64(), "{queue}");
    }
    assert!(compared >= 4, "{ethtool_s}");
    assert!(queues.iter().map(|queue| queue["packets"].as_u64().unwrap()).sum::<u64>() > 100, "{queues:?}");
}

fn options_agree(run: &VmRun) {
    let mut seen = Vec::new();
    for kind in ["tbf", "cake", "netem"] {
        let Some(facts) = run.files.get(&format!("facts-{kind}")) else {
            println!("{kind} could not be set up: {}", run.stdout);
            continue;
        };
        seen.push(kind);
        let (machine, tc) =
            (document(facts).unwrap()["machine"].clone(), json(&run.files[&format!("tc-{kind}")]));
        qdiscs_agree(&machine, &tc);
        let (read, shown) = (&machine["qdiscs"][0]["options"], &tc[0]["options"]);
        assert_eq!(read["of"], kind);
        match kind {
            "tbf" => {
                assert_eq!(read["rate_bytes_per_s"], shown["rate"]);
                // tc rounds the time that the bucket takes to fill down to whole microseconds; the kernel keeps ticks of 64 ns.
                let of_a_microsecond = shown["rate"].as_u64().unwrap() / 1_000_000 + 1;
                let (read, shown) = (read["burst_bytes"].as_u64().unwrap(), shown["burst"].as_u64().unwrap());
                assert!((shown..=shown + of_a_microsecond).contains(&read), "{read} {shown}");
            }
            "cake" => assert_eq!((&read["split_gso"], &shown["split_gso"]), (&false.into(), &false.into())),
            _ => {
                let share = read["corrupt"].as_f64().unwrap() / f64::from(u32::MAX);
                assert!((share - 0.01).abs() < 1e-4, "{read} {shown}");
            }
        }
    }
    assert!(seen.contains(&"tbf"), "{}", run.stdout);
}

#[test]
fn facts_agree_with_ethtool_tc_and_ip_on_6_1() {
    skip_unless!(skip::vm(Kernel::V6_1), skip::vmnet());
    let (_, machine) = agrees(Kernel::V6_1);
    assert_eq!(machine["queues"]["statistics_source"], "ethtool -S");
}

#[test]
fn facts_agree_with_ethtool_tc_and_ip_on_6_12() {
    skip_unless!(skip::vm(Kernel::V6_12), skip::vmnet());
    let (_, machine) = agrees(Kernel::V6_12);
    assert_eq!(machine["queues"]["statistics_source"], "netdev-genl");
}
