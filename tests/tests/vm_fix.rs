//! `vmnet fix` on a real virtio-net device: mended, proved by traffic, and put back to the letter.

#![expect(clippy::unwrap_used, reason = "a scenario's helpers fail as its tests do")]

use testbed::{Kernel, Vm, VmRun, skip, skip_unless};

/// Breaks, fixes, proves and undoes; what was before must be what is after, as text.
const FUNCTIONS: &str = r#"
snap() { ethtool -k ens4; ip -d link show dev ens4; tc -d qdisc show dev ens4; }
features() { ethtool -k ens4; }
round() {
  name=$1; shift
  "$@" >/dev/null 2>&1
  snap >/tmp/before
  vmnet fix ens4 --plain >/tmp/said 2>&1; echo "$name fix $?"
  sed "s/^/$name said /" /tmp/said
  features | grep -E '^[[:space:]]*tx-tcp6?-segmentation' | sed "s/^/$name is /"
  tc -d qdisc show dev ens4 | sed "s/^/$name qdisc /"
  vmnet run ens4 --plain -o /tmp/r --expect "${EXPECT:-engaged}" -- vmnet load client 10.10.1.10 -n 8M >/tmp/run 2>&1
  code=$?; echo "$name run $code"; [ $code = 0 ] || sed "s/^/$name ran /" /tmp/run
  vmnet fix ens4 --undo --plain >/tmp/said 2>&1; echo "$name undo $?"
  snap >/tmp/after
  if cmp -s /tmp/before /tmp/after; then echo "$name same"; else echo "$name DIFFERS"; diff /tmp/before /tmp/after; cat /tmp/said; fi
}
"#;

fn run(vm: Vm, script: &str) -> VmRun {
    let run = vm.serve_load().script(format!("{FUNCTIONS}{script}")).run().unwrap();
    println!("{}", run.stdout);
    run
}

fn every_guest_cause_is_mended_and_put_back(kernel: Kernel) {
    skip_unless!(skip::vm(kernel), skip::vmnet());
    let script = r"
round tso ethtool -K ens4 tso off
ethtool -K ens4 tso on >/dev/null
round csum ethtool -K ens4 tx off
ethtool -K ens4 tx on >/dev/null
round sg ethtool -K ens4 sg off
ethtool -K ens4 sg on gso on tso on >/dev/null
round segs ip link set dev ens4 gso_max_size 8000 gso_max_segs 1
ip link set dev ens4 gso_max_size 65536 gso_max_segs 65535
round tbf tc qdisc replace dev ens4 root tbf rate 1gbit burst 5k latency 100ms
round cake tc qdisc replace dev ens4 root cake
";
    let run = run(Vm::new(kernel), script);
    for name in ["tso", "csum", "sg", "segs", "tbf", "cake"] {
        for line in [
            format!("{name} fix 0"),
            format!("{name} run 0"),
            format!("{name} undo 0"),
            format!("{name} same"),
        ] {
            assert!(
                run.stdout.lines().any(|said| said == line),
                "{kernel}: no line {line:?}\n{}",
                run.stdout
            );
        }
        for feature in ["tx-tcp-segmentation: on", "tx-tcp6-segmentation: on"] {
            let is = |said: &str| said.starts_with(&format!("{name} is ")) && said.ends_with(feature);
            assert!(run.stdout.lines().any(is), "{kernel}: {name}, {feature}\n{}", run.stdout);
        }
    }
    let tbf = run.stdout.lines().find(|line| line.starts_with("tbf qdisc qdisc tbf")).unwrap();
    assert!(tbf.contains("rate 1Gbit") && !tbf.contains("burst 5"), "{tbf}");
}

#[test]
fn every_guest_cause_is_mended_and_put_back_on_6_1() {
    every_guest_cause_is_mended_and_put_back(Kernel::V6_1);
}

#[test]
fn every_guest_cause_is_mended_and_put_back_on_6_12() {
    every_guest_cause_is_mended_and_put_back(Kernel::V6_12);
}

#[test]
fn what_the_host_does_not_offer_is_said_to_be_beyond_mending_and_nothing_is_touched() {
    skip_unless!(skip::vm(Kernel::V5_10), skip::vmnet());
    let script = "snap >/tmp/before\nvmnet fix ens4 --plain; echo code $?\nsnap >/tmp/after\n\
                  cmp /tmp/before /tmp/after && echo same\nls /var/lib/vmnet | grep -c journal\n";
    let run = run(Vm::new(Kernel::V5_10).nic("csum=off"), script);
    for said in ["NOT MENDED", "off [fixed]", "code 1\n", "same\n"] {
        assert!(run.stdout.contains(said), "{said}\n{}", run.stdout);
    }
    assert!(run.stdout.ends_with("0\n"), "a journal was left\n{}", run.stdout);
}
