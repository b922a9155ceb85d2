//! `vmnet ab` over a veth pair of this machine: what it finds, what it does not find, and that the device ends as it began, whatever
//! comes between.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a scenario's helpers fail as its tests do")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use testbed::bench::{Bench, FAR, INTERFACE, Run, Running, Started, load, wait_for};
use testbed::command::{captured, output};
use testbed::report::unexplained_nulls;
use testbed::{paths, skip, skip_unless};

const NOTHING: &[&str] = &[];

/// An experiment that is over in seconds.
const QUICK: &[&str] =
    &["--load", FAR, "--time", "300ms", "--cool-down", "0s", "--warm-up", "50ms", "--rehearsal"];

/// Every feature, limit, queue and qdisc option of the device.
fn snapshot(bench: &Bench) -> String {
    let tool = |line: &str| bench.near.exec(line).unwrap();
    tool(&format!("ethtool -k {INTERFACE}"))
        + &tool(&format!("ip -d link show dev {INTERFACE}"))
        + &tool(&format!("tc -d qdisc show dev {INTERFACE}"))
}

fn journals(bench: &Bench) -> Vec<PathBuf> {
    let entries = fs::read_dir(bench.state()).into_iter().flatten();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|kind| kind == "journal")).collect()
}

fn ended(bench: &Bench, options: &[&str], command: &[String]) -> Run {
    let (mut vmnet, reports) = bench.experiment(options);
    if !command.is_empty() {
        vmnet.arg("--").args(command);
    }
    Run::of(captured(&mut vmnet).unwrap(), &reports).unwrap()
}

/// The same until it is done as planned, three times at most: on a machine that others use, more trials than may be can have something left unexplained.
fn as_planned(bench: &Bench, options: &[&str], command: &[String]) -> Run {
    let mut run = ended(bench, options, command);
    for _ in 0..2 {
        if run.text("/window/ended_by") != "too-many-rejected" {
            break;
        }
        println!("once more, as too many trials did not count:\n{}", run.stdout);
        run = ended(bench, options, command);
    }
    run
}

fn begun(bench: &Bench, options: &[&str]) -> Started {
    let (vmnet, reports) = bench.experiment(options);
    Started::new(vmnet, reports).unwrap()
}

fn effect<'a>(run: &'a Run, arm: &str, metric: &str) -> &'a Value {
    let arms = run.json["effects"].as_array().unwrap_or_else(|| panic!("no effects\n{run}"));
    let arm = arms.iter().find(|one| one["name"] == arm).unwrap_or_else(|| panic!("no {arm}\n{run}"));
    let effects = arm["effects"].as_array().unwrap();
    effects.iter().find(|one| one["metric"] == metric).unwrap_or_else(|| panic!("no {metric}\n{run}"))
}

/// The ends of an interval in percent.
fn interval(effect: &Value) -> [f64; 2] {
    serde_json::from_value(effect["interval_percent"].clone()).unwrap_or_else(|_| panic!("{effect:#}"))
}

fn is_clear(effect: &Value) -> bool {
    let [low, high] = interval(effect);
    low > 0.0 || high < 0.0
}

/// Whoever else uses this machine is no reason for a trial not to count here.
const CALM: &[&str] = &["--max-steal", "100", "--max-retransmits", "100"];

const LOAD: &[&str] = &[
    "--load",
    FAR,
    "--time",
    "600ms",
    "--cool-down",
    "100ms",
    "--warm-up",
    "100ms",
    CALM[0],
    CALM[1],
    CALM[2],
    CALM[3],
];

