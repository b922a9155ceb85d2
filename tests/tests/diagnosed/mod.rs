//! A case in a guest: what `vmnet run`, `doctor` and `check` say of it, and what `vmnet fix` does about it.

#![allow(dead_code, reason = "each scenario file uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a scenario's helpers fail as its tests do")]

use serde_json::Value;
use testbed::report::document;
use testbed::{Kernel, Vm, VmRun};

use crate::measured::{Measured, machine};

/// In the guest, beside `measure`:
/// - `ask NAME`: what doctor and check say.
/// - `diagnose NAME [-- COMMAND]`: that, and a run; of traffic of both families, more of it of IPv6, if none is given.
/// - `mend NAME [STATE]`: a fix, traffic that proves it, and back. Whether all is as it was before, to the letter.
/// - `cannot_mend NAME`: a fix that finds nothing to do, and leaves nothing.
/// - `reload PARAMETER=VALUE…`: loads the driver anew.
const PRELUDE: &str = r#"
BOTH='vmnet load client 10.10.1.10 -n 2M && vmnet load client fd00:10:10:1::10 -n 4M'
ask() {
    for command in check doctor; do
        vmnet $command ens4 --json - >/tmp/said.json 2>/tmp/said || {
            echo "$1: vmnet $command failed with $?"
            cat /tmp/said
            exit 1
        }
        send-file "$1-$command.json" /tmp/said.json
    done
}
diagnose() {
    case=$1
    shift
    ask "$case"
    [ $# -gt 0 ] || set -- -- sh -c "$BOTH"
    measure "$case" "$@"
}
snap() {
    ethtool -k ens4
    ip -d link show dev ens4
    tc -d qdisc show dev ens4
}
fix() {
    code=0
    vmnet fix ens4 -v --plain --json /tmp/said.json >/tmp/said 2>&1 || code=$?
    echo "$1: fix exits $code"
    send-file "$1-fix.txt" /tmp/said
    send-file "$1-fix.json" /tmp/said.json
}
undo() {
    code=0
    vmnet fix ens4 -v --undo --plain >/tmp/said 2>&1 || code=$?
    echo "$1: undo exits $code"
    same "$1"
}
same() {
    snap >/tmp/after
    if diff /tmp/before /tmp/after; then echo "$1: as before"; else cat /tmp/said; fi
}
mend() {
    snap >/tmp/before
    fix "$1"
    code=0
    vmnet run ens4 --plain --output /tmp/reports --expect "${2:-engaged}" -- sh -c "$BOTH" >/tmp/said 2>&1 || code=$?
    echo "$1: run exits $code"
    [ $code = 0 ] || cat /tmp/said
    undo "$1"
}
cannot_mend() {
    snap >/tmp/before
    fix "$1"
    same "$1"
    echo "$1: journals $(find /var/lib/vmnet -name '*.journal' 2>/dev/null | wc -l)"
}
reload() {
    ip link set ens4 down
    rmmod virtio_net
    modprobe virtio_net "$@"
    until [ -e /sys/class/net/eth0 ]; do sleep 0.1; done
    ip link set eth0 name ens4
    ip link set ens4 up
    ip address add 10.10.1.2/24 dev ens4
    ip address add fd00:10:10:1::2/64 dev ens4 nodad
    until ping -c 1 -W 1 10.10.1.10 >/dev/null; do sleep 0.1; done
}
set -e
"#;

/// A machine with `script` to run, and the words above in its vocabulary.
pub(crate) fn patient(kernel: Kernel, script: &str) -> Vm {
    machine(kernel, &format!("{PRELUDE}{script}"))
}

/// Runs it to its end.
pub(crate) fn examined(vm: &Vm) -> VmRun {
    let run = vm.run().unwrap();
    println!("{:.1} s\n{}", run.duration.as_secs_f64(), run.stdout);
    assert_eq!(run.exit_code, 0, "{}", run.stdout);
    run
}

/// What was said of one case.
pub(crate) struct Case<'a> {
    name: &'a str,
    vm: &'a VmRun,
    pub(crate) run: Measured,
    pub(crate) check: Value,
    pub(crate) doctor: Value,
}

impl<'a> Case<'a> {
    pub(crate) fn of(vm: &'a VmRun, name: &'a str) -> Self {
        let run = Measured::of(vm, name);
        let case = Self {
            name,
            vm,
            run,
            check: json(vm, &format!("{name}-check.json")),
            doctor: json(vm, &format!("{name}-doctor.json")),
        };
        for (who, causes) in case.all() {
            println!("  {who}: {}", told(causes).join("; "));
        }
        println!("  check's state {}", case.check["state"]);
        case
    }

    fn all(&self) -> [(&str, &Value); 3] {
        [
            ("run", &self.run.report["causes"]),
            ("doctor", &self.doctor["causes"]),
            ("check", &self.check["causes"]),
        ]
    }

