//! `vmnet ab` on a real virtio-net device.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a scenario's helpers fail as its tests do")]

mod measured;

use measured::machine;
use serde_json::Value;
use testbed::report::document;
use testbed::{Kernel, Vm, VmRun, skip, skip_unless};

/// `experiment NAME OPTIONS` in the guest: `vmnet ab ens4`, whose result comes back as NAME.json, with its exit code and what changed on the
/// device.
const PRELUDE: &str = r#"
settings() {
    ethtool -k ens4
    ethtool -l ens4
    ip -d link show dev ens4
    cat /sys/class/net/ens4/queues/tx-*/xps_cpus 2>/dev/null
}
experiment() {
    name=$1
    shift
    settings >/tmp/before
    vmnet ab ens4 -v --json "/tmp/$name.json" --output /tmp/reports "$@" >"/tmp/$name.log" 2>&1
    echo "$name ended with $?"
    cat "/tmp/$name.log"
    settings >/tmp/after
    cmp /tmp/before /tmp/after && echo "$name left everything as it was"
    send-file "$name.json" "/tmp/$name.json"
}
"#;

fn experimenting(kernel: Kernel, script: &str) -> Vm {
    machine(kernel, &format!("{PRELUDE}{script}"))
}

fn result(run: &VmRun, name: &str, code: i32) -> Value {
    println!("{}", run.stdout);
    assert!(run.stdout.contains(&format!("{name} ended with {code}\n")), "{name}");
    assert!(run.stdout.contains(&format!("{name} left everything as it was")), "{name}");
    let text = run.files.get(&format!("{name}.json"));
    document(text.unwrap_or_else(|| panic!("no result of {name}"))).unwrap()
}

fn effect<'a>(result: &'a Value, arm: &str, metric: &str) -> &'a Value {
    let arms = result["effects"].as_array().unwrap();
    let arm = arms.iter().find(|one| one["name"] == arm).unwrap_or_else(|| panic!("no {arm} in {result:#}"));
    let effects = arm["effects"].as_array().unwrap();
    effects.iter().find(|one| one["metric"] == metric).unwrap_or_else(|| panic!("no {metric} in {result:#}"))
}

fn interval(effect: &Value) -> [f64; 2] {
    serde_json::from_value(effect["interval_percent"].clone()).unwrap_or_else(|_| panic!("{effect:#}"))
}

#[test]
fn on_virtio_net_tso_is_found_with_its_interval_and_identical_arms_show_nothing() {
    skip_unless!(skip::vm(Kernel::V6_1), skip::vmnet());
    // Short trials in more blocks: what else the machine does spreads over few long ones so that no interval is narrow.
    let script = "experiment tso --load 10.10.1.10 --time 800ms --warm-up 200ms --cool-down 100ms --rehearsal --blocks 4 --seed 3\n\
                  experiment same-1 --feature none --cool-down 50ms --rehearsal --blocks 3 --seed 4 -- iperf3 -c 10.10.1.10 -n 24M -J\n\
                  experiment same-2 --feature none --cool-down 50ms --rehearsal --blocks 3 --seed 5 -- iperf3 -c 10.10.1.10 -n 24M -J\n";
    let vm = experimenting(Kernel::V6_1, script).run().unwrap();
    let tso = result(&vm, "tso", 0);
    let [low, high] = interval(effect(&tso, "tso=on", "throughput_gbps"));
    assert!(low > 0.0 && low <= high, "{:#}", tso["effects"]);
    assert!(interval(effect(&tso, "tso=on", "cpu_ns_per_byte"))[1] < 0.0, "{:#}", tso["effects"]);
    let arms = tso["design"]["arms"].as_array().unwrap();
    for trial in tso["trials"].as_array().unwrap() {
        if !trial["rejections"].as_array().unwrap().is_empty() {
            continue;
        }
        let arm = &arms[usize::try_from(trial["arm"].as_u64().unwrap()).unwrap()];
        let state = if arm["name"] == "tso=on" { "engaged" } else { "software" };
        assert_eq!(trial["state"], state, "{trial:#}");
    }
    // Far from what the treatment does, whatever chance does.
    let [placebo_low, placebo_high] = interval(effect(&tso, "tso=off again", "throughput_gbps"));
    assert!(placebo_low < low && placebo_high < high, "{:#}", tso["effects"]);
    // So with identical arms. That 0 lies in their intervals, three blocks cannot promise: a rehearsal shows nothing for certain, and says so.
    for name in ["same-1", "same-2"] {
        let same = result(&vm, name, 0);
        // What iperf3 says of itself.
        assert_eq!(same["throughput_from"], "benchmark", "{same:#}");
        let [same_low, same_high] = interval(effect(&same, "as found again", "throughput_gbps"));
        println!("{name}: [{same_low:.1}, {same_high:.1}] %");
        assert!(same_low < low && same_high < high, "{:#}", same["effects"]);
    }
    assert!(vm.stdout.contains("no effect for certain"), "{}", vm.stdout);
}

#[test]
fn where_the_host_offers_no_tso_it_stops_before_the_benchmark_with_the_cause() {
    skip_unless!(skip::vm(Kernel::V6_1), skip::vmnet());
    let script = "experiment none -- sh -c 'touch /tmp/ran'\n[ -e /tmp/ran ] || echo never-ran\n";
    let vm = experimenting(Kernel::V6_1, script).nic("host_tso4=off,host_tso6=off").run().unwrap();
    let none = result(&vm, "none", 1);
    assert!(vm.stdout.contains("never-ran"), "{}", vm.stdout);
    assert_eq!(none["window"]["ended_by"], "treatment-not-taken", "{none:#}");
    assert_eq!(none["causes"][0]["id"], "host-no-tso", "{none:#}");
    assert_eq!(none["trials"], Value::Array(Vec::new()), "{none:#}");
    assert!(vm.stdout.contains("host-no-tso"), "{}", vm.stdout);
}

#[test]
fn queues_are_switched_as_well_and_come_back_with_their_cpus() {
    skip_unless!(skip::vm(Kernel::V6_1), skip::vmnet());
    // Another number of channels has the driver steer anew; what was there comes back all the same.
    let script = "echo 2 >/sys/class/net/ens4/queues/tx-0/xps_cpus\necho 1 >/sys/class/net/ens4/queues/tx-1/xps_cpus\n\
                  quick='--load 10.10.1.10 --time 300ms --streams 4 --warm-up 100ms --cool-down 50ms --rehearsal --blocks 2 --no-placebo'\n\
                  experiment channels --feature channels --levels 2,1 $quick\n\
                  experiment xps --feature xps $quick\n";
    let vm = experimenting(Kernel::V6_1, script).queues(2).run().unwrap();
    for (name, base, other) in [("channels", "channels=2", "channels=1"), ("xps", "xps=off", "xps=on")] {
        let result = result(&vm, name, 0);
        assert_eq!(result["design"]["arms"][0]["name"], base, "{result:#}");
        let throughput = effect(&result, other, "throughput_gbps");
        assert!(throughput["change_percent"].is_number(), "{throughput:#}");
        assert_eq!(result["settings"]["restored"], true, "{result:#}");
    }
}