#[test]
fn what_tso_causes_is_found_and_the_placebo_causes_nothing() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("ab").unwrap();
    let before = snapshot(&bench);
    let run = as_planned(&bench, &[LOAD, &["--rehearsal", "--blocks", "4", "--seed", "7"]].concat(), &[]);
    println!("{}", run.stdout);
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(snapshot(&bench), before);
    assert!(journals(&bench).is_empty(), "{:?}", journals(&bench));
    assert_eq!(run.text("/window/ended_by"), "plan", "{run}");
    assert_eq!(run.json["settings"]["restored"], true, "{run}");

    assert_eq!(unexplained_nulls(&run.json), NOTHING, "{run}");

    let found = effect(&run, "tso=on", "throughput_gbps");
    let [low, high] = interval(found);
    assert!(low > 20.0 && low <= high, "on a veth TSO is worth much more than this: {found:#}");
    let cpu = effect(&run, "tso=on", "cpu_ns_per_byte");
    assert!(interval(cpu)[1] < 0.0, "and costs less CPU: {cpu:#}");
    let placebo = effect(&run, "tso=off again", "throughput_gbps");
    let [placebo_low, placebo_high] = interval(placebo);
    // Chance may show the placebo beside 0, but nowhere near the effect.
    assert!(placebo_low < low / 2.0 && placebo_high < low, "{placebo:#}\n{found:#}");

    // The ledger of each trial shows that the treatment happened.
    let arms = run.json["design"]["arms"].as_array().unwrap();
    let trials = run.json["trials"].as_array().unwrap();
    assert!(trials.len() >= 24, "{run}");
    for trial in trials.iter().filter(|trial| trial["rejections"].as_array().unwrap().is_empty()) {
        let arm = &arms[usize::try_from(trial["arm"].as_u64().unwrap()).unwrap()];
        let (state, more, less) = if arm["name"] == "tso=on" {
            ("engaged", "hardware_bytes", "software_bytes")
        } else {
            ("software", "software_bytes", "hardware_bytes")
        };
        assert_eq!((&trial["state"], &trial["expected"]), (&state.into(), &state.into()), "{trial:#}");
        assert!(trial[more].as_u64().unwrap() > 20 * trial[less].as_u64().unwrap(), "{trial:#}");
    }
    // In every block each arm has its turn twice, there and back.
    let first: Vec<u64> = trials.iter().take(6).map(|trial| trial["arm"].as_u64().unwrap()).collect();
    assert!(first[..3].iter().eq(first[3..].iter().rev()), "{first:?}");

    for file in ["ab.html", "ab-effects.svg", "ab-blocks.svg"] {
        assert!(run.files.iter().any(|path| path.ends_with(file)), "{file}\n{run}");
    }
    // Any trial can be looked at by itself.
    let recording = run.files.iter().find(|path| path.to_string_lossy().contains("trial-001")).unwrap();
    let mut report = Command::new(paths::vmnet());
    report.arg("report").arg(recording).arg("-o").arg(bench.directory().join("one"));
    output(&mut report).unwrap();
    // And the experiment can be drawn again, by anybody: the same, to the byte.
    let page = run.files.iter().find(|path| path.ends_with("ab.html")).unwrap();
    let again = bench.directory().join("again");
    output(Command::new(paths::vmnet()).arg("report").arg(page.parent().unwrap()).arg("-o").arg(&again))
        .unwrap();
    for file in ["ab.html", "ab.json", "ab-effects.svg", "ab-blocks.svg"] {
        let read = |path: PathBuf| fs::read(path).unwrap();
        assert!(read(again.join(file)) == read(page.with_file_name(file)), "{file} is another one");
    }
    for said in ["throughput [", "placebo", "--seed 7"] {
        assert!(run.stdout.contains(said), "{said}\n{run}");
    }
}

#[test]
fn identical_arms_show_nothing_beyond_chance() {
    skip_unless!(skip::root(), skip::vmnet());
    const EXPERIMENTS: usize = 5;
    let bench = Bench::new("aa").unwrap();
    let before = snapshot(&bench);
    let (mut clear, mut told) = (0, Vec::new());
    for seed in 0..EXPERIMENTS {
        let seed = seed.to_string();
        let options = [
            "--feature",
            "none",
            "--rehearsal",
            "--blocks",
            "4",
            "--seed",
            &seed,
            "--load",
            FAR,
            "--time",
            "300ms",
        ];
        let quick = ["--cool-down", "0s", "--warm-up", "50ms", "-i", "100ms"];
        let run = as_planned(&bench, &[options.as_slice(), &quick, CALM].concat(), &[]);
        assert_eq!(run.code, Some(0), "{run}");
        let placebo = effect(&run, "as found again", "throughput_gbps");
        clear += u32::from(is_clear(placebo));
        told.push(format!("{} % {}", placebo["change_percent"], placebo["interval_percent"]));
    }
    println!("{EXPERIMENTS} experiments on identical arms, {clear} beside 0:\n{}", told.join("\n"));
    // At a rate of 5 %, three of five come in one test run of a thousand.
    assert!(clear <= 2, "{told:?}");
    assert_eq!(snapshot(&bench), before);
}

