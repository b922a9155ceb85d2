//! The soak that `cargo xtask soak` does for an hour and CI for two minutes: a few operations of it, and that it finds what is wrong.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use testbed::soak::{Plan, soak};
use testbed::{paths, skip, skip_unless};

fn plan(vmnet: &Path, directory: &Path) -> Plan {
    Plan {
        time: Duration::from_secs(120),
        seed: 14,
        first: 0,
        operations: 8,
        vmnet: vmnet.to_owned(),
        is_guest: false,
        shows: false,
        keep: directory.join("kept"),
    }
}

#[test]
fn a_few_operations_leave_nothing_and_say_nothing_false() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("iperf3"), skip::program("ethtool"));
    let directory = tempfile::tempdir().unwrap();
    let plan = plan(&paths::vmnet(), directory.path());
    let soaked = soak(&plan).unwrap();
    println!("{}", soaked.table);
    assert!(soaked.faults.is_empty(), "{}", soaked.table);
    assert_eq!(soaked.operations, plan.operations);
    assert!(!plan.keep.exists());
}

/// A vmnet that leaves a process and a file, switches an offload, and says that TSO is on, which it is not. What the soak itself needs works.
const WRONG: &str = r#"#!/bin/sh
case "$*" in
load*|*--no-report*) exec VMNET "$@" ;;
run*) ;;
*) exec VMNET "$@" ;;
esac
sleep 86393 &
touch "$TMPDIR/left"
VMNET "$@"
code=$?
sed -i '0,/"state"/s/"state": "[a-z-]*"/"state": "engaged"/' result.json
ip netns exec "$(echo "$*" | sed 's/.*--netns \([^ ]*\).*/\1/')" ethtool -K veth0 gro on
exit $code
"#;

#[test]
fn what_is_left_changed_or_false_is_found() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("iperf3"), skip::program("ethtool"));
    let directory = tempfile::tempdir().unwrap();
    let wrong = directory.path().join("vmnet");
    fs::write(&wrong, WRONG.replace("VMNET", &paths::vmnet().to_string_lossy())).unwrap();
    fs::set_permissions(&wrong, fs::Permissions::from_mode(0o755)).unwrap();
    // One that nothing comes between, of which the last says so.
    let plan = Plan { first: UNDISTURBED_RUN, operations: 1, ..plan(&wrong, directory.path()) };
    let soaked = soak(&plan).unwrap();
    println!("{}", soaked.table);
    for found in ["a process is left", "tmp/left is left", "generic-receive-offload", "a false answer"] {
        assert!(soaked.faults.iter().any(|fault| fault.contains(found)), "{found}\n{}", soaked.table);
    }
    let about = plan.keep.join(format!("{}-{UNDISTURBED_RUN}/about.txt", plan.seed));
    assert!(fs::read_to_string(about).unwrap().contains("vmnet run veth0"));
}

/// Of the seed here.
const UNDISTURBED_RUN: u64 = 16;
