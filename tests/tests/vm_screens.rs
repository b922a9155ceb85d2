//! What a person sees: every answer of real runs on one small screen, the same on every kernel, with commands that work when they are pasted.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a scenario's helpers fail as its tests do")]

use std::{env, fs, path::PathBuf, sync::LazyLock};

use regex::Regex;
use testbed::screen::{answers, command, fit};
use testbed::{Kernel, Vm, skip, skip_unless};

/// `screen NAME COMMAND` shows what it prints, with its name before it and its exit code behind it.
const PRELUDE: &str = r#"
screen() {
    name=$1
    shift
    echo "screen $name"
    code=0
    "$@" 2>&1 || code=$?
    echo "screen-end $code"
}
run() { screen "$1" vmnet run ens4 -o /tmp/reports -- iperf3 -c 10.10.1.10 -n 24M; }
# pasted ROW: the command of that row of the answer on standard input, as a person takes it.
pasted() { sed -n "s/^  $1  *//p" | sed 's/   .*//' | head -n 1; }
"#;

const EVERYWHERE: &str = r#"
screen check-on vmnet check ens4
run run-on
screen doctor-on vmnet doctor ens4
screen fix-nothing vmnet fix ens4
ethtool -K ens4 tso off
screen check-off vmnet check ens4
screen doctor-off vmnet doctor ens4
run run-off
screen quiet vmnet check -q ens4
fix=$(vmnet check ens4 | pasted Fix)
echo "pasted $fix"
screen fix-off sh -c "$fix"
vmnet check ens4 --expect engaged >/dev/null
undo=$(vmnet fix ens4 --undo >/dev/null; vmnet fix ens4 | pasted Undo)
echo "pasted $undo"
sh -c "$undo" >/dev/null
vmnet check ens4 --expect software >/dev/null
prove=$(vmnet check ens4 | grep -o 'vmnet ab .*' | sed 's/ -- / --dry-run -- /; s/PEER/10.10.1.10/')
echo "pasted $prove"
sh -c "$prove" >/dev/null
ethtool -K ens4 tso on
ethtool -K ens4 tx off
screen check-csum vmnet check ens4
run run-csum
screen fix-csum vmnet fix ens4
"#;

const SHAPED: &str = r#"
tc qdisc replace dev ens4 root tbf rate 200mbit burst 32k latency 50ms
run run-tbf
tc qdisc del dev ens4 root
"#;