#[test]
fn a_signal_ends_it_and_the_device_is_as_it_was() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("ab").unwrap();
    let before = snapshot(&bench);
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        // While it practises, and in the middle of a block.
        for moment in ["for practice", "block 1"] {
            let mut experiment = begun(&bench, &[LOAD, &["--blocks", "50"]].concat());
            experiment.wait_until_it_says(moment).unwrap();
            wait_for("TSO to be off", || Ok(snapshot(&bench).contains("tx-tcp-segmentation: off"))).unwrap();
            kill(Pid::from_raw(i32::try_from(experiment.pid()).unwrap()), signal).unwrap();
            let run = experiment.end().unwrap();
            assert_eq!(run.code, Some(1), "{signal} {moment}\n{run}");
            assert_eq!(run.text("/window/ended_by"), "interrupt", "{signal} {moment}\n{run}");
            assert_eq!(snapshot(&bench), before, "{signal} {moment}\n{run}");
            assert!(journals(&bench).is_empty());
        }
    }
}

/// By number, as real-time signals have no names.
fn send(experiment: &Started, signal: i32) {
    let pid = i32::try_from(experiment.pid()).unwrap();
    output(Command::new("kill").args([format!("-{signal}"), pid.to_string()])).unwrap();
}

#[test]
fn every_signal_that_would_end_a_process_ends_it_in_good_order() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("ab").unwrap();
    let before = snapshot(&bench);
    for signal in
        [libc::SIGQUIT, libc::SIGUSR1, libc::SIGUSR2, libc::SIGALRM, libc::SIGPWR, libc::SIGRTMIN() + 6]
    {
        let mut experiment = begun(&bench, &[LOAD, &["--blocks", "50"]].concat());
        experiment.wait_until_it_says("for practice").unwrap();
        // A reader that has gone ends nothing.
        send(&experiment, libc::SIGPIPE);
        experiment.wait_until_it_says("block 1").unwrap();
        wait_for("TSO to be off", || Ok(snapshot(&bench).contains("tx-tcp-segmentation: off"))).unwrap();
        send(&experiment, signal);
        let run = experiment.end().unwrap();
        assert_eq!(run.code, Some(1), "{signal}\n{run}");
        assert_eq!(run.text("/window/ended_by"), "interrupt", "{signal}\n{run}");
        assert_eq!(snapshot(&bench), before, "{signal}\n{run}");
        assert!(journals(&bench).is_empty());
    }
}

fn is_stopped(experiment: &Started) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", experiment.pid())).unwrap();
    stat.rsplit(") ").next().unwrap().starts_with('T')
}