    /// Each of the three names these causes and no others, in this order, with who can fix each; and the run's explain what
    /// there is to explain.
    pub(crate) fn assert_all_name(&self, expected: &[(&str, &str)]) {
        self.assert_run_names(expected);
        self.assert_asked_name(expected);
    }

    /// As [`Self::assert_all_name`], where only traffic shows it.
    pub(crate) fn assert_run_names(&self, expected: &[(&str, &str)]) {
        let causes = &self.run.report["causes"];
        // What is decided in the moment in which a setting changes has no reason afterwards: one super-packet of hundreds.
        let is_stray = |cause: &Value| {
            cause["id"] == "unexplained" && cause["share"].as_f64().is_some_and(|share| share < 0.01)
        };
        let told = list(causes).iter().filter(|cause| !is_stray(cause)).cloned().collect();
        assert_eq!(named(&Value::Array(told)), expected, "run: {causes} of {}", self.run);
        let shares: Vec<f64> = list(causes).iter().filter_map(|cause| cause["share"].as_f64()).collect();
        let sum: f64 = shares.iter().sum();
        assert!((0.9..=1.0 + 1e-9).contains(&sum), "{sum} explained by {causes} of {}", self.run);
        assert!(shares.is_sorted_by(|left, right| left >= right), "{causes}");
    }

    /// Doctor and check name these, without traffic and so without shares.
    pub(crate) fn assert_asked_name(&self, expected: &[(&str, &str)]) {
        for (who, causes) in self.all().into_iter().skip(1) {
            assert_eq!(named(causes), expected, "{who} of {}: {causes}", self.name);
            assert!(list(causes).iter().all(|cause| cause["share"].is_null()), "{who}: {causes}");
        }
    }

    /// Run and check come to the same.
    pub(crate) fn assert_both_say(&self, state: &str) {
        assert_eq!(self.run.state(), state, "{}", self.run);
        assert_eq!(self.check["state"], state, "{}: {}", self.name, self.check);
    }

    /// `vmnet fix` mended it, its own check and traffic proved that, and all came back to the letter.
    pub(crate) fn assert_mended(&self) {
        for what in ["fix exits 0", "run exits 0", "undo exits 0", "as before"] {
            self.assert_said(what);
        }
        let fix = self.fix();
        assert_eq!(fix["proof"]["state"], "engaged", "{fix}");
        let changes = list(&fix["changes"]);
        assert!(!changes.is_empty() && changes.iter().all(|change| change["ok"] == true), "{fix}");
    }

    /// `vmnet fix` said that it is the host's business, and what to set there; nothing was changed, and nothing left.
    pub(crate) fn assert_beyond_mending(&self) {
        for what in ["fix exits 1", "as before", "journals 0"] {
            self.assert_said(what);
        }
        let fix = self.fix();
        assert_eq!(list(&fix["changes"]), &[] as &[Value], "{fix}");
        self.assert_fix_names_host_settings("nothing inside this machine can help ens4; nothing was changed");
    }

    /// The words of `vmnet fix` have these, and the host's settings.
    pub(crate) fn assert_fix_names_host_settings(&self, sentence: &str) {
        let text = self.fix_text();
        for said in [sentence, "QEMU", "libvirt", "userspace-tso-enable"] {
            assert!(text.contains(said), "no {said:?} in what fix said of {}: {text}", self.name);
        }
    }

    pub(crate) fn fix(&self) -> Value {
        json(self.vm, &format!("{}-fix.json", self.name))
    }

    /// As one line: paragraphs are folded to the terminal's width.
    pub(crate) fn fix_text(&self) -> String {
        let text = String::from_utf8(file(self.vm, &format!("{}-fix.txt", self.name)).to_vec()).unwrap();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn assert_said(&self, what: &str) {
        let line = format!("{}: {what}", self.name);
        assert!(
            self.vm.stdout.lines().any(|said| said == line),
            "no line {line:?} in\n{}\nfix said: {}",
            self.vm.stdout,
            self.fix_text()
        );
    }
}

fn file<'a>(vm: &'a VmRun, name: &str) -> &'a [u8] {
    vm.files.get(name).unwrap_or_else(|| panic!("no {name}; the guest said:\n{}", vm.stdout))
}

fn json(vm: &VmRun, name: &str) -> Value {
    document(file(vm, name)).unwrap_or_else(|error| panic!("{name}: {error:#}"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_else(|| panic!("{value} is no list"))
}

/// Id and mender of each.
fn named(causes: &Value) -> Vec<(&str, &str)> {
    list(causes).iter().map(|cause| (word(cause, "/id"), word(cause, "/fix/by"))).collect()
}

fn word<'a>(of: &'a Value, path: &str) -> &'a str {
    of.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

fn told(causes: &Value) -> Vec<String> {
    list(causes)
        .iter()
        .map(|cause| {
            format!(
                "{} by {} share {} ({})",
                cause["id"], cause["fix"]["by"], cause["share"], cause["detail"]
            )
        })
        .collect()
}
