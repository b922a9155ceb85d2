//! The file that is handed out, on each kernel, in a root that has nothing else: no `/etc`, no library, no program. And what is said from outside
//! of the same guest, from what its own commands print.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a scenario's helpers fail as its tests do")]

use serde_json::Value;
use testbed::report::{Report, document};
use testbed::{Kernel, Vm, VmRun, paths, skip, skip_unless};

/// `bare …` is vmnet in that root; `explain NAME` is what the guest's commands say by now.
const SCRIPT: &str = r#"
set -e
mkdir -p /tmp/bare/proc /tmp/bare/sys
cp /vmnet-static /tmp/bare/vmnet
mount -t proc proc /tmp/bare/proc
mount --rbind /sys /tmp/bare/sys
bare() { chroot /tmp/bare /vmnet "$@"; }
say() { for command in "uname -a" "ethtool -i ens4" "ethtool -k ens4" "ip -s -d link" "tc -s qdisc show dev ens4" "ethtool -S ens4" "nstat -a"; do
    echo "root@guest:~# $command"
    $command
done; }
bare run ens4 --json /proof.json -- /vmnet load client 10.10.1.10 -n 8M >/tmp/run.log 2>&1 || { cat /tmp/run.log; exit 1; }
send-file proof.json /tmp/bare/proof.json
# A person with two capabilities, and nothing else.
mkdir -m 777 /tmp/out
setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all,+bpf,+perfmon --ambient-caps=-all,+bpf,+perfmon -- \
    /tmp/bare/vmnet run ens4 -o /tmp/out --json /tmp/out/capable.json -- /tmp/bare/vmnet load client 10.10.1.10 -n 8M >/tmp/run.log 2>&1 ||
    { cat /tmp/run.log; exit 1; }
send-file capable.json /tmp/out/capable.json
bare check ens4 --json - >/tmp/check-on.json 2>/dev/null
send-file check-on.json /tmp/check-on.json
say | bare explain --json - - >/tmp/explain-on.json 2>/dev/null
send-file explain-on.json /tmp/explain-on.json
ethtool -K ens4 SWITCH off >/dev/null 2>&1
bare check ens4 --json - >/tmp/check-off.json 2>/dev/null
send-file check-off.json /tmp/check-off.json
say | bare explain --json - - >/tmp/explain-off.json 2>/dev/null
send-file explain-off.json /tmp/explain-off.json
bare list --json - >/tmp/list.json 2>/dev/null
send-file list.json /tmp/list.json
"#;

fn read(run: &VmRun, name: &str) -> Value {
    let bytes = run.files.get(name);
    document(bytes.unwrap_or_else(|| panic!("no {name}: {}", run.stdout))).unwrap()
}

fn the_file_answers(kernel: Kernel, switch: &str, cause: &str) {
    skip_unless!(skip::vm(kernel), skip::dist(), skip::program("setpriv"));
    let vm = Vm::new(kernel).file(paths::dist(), "/vmnet-static").program("setpriv").serve_load();
    let run = vm.script(SCRIPT.replace("SWITCH", switch)).run().unwrap();
    assert_eq!(run.exit_code, 0, "{}", run.stdout);
    println!("{kernel}: {:.1} s from start to power-off", run.duration.as_secs_f64());

    let [proof, capable] =
        ["proof.json", "capable.json"].map(|name| Report::parse(&run.files[name]).unwrap());
    assert_eq!((proof.state(), proof.confidence()), ("engaged", "proven"));
    // What 5.10 keeps from a person without root is a witness less.
    assert_eq!((capable.state(), capable.confidence() == "weak"), ("engaged", false));
    let [on, off] = ["on", "off"].map(|state| read(&run, &format!("check-{state}.json")));
    assert_eq!((on["state"].as_str(), off["state"].as_str()), (Some("engaged"), Some("software")), "{off}");
    println!("{kernel}: a check took {} s", on["duration_s"]);
    assert_eq!(off["causes"][0]["id"], cause, "{off}");

    // Counters tell of all the time before, in which TSO was on.
    let [on, off] =
        ["on", "off"].map(|state| read(&run, &format!("explain-{state}.json"))["interfaces"][0].clone());
    assert_eq!(on["state"], "engaged", "{on}");
    assert!(on["causes"].as_array().unwrap().is_empty(), "{on}");
    assert_eq!(off["causes"][0]["id"], cause, "{off}");
    assert_eq!(off["machine"]["device"]["driver"], "virtio_net");

    let list = read(&run, "list.json");
    let interfaces = list["namespaces"][0]["interfaces"].as_array().unwrap();
    let ens4 = interfaces.iter().find(|one| one["name"] == "ens4").unwrap();
    assert!(ens4["hint"].is_object() && ens4["terminal"] == true, "{ens4}");
    assert_eq!(list["next"][2], "ens4");
}

#[test]
fn the_file_answers_on_5_10() {
    the_file_answers(Kernel::V5_10, "tso", "turned-off");
}

#[test]
fn the_file_answers_on_6_1() {
    the_file_answers(Kernel::V6_1, "tx", "csum-off");
}

#[test]
fn the_file_answers_on_6_12() {
    the_file_answers(Kernel::V6_12, "tso", "turned-off");
}

#[test]
fn the_file_answers_on_sid() {
    the_file_answers(Kernel::Sid, "tx", "csum-off");
}