#[test]
fn ctrl_z_puts_everything_back_and_going_on_costs_the_trial() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("ab").unwrap();
    let before = snapshot(&bench);
    let vmnet = |arguments: &[&str]| {
        let mut vmnet = Command::new(paths::vmnet());
        vmnet.args(arguments).args(["--netns", bench.near.name()]).env("VMNET_STATE_DIR", bench.state());
        let said = captured(&mut vmnet).unwrap();
        let words = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
        (said.status.code(), words.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    let mut experiment = begun(&bench, &[LOAD, &["--rehearsal", "--blocks", "3", "--no-placebo"]].concat());
    // While it practises, in the middle of a block, and once more.
    for moment in ["for practice", "block 1", "block 2"] {
        experiment.wait_until_it_says(moment).unwrap();
        wait_for("TSO to be off", || Ok(snapshot(&bench).contains("tx-tcp-segmentation: off"))).unwrap();
        let (_, going_on) = vmnet(&["doctor", INTERFACE, "--no-check"]);
        assert!(going_on.contains("an experiment on veth0 is going on since"), "{going_on}");
        send(&experiment, libc::SIGTSTP);
        wait_for("it to stop", || Ok(is_stopped(&experiment))).unwrap();
        assert_eq!(snapshot(&bench), before, "{moment}");
        let (code, restore) = vmnet(&["restore"]);
        assert!(code == Some(1) && restore.contains("suspended: fg"), "{restore}");
        for command in [&["check", INTERFACE][..], &["doctor", INTERFACE, "--no-check"]] {
            let (_, said) = vmnet(command);
            assert!(said.contains("is going on since") && said.contains("suspended: fg"), "{said}");
        }
        let done = experiment.said().matches("going on").count();
        send(&experiment, libc::SIGCONT);
        wait_for("it to go on", || Ok(experiment.said().matches("going on").count() > done)).unwrap();
    }
    let run = experiment.end().unwrap();
    assert!(["plan", "too-many-rejected"].contains(&run.text("/window/ended_by")), "{run}");
    let trials = run.json["trials"].as_array().unwrap();
    let suspended = trials.iter().filter(|trial| trial.to_string().contains("suspended (Ctrl-Z)"));
    // Between two trials it costs none.
    assert!(suspended.count() >= 1, "{run}");
    assert!(run.json["blocks"]["void"].as_u64() >= Some(1), "{run}");
    assert_eq!(run.json["settings"]["restored"], true, "{run}");
    assert_eq!(snapshot(&bench), before);
    assert!(journals(&bench).is_empty());

    // Who is told to go on before it has come to stop does not wait to be told again.
    let mut experiment = begun(&bench, &[LOAD, &["--blocks", "50"]].concat());
    experiment.wait_until_it_says("block 1").unwrap();
    for _ in 0..5 {
        send(&experiment, libc::SIGTSTP);
        thread::sleep(Duration::from_millis(5));
        send(&experiment, libc::SIGCONT);
        let said = experiment.said().len();
        wait_for("it to go on", || Ok(experiment.said().len() > said && !is_stopped(&experiment))).unwrap();
    }
    send(&experiment, libc::SIGTERM);
    let run = experiment.end().unwrap();
    assert_eq!(run.text("/window/ended_by"), "interrupt", "{run}");
    assert_eq!(snapshot(&bench), before);

    // Who is ended while suspended has nothing left to put back.
    let mut experiment = begun(&bench, &[LOAD, &["--blocks", "50"]].concat());
    experiment.wait_until_it_says("block 1").unwrap();
    send(&experiment, libc::SIGTSTP);
    wait_for("it to stop", || Ok(is_stopped(&experiment))).unwrap();
    send(&experiment, libc::SIGTERM);
    send(&experiment, libc::SIGCONT);
    let run = experiment.end().unwrap();
    assert_eq!(run.text("/window/ended_by"), "interrupt", "{run}");
    assert_eq!(snapshot(&bench), before);
}

#[test]
fn after_sigkill_the_next_command_says_so_and_restore_puts_it_back() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("ab").unwrap();
    // What a fix has mended is no experiment's to undo.
    bench.near.exec(&format!("ethtool -K {INTERFACE} tso off")).unwrap();
    let vmnet = |arguments: &[&str]| {
        let mut vmnet = Command::new(paths::vmnet());
        vmnet.args(arguments).args(["--netns", bench.near.name()]).env("VMNET_STATE_DIR", bench.state());
        let said = captured(&mut vmnet).unwrap();
        let words = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (said.status.code(), words(&said.stdout), words(&said.stderr))
    };
    let fixed = vmnet(&["fix", INTERFACE]);
    assert_eq!(fixed.0, Some(0), "{fixed:?}");
    let before = snapshot(&bench);

    let mut experiment = begun(&bench, &[LOAD, &["--blocks", "50"]].concat());
    experiment.wait_until_it_says("block 1").unwrap();
    wait_for("TSO to be off", || Ok(snapshot(&bench).contains("tx-tcp-segmentation: off"))).unwrap();
    // While it goes on, nobody is told of an interruption.
    assert!(!vmnet(&["doctor", INTERFACE, "--no-check"]).2.contains("interrupted"));
    kill(Pid::from_raw(i32::try_from(experiment.pid()).unwrap()), Signal::SIGKILL).unwrap();
    assert_eq!(experiment.end().unwrap().code, None);
    // It cannot have put anything back: whatever arm was set is still there, and the journal says what was before.
    assert_eq!(journals(&bench).len(), 2, "the fix's, and its own");

    let next = vmnet(&["doctor", INTERFACE, "--no-check"]);
    assert!(next.2.contains("was interrupted") && next.2.contains("sudo vmnet restore"), "{next:?}");
    let again = ended(&bench, LOAD, &[]);
    assert_eq!(again.code, Some(1), "{again}");
    assert!(again.stderr.contains("sudo vmnet restore"), "{again}");
    let fix = vmnet(&["fix", INTERFACE]);
    assert!(fix.0 == Some(0) || fix.2.contains("vmnet restore"), "{fix:?}");

    let restored = vmnet(&["restore"]);
    assert_eq!(restored.0, Some(0), "{restored:?}");
    assert_eq!(
        snapshot(&bench),
        before,
        "as it was when the experiment began, which is as the fix had made it"
    );
    assert!(restored.1.contains("fixes changed is left as it is"), "{restored:?}");
    assert!(!vmnet(&["doctor", INTERFACE, "--no-check"]).2.contains("interrupted"));
    assert_eq!(vmnet(&["restore"]).0, Some(0));
    assert!(snapshot(&bench).contains("tx-tcp-segmentation: off"), "a second one undoes the fix");
    assert!(journals(&bench).is_empty());
}