const WITHOUT_TRAFFIC: &str = r#"
screen run-idle vmnet run ens4 -o /tmp/reports -d 500ms
screen run-failed vmnet run ens4 -o /tmp/failed -- sh -c 'echo no route to it >&2; exit 4'
ls /tmp/failed/*
"#;

const EXPERIMENT: &str = r#"
ethtool -K ens4 tso off
screen ab vmnet ab ens4 --quick --load 10.10.1.10 --time 250ms --warm-up 50ms --cool-down 20ms -o /tmp/reports --max-steal 100 --max-retransmits 100
ethtool -K ens4 tso on
screen compare vmnet compare /tmp/runs/a /tmp/runs/b -o /tmp/reports
"#;

const TO_COMPARE: &str = r#"
vmnet run ens4 -o /tmp/one -- iperf3 -c 10.10.1.10 -n 24M >/dev/null
ethtool -K ens4 tso off
vmnet run ens4 -o /tmp/two -- iperf3 -c 10.10.1.10 -n 24M >/dev/null
ethtool -K ens4 tso on
mkdir -p /tmp/runs
mv /tmp/one/*-ens4 /tmp/runs/a
mv /tmp/two/*-ens4 /tmp/runs/b
"#;

/// What a command printed, by the name that the script gave it.
fn screens(printed: &str) -> Vec<(String, String)> {
    let printed = printed.replace('\r', "");
    let parts = printed.split("screen ").skip(1);
    let named = parts.filter_map(|part| part.split_once('\n'));
    named
        .filter_map(|(name, rest)| {
            Some((name.trim().to_owned(), rest.split_once("screen-end ")?.0.to_owned()))
        })
        .collect()
}

/// An answer without what differs from run to run: figures, where lines break, and rows that say how busy this machine was.
fn steady(answer: &[&str]) -> String {
    static FIGURE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"[<>]?[0-9][0-9.,]*( [kMG]?(?:B|bit/s))?").unwrap());
    static GAP: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"  +").unwrap());
    static SHARES: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(of bulk TCP, # % [a-z ]+).*").unwrap());
    let mut rows: Vec<String> = Vec::new();
    for line in answer {
        match rows.last_mut() {
            Some(row) if line.starts_with("    ") && !row.is_empty() => {
                row.push(' ');
                row.push_str(line.trim_start());
            }
            _ => rows.push((*line).to_owned()),
        }
    }
    // What depends on how busy the machine is.
    let timed = [
        "  Speed",
        "  CPU ",
        "  Limit",
        "  Event",
        "  Slow because",
        "  Prove",
        "  Sure?",
        "  Look at",
        "  B/A",
        "  Differ",
        "  Command",
    ];
    let mut text = String::new();
    for row in rows.iter().filter(|row| !timed.iter().any(|name| row.starts_with(name))) {
        let figures =
            FIGURE.replace_all(row, "#").replace("(proven)", "(sure)").replace("(supported)", "(sure)");
        text += SHARES.replace(&GAP.replace_all(&figures, "  "), "$1").trim_end();
        text.push('\n');
    }
    text
}

/// Holds an answer against the one that is kept; `VMNET_BLESS=1` keeps this one.
fn kept(name: &str, said: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/screens/{name}.txt"));
    if env::var_os("VMNET_BLESS").is_some() {
        fs::write(&path, said).unwrap();
    }
    let known = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(known, said, "{name} is not as {} has it; VMNET_BLESS=1 rewrites it", path.display());
}

fn seen(vm: &Vm) -> String {
    let run = vm.run().unwrap();
    println!("{}", run.stdout);
    assert_eq!(run.exit_code, 0, "{}", run.stdout);
    for (name, printed) in screens(&run.stdout) {
        fit(&printed).unwrap();
        let answers = answers(&printed);
        let [answer] = answers.as_slice() else { panic!("{name}: not one answer in\n{printed}") };
        assert_eq!(answer.len() == 1, name == "quiet", "{name}\n{printed}");
        // How many packets are larger than the burst is chance: all that is steady is why.
        let from = if name == "run-tbf" {
            answer.iter().position(|line| line.starts_with("  Why"))
        } else {
            Some(0)
        };
        kept(&name, &steady(&answer[from.unwrap()..]));
    }
    run.stdout
}

fn guest(kernel: Kernel, script: &str) -> Vm {
    Vm::new(kernel).serve_load().script(format!("{PRELUDE}set -e\n{script}"))
}

#[test]
fn answers_fit_a_small_screen_and_their_commands_work_on_every_kernel() {
    skip_unless!(skip::root(), skip::vmnet());
    for (kernel, more) in [
        (Kernel::V5_10, WITHOUT_TRAFFIC),
        (Kernel::V6_1, SHAPED),
        (Kernel::V6_12, &format!("{TO_COMPARE}{EXPERIMENT}")),
        (Kernel::Sid, ""),
    ] {
        skip_unless!(skip::vm(kernel));
        let said = seen(&guest(kernel, &format!("{more}{EVERYWHERE}")));
        for pasted in [
            "pasted vmnet fix ens4",
            "pasted vmnet fix ens4 --undo",
            "pasted vmnet ab ens4 --dry-run -- iperf3",
        ] {
            assert!(said.contains(pasted), "{kernel}: {pasted}");
        }
        if kernel == Kernel::V5_10 {
            assert!(!said.contains("report.html\n"), "a benchmark that failed has no page: {said}");
        }
    }
}

#[test]
fn what_the_host_does_not_offer_is_said_with_who_can_offer_it() {
    skip_unless!(skip::root(), skip::vmnet(), skip::vm(Kernel::V6_12));
    let script = "screen check-not-offered vmnet check ens4\nrun run-not-offered\nscreen fix-not-offered vmnet fix ens4\n";
    let said = seen(&guest(Kernel::V6_12, script).nic("host_tso4=off,host_tso6=off"));
    let printed = screens(&said);
    let (_, check) = printed.iter().find(|(name, _)| name == "check-not-offered").unwrap();
    assert!(command(&answers(check)[0], "Fix").unwrap().starts_with("on the host"), "{check}");
}