#[test]
fn what_cannot_be_had_by_switching_is_said_before_the_benchmark_runs() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("ab").unwrap();
    bench.near.ip(&format!("link set {INTERFACE} gso_max_segs 1")).unwrap();
    let before = snapshot(&bench);
    let run = ended(&bench, &["--rehearsal", "--blocks", "1", "--no-placebo"], &load("--time 600ms"));
    assert_eq!((run.code, run.text("/window/ended_by")), (Some(1), "treatment-not-taken"), "{run}");
    assert!(run.text("/window/problem").contains("gso_max_segs is 1"), "{run}");
    assert_eq!(snapshot(&bench), before);
    // Where that is what is switched, it can.
    let levels = ["--feature", "gso_max_segs", "--levels", "1,65535"];
    let quick = ["--rehearsal", "--blocks", "1", "--no-placebo", "--cool-down", "0s", "--warm-up", "50ms"];
    let options = [quick.as_slice(), &levels, CALM].concat();
    let run = as_planned(&bench, &options, &load("--time 600ms"));
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(snapshot(&bench), before);
}

#[test]
fn a_benchmark_that_fails_hangs_or_sends_nothing_ends_it_at_once() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("ab").unwrap();
    let before = snapshot(&bench);
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    for (command, ended_by, said) in [
        (words("false"), "benchmark-failed", "false failed with exit code 1"),
        (words("/nowhere/benchmark"), "benchmark-failed", "could not be started"),
        (words("sleep 86397"), "benchmark-failed", "it hangs, or --timeout is too short"),
        (words("sleep 0.3"), "treatment-not-taken", "nothing-to-offload"),
    ] {
        let run = ended(&bench, &["--timeout", "2s", "--blocks", "20"], &command);
        assert_eq!(run.code, Some(1), "{command:?}\n{run}");
        assert_eq!(run.text("/window/ended_by"), ended_by, "{command:?}\n{run}");
        assert_eq!(unexplained_nulls(&run.json), NOTHING, "{run}");
        assert!(run.text("/window/problem").contains(said), "{command:?}\n{run}");
        assert!(run.stdout.contains(said), "{command:?}\n{run}");
        assert_eq!(snapshot(&bench), before, "{command:?}");
    }
    let left = captured(Command::new("pgrep").args(["-f", "sleep.86397"])).unwrap();
    assert!(left.stdout.is_empty(), "the benchmark was left behind");

    // One that fails now and then costs its block, and is made up for; one that fails on and on ends it.
    let count = bench.directory().join("count");
    let script = |fails: &str| {
        let (load, count) = (load("--time 600ms").join(" "), count.display());
        vec![
            "sh".to_owned(),
            "-c".to_owned(),
            format!(
                "n=$(cat {count} 2>/dev/null || echo 0); n=$((n + 1)); echo $n >{count}; {fails} || exit 3; exec {load}"
            ),
        ]
    };
    let quick =
        [&["--cool-down", "0s", "--warm-up", "50ms", "--rehearsal", "--blocks", "3", "--no-placebo"], CALM]
            .concat();
    // Whichever experiment of up to three that is in.
    let now_and_then = as_planned(&bench, &quick, &script("[ $((n % 20)) != 5 ]"));
    assert_eq!(now_and_then.code, Some(0), "{now_and_then}");
    // Another may be void for a packet that was not accounted for.
    assert!(now_and_then.json["blocks"]["void"].as_u64() >= Some(1), "{now_and_then}");
    assert_eq!(now_and_then.json["blocks"]["whole"], 3, "{now_and_then}");
    assert!(now_and_then.stdout.contains("exit code 3"), "{now_and_then}");
    fs::remove_file(&count).unwrap();
    let on_and_on = ended(&bench, &quick, &script("[ $n -lt 4 ]"));
    assert_eq!(on_and_on.code, Some(1), "{on_and_on}");
    assert_eq!(on_and_on.text("/window/ended_by"), "benchmark-failed", "{on_and_on}");
    assert_eq!(snapshot(&bench), before);
}

#[test]
fn an_interface_that_goes_away_ends_it_and_keeps_the_journal() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("ab").unwrap();
    let mut experiment = begun(&bench, &[LOAD, &["--blocks", "50"]].concat());
    experiment.wait_until_it_says("block 1").unwrap();
    bench.near.ip(&format!("link del {INTERFACE}")).unwrap();
    let run = experiment.end().unwrap();
    assert_eq!(run.code, Some(1), "{run}");
    assert_eq!(run.text("/window/ended_by"), "interface-gone", "{run}");
    assert_eq!(run.json["settings"]["restored"], Value::Null, "{run}");
    assert!(run.stdout.contains("gone"), "{run}");
    assert_eq!(journals(&bench).len(), 1);
    let restore = |options: &[&str]| {
        let mut vmnet = Command::new(paths::vmnet());
        vmnet.args(["restore", "--netns", bench.near.name()]).args(options);
        captured(vmnet.env("VMNET_STATE_DIR", bench.state())).unwrap().status.code()
    };
    assert_eq!((restore(&[]), restore(&["--forget"])), (Some(1), Some(0)));
    assert!(journals(&bench).is_empty());
}

#[test]
fn what_others_switch_meanwhile_is_noticed_and_ends_as_it_began() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("ab").unwrap();
    let before = snapshot(&bench);
    let mut experiment = begun(&bench, &[LOAD, &["--rehearsal", "--blocks", "4", "--no-placebo"]].concat());
    experiment.wait_until_it_says("block 1").unwrap();
    // One switches TSO to and fro, and something else, until a trial has suffered from it.
    let meddle = format!(
        "while :; do ethtool -K {INTERFACE} tso on; sleep 0.2; ethtool -K {INTERFACE} tso off gro off; sleep 0.2; done"
    );
    let mut meddler = bench.near.command("sh");
    meddler.args(["-c", &meddle]);
    let meddler = Running(meddler.spawn().unwrap());
    experiment.wait_until_it_says("not by vmnet").unwrap();
    drop(meddler);
    let run = experiment.end().unwrap();
    println!("{}", run.stdout);
    // The blocks that suffered are made up for, as far as may be.
    assert!(["plan", "too-many-rejected"].contains(&run.text("/window/ended_by")), "{run}");
    assert!(run.json["blocks"]["whole"].as_u64() >= Some(2), "{run}");
    assert!(run.json["blocks"]["void"].as_u64() >= Some(1), "{run}");
    assert_eq!(run.json["settings"]["restored"], true, "{run}");
    assert_eq!(snapshot(&bench), before);
    assert!(journals(&bench).is_empty());
}

/// A file system of a few kilobytes; gone with the value.
struct Mounted(PathBuf);

impl Mounted {
    fn tmpfs(at: PathBuf, size: &str) -> Self {
        fs::create_dir_all(&at).unwrap();
        let options = format!("size={size}");
        output(Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&at)).unwrap();
        Self(at)
    }

    fn fill(&self) {
        let _ = captured(
            Command::new("dd")
                .arg("if=/dev/zero")
                .arg(format!("of={}", self.0.join("fill").display()))
                .arg("bs=1k"),
        );
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = captured(Command::new("umount").arg(&self.0));
    }
}

#[test]
fn a_full_disk_keeps_it_from_beginning_or_costs_the_report_and_never_the_device() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("ab").unwrap();
    let before = snapshot(&bench);
    // No room for the journal: nothing is begun.
    let full = Mounted::tmpfs(bench.directory().join("full"), "64k");
    full.fill();
    let (mut vmnet, reports) = bench.experiment(LOAD);
    vmnet.env("VMNET_STATE_DIR", &full.0);
    let run = Run::of(captured(&mut vmnet).unwrap(), &reports).unwrap();
    assert_eq!(run.code, Some(1), "{run}");
    assert!(
        run.stderr.contains("cannot keep a journal") && run.stderr.contains("Nothing was changed"),
        "{run}"
    );
    assert_eq!(snapshot(&bench), before);

    // No room for the report, once it is under way.
    let tiny = Mounted::tmpfs(bench.directory().join("tiny"), "256k");
    let mut vmnet = Command::new(paths::vmnet());
    vmnet.args([
        "ab",
        INTERFACE,
        "-v",
        "--netns",
        bench.near.name(),
        "--rehearsal",
        "--blocks",
        "3",
        "--no-placebo",
        "-o",
    ]);
    vmnet.arg(tiny.0.join("reports")).args(LOAD).env("VMNET_STATE_DIR", bench.state());
    let mut experiment = Started::new(vmnet, tiny.0.join("reports")).unwrap();
    experiment.wait_until_it_says("block 1").unwrap();
    tiny.fill();
    let run = experiment.end().unwrap();
    assert_eq!(run.code, Some(1), "{run}");
    assert!(run.stderr.contains("No space left on device"), "{run}");
    assert!(run.stdout.contains("% throughput"), "what was found is told all the same: {run}");
    assert_eq!(snapshot(&bench), before);
    assert!(journals(&bench).is_empty());
}

#[test]
fn a_preview_says_what_would_be_done_and_does_nothing() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("ab").unwrap();
    let before = snapshot(&bench);
    let run = ended(&bench, &["--dry-run", "--arm", "gso_max_segs=1", "--load", FAR], &[]);
    assert_eq!(run.code, Some(0), "{run}");
    for said in ["tso=off", "tso=on", "gso_max_segs=1", "seed", "ethtool -K veth0"] {
        assert!(run.stdout.contains(said), "{said}\n{run}");
    }
    assert!(run.files.is_empty() && journals(&bench).is_empty(), "{run}");
    assert_eq!(snapshot(&bench), before);
    for (options, code, said) in [
        (&["--feature", "tos", "--load", FAR][..], 1, "no feature of this kernel"),
        (&[][..], 2, "what is to be run?"),
    ] {
        let refused = ended(&bench, options, &[]);
        assert_eq!(refused.code, Some(code), "{refused}");
        assert!(refused.stderr.contains(said), "{refused}");
    }
}

#[test]
fn other_arms_are_set_and_put_back_too() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("ab").unwrap();
    let before = snapshot(&bench);
    let quick = [QUICK, &["--blocks", "3"], CALM].concat();
    let further =
        as_planned(&bench, &[quick.as_slice(), &["--no-placebo", "--arm", "gso_max_segs=1"]].concat(), &[]);
    assert_eq!(further.code, Some(0), "{further}");
    let trials = further.json["trials"].as_array().unwrap();
    let of_third: Vec<&Value> = trials.iter().filter(|trial| trial["arm"] == 2).collect();
    assert!(of_third.iter().all(|trial| trial["state"] == "not-built"), "{further}");
    let fewer = effect(&further, "gso_max_segs=1", "packet_to_driver_bytes");
    assert!(fewer["arm"].as_f64() < Some(1600.0), "{fewer:#}");
    let profiler =
        as_planned(&bench, &[quick.as_slice(), &["--no-placebo", "--feature", "profiler"]].concat(), &[]);
    assert_eq!(profiler.code, Some(0), "{profiler}");
    assert_eq!(profiler.text("/throughput_from"), "benchmark", "{profiler}");
    assert!(effect(&profiler, "profiler=on", "throughput_gbps")["interval_percent"].is_array(), "{profiler}");
    assert_eq!(snapshot(&bench), before);
}

#[test]
fn a_private_experiment_names_no_address_in_anything_that_it_writes() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("ab").unwrap();
    let run =
        as_planned(&bench, &[QUICK, &["--blocks", "1"], CALM, &["--no-placebo", "--private"]].concat(), &[]);
    assert!(run.files.iter().any(|path| path.ends_with("ab.json")), "{run}");
    for path in &run.files {
        let bytes = fs::read(path).unwrap();
        let has = bytes.windows(FAR.len()).any(|window| window == FAR.as_bytes());
        assert!(!has, "{}\n{run}", path.display());
    }
    assert_eq!(unexplained_nulls(&run.json), NOTHING, "{run}");
}
