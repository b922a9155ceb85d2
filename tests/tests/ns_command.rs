//! COMMAND of `vmnet run`: on whose behalf it runs, how it ends, and what is said of it.

#![expect(clippy::unwrap_used, reason = "a scenario's helpers fail as its tests do")]

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use testbed::bench::{Bench, INTERFACE, Run, Started, load, wait_for};
use testbed::command::captured;
use testbed::{skip, skip_unless};

/// Longer than any of these tests lets a run go on. Every process that sleeps so long is one of theirs.
const HANGS: &str = "86397";

fn shell(script: &str) -> Vec<String> {
    ["sh", "-c", script].map(str::to_owned).into()
}

/// Processes whose command line has this text, other than this one.
fn processes_with(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(text) {
            found.push(line);
        }
    }
    found
}

fn assert_report_says_how_it_ended(run: &Run, ended_by: &str) {
    assert_eq!(run.text("/window/ended_by"), ended_by, "{run}");
    for file in ["report.html", "run.json"] {
        assert!(has(run, file), "{file}\n{run}");
    }
}

fn has(run: &Run, file: &str) -> bool {
    run.files.iter().any(|path| path.ends_with(file))
}

#[test]
fn a_command_that_cannot_start_is_said_and_no_verdict_given_on_nothing() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("cmd").unwrap();
    let not_executable = bench.directory().join("data");
    fs::write(&not_executable, "no program").unwrap();
    for (program, why) in
        [("no-such-program", "No such file"), (not_executable.to_str().unwrap(), "Permission denied")]
    {
        let run = bench.run(&["--expect", "engaged"], &[program]).unwrap();
        assert_eq!(run.code, Some(1), "{run}");
        assert!(run.stderr.contains("could not be started") && run.stderr.contains(why), "{run}");
        assert!(run.files.is_empty() && !run.stdout.contains("NO TRAFFIC"), "{run}");
    }
}

#[test]
fn a_command_that_fails_wins_over_what_was_expected() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("cmd").unwrap();
    for expected in ["engaged", "nothing-to-offload"] {
        let failed = bench.run(&["--expect", expected], &shell("exit 7")).unwrap();
        assert_eq!((failed.code, failed.number("/benchmark/exit_code")), (Some(1), Some(7)), "{failed}");
        assert!(failed.stderr.contains("exit code 7"), "{failed}");
        // There is nothing to draw.
        assert!(has(&failed, "run.json") && !has(&failed, "report.html"), "{failed}");
        assert!(
            failed.stdout.contains("the command failed (exit code 7) before bulk TCP left veth0"),
            "{failed}"
        );
    }
    let killed = bench.run(&[], &shell("kill -9 $$")).unwrap();
    assert_eq!((killed.code, killed.number("/benchmark/signal")), (Some(1), Some(9)), "{killed}");
    assert!(
        killed.stderr.contains("signal 9") && killed.json["benchmark"]["exit_code"].is_null(),
        "{killed}"
    );
}

#[test]
fn expectations_are_met_missed_or_undecided() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("cmd").unwrap();
    let command = shell("true");
    for (expected, code) in [("nothing-to-offload", 0), ("engaged", 3), ("inconclusive", 3)] {
        let run = bench.run(&["--expect", expected], &command).unwrap();
        assert_eq!(run.code, Some(code), "{expected}\n{run}");
    }
    // With a hook left out, nobody saw what became of the packets.
    let undecided = bench.run(&["--expect", "engaged", "--without-hook", "net_dev_xmit"], &load("-n 20M"));
    let undecided = undecided.unwrap();
    assert_eq!((undecided.code, undecided.text("/verdict/state")), (Some(4), "inconclusive"), "{undecided}");
}

#[test]
fn ctrl_c_and_sigterm_end_run_and_command_with_a_report() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("cmd").unwrap();
    let told = bench.directory().join("told");
    let polite =
        format!("trap 'echo INT > {}; exit 5' INT; echo ready; while :; do sleep 0.05; done", told.display());
    let stubborn = format!("trap '' INT TERM; echo ready; sleep {HANGS}");
    let parent = format!("echo ready; sleep {HANGS}; true");
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        // Who must be told three times takes a while: once is enough.
        let scripts = [&polite, &parent, &stubborn];
        for script in &scripts[..if signal == Signal::SIGINT { 3 } else { 2 }] {
            let mut started =
                bench.start(&["--expect", "nothing-to-offload", "-i", "100ms"], &shell(script)).unwrap();
            started.wait_until_it_measures().unwrap();
            wait_for("COMMAND", || Ok(started.said().contains("ready"))).unwrap();
            let asked = Instant::now();
            kill(Pid::from_raw(started.pid().try_into().unwrap()), signal).unwrap();
            let run = started.end().unwrap();
            assert!(asked.elapsed() < Duration::from_secs(20), "{signal} {script}: {:?}", asked.elapsed());
            assert_eq!(run.code, Some(0), "{signal} {script}\n{run}");
            assert_report_says_how_it_ended(&run, "interrupt");
            if **script == polite {
                assert_eq!(fs::read_to_string(&told).unwrap(), "INT\n", "{signal}\n{run}");
                fs::remove_file(&told).unwrap();
            }
            assert_eq!(processes_with(HANGS), Vec::<String>::new(), "{signal} {script}");
        }
    }
    // Without a command too.
    let mut started = bench.start(&[], &[] as &[&str]).unwrap();
    started.wait_until_it_measures().unwrap();
    kill(Pid::from_raw(started.pid().try_into().unwrap()), Signal::SIGINT).unwrap();
    let run = started.end().unwrap();
    assert_eq!(run.code, Some(0), "{run}");
    assert_report_says_how_it_ended(&run, "interrupt");
}

#[test]
fn a_command_does_not_outlive_a_killed_vmnet_whoever_it_runs_as() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("cmd").unwrap();
    fs::set_permissions(bench.directory(), fs::Permissions::from_mode(0o777)).unwrap();
    for person in ["0", "1"] {
        let (mut vmnet, reports) = bench.command(INTERFACE, &["-i", "100ms"]);
        vmnet.args(["--", "sleep", HANGS]).env("SUDO_UID", person).env("SUDO_GID", person);
        let mut started = Started::new(vmnet, reports).unwrap();
        started.wait_until_it_measures().unwrap();
        let is_command = |line: &String| line.starts_with("sleep");
        wait_for("COMMAND", || Ok(processes_with(HANGS).iter().any(is_command))).unwrap();
        kill(Pid::from_raw(started.pid().try_into().unwrap()), Signal::SIGKILL).unwrap();
        assert_eq!(started.end().unwrap().code, None);
        wait_for("COMMAND's end", || Ok(processes_with(HANGS).is_empty())).unwrap();
    }
}

#[test]
fn what_a_command_started_ends_with_it_at_a_terminal_too_which_is_left_as_it_was() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("script"));
    let bench = Bench::new("cmd").unwrap();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGQUIT] {
        let (pid, modes) = (bench.directory().join("pid"), bench.directory().join("modes"));
        let (vmnet, _) = bench.command(INTERFACE, &["-i", "100ms"]);
        // It turns the echo off, and has something run on.
        let command = format!("stty -echo; (trap '' HUP; sleep {HANGS}) & echo ready; sleep {HANGS}");
        let line = format!(
            "sh -c 'echo $$ > {}; exec \"$@\"' sh {} -- sh -c \"{command}\"; stty -a > {}",
            pid.display(),
            testbed::command::shown(&vmnet),
            modes.display()
        );
        let mut script = std::process::Command::new("script");
        let typescript = bench.directory().join("typescript");
        script.args(["-qfec", &line]).arg(&typescript);
        let mut started = Started::new(script, bench.directory().join("none")).unwrap();
        started.wait_until_it_measures().unwrap();
        wait_for("COMMAND", || Ok(started.said().contains("ready"))).unwrap();
        let vmnet: i32 = fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
        kill(Pid::from_raw(vmnet), signal).unwrap();
        started.end().unwrap();
        wait_for("all to end", || Ok(processes_with(HANGS).is_empty())).unwrap();
        let modes = fs::read_to_string(modes).unwrap();
        assert!(modes.split_whitespace().any(|mode| mode == "echo"), "{signal}: {modes}");
    }
}

#[test]
fn a_command_in_the_background_of_a_terminal_is_not_stopped_by_it() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("script"), skip::program("bash"));
    let bench = Bench::new("cmd").unwrap();
    let (mut vmnet, reports) = bench.command(INTERFACE, &["-i", "100ms", "-d", "30s"]);
    let reads = bench.directory().join("reads");
    fs::write(&reads, "read word </dev/tty || echo cannot read\nstty sane </dev/tty\necho ended\n").unwrap();
    vmnet.args(["--", "sh"]).arg(&reads);
    // With -m, what runs in the background has a process group of its own, which is not the terminal's.
    let shell = bench.directory().join("shell");
    fs::write(&shell, format!("{} &\nwait $!\n", testbed::command::shown(&vmnet))).unwrap();
    let mut script = std::process::Command::new("script");
    script.args(["-qfec", &format!("bash -m {}", shell.display()), "/dev/null"]);
    let begun = Instant::now();
    let run = Run::of(captured(&mut script).unwrap(), &reports).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(20), "stopped, until its time was over: {run}");
    assert_eq!(run.text("/benchmark/stdout").replace('\r', ""), "cannot read\nended\n", "{run}");
}

#[test]
fn nothing_of_a_private_command_but_its_figures_is_written_down() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("cmd").unwrap();
    let kept = |run: &Run, secret: &str| {
        let has = |path: &&std::path::PathBuf| {
            let bytes = fs::read(path).unwrap();
            bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
        };
        run.files.iter().filter(has).cloned().collect::<Vec<_>>()
    };
    let secrets = |options: &[&str]| bench.run(options, &shell("echo t0ken-said; : t0ken-given")).unwrap();
    let open = secrets(&[]);
    assert!(!kept(&open, "t0ken").is_empty(), "or this would show nothing: {open}");
    let private = secrets(&["--private"]);
    assert_eq!(private.code, Some(0), "{private}");
    assert_eq!(kept(&private, "t0ken"), Vec::<std::path::PathBuf>::new(), "{private}");
    assert_eq!(private.json["unmeasured"]["benchmark.stdout"], "left out: --private", "{private}");
    assert_eq!(testbed::report::unexplained_nulls(&private.json), Vec::<String>::new(), "{private}");
    let far = bench.run(&["--private"], &load("-n 20M --json")).unwrap();
    assert_eq!(kept(&far, testbed::bench::FAR), Vec::<std::path::PathBuf>::new(), "{far}");
    assert_eq!(far.number("/benchmark/load/sent_bytes"), Some(20 << 20), "{far}");
}

#[test]
fn the_duration_ends_a_command_that_goes_on() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("cmd").unwrap();
    let run = bench.run(&["-d", "1s", "--expect", "nothing-to-offload"], &["sleep", HANGS]).unwrap();
    assert_eq!(run.code, Some(0), "{run}");
    assert_report_says_how_it_ended(&run, "duration");
    assert_eq!(processes_with(HANGS), Vec::<String>::new());
}

#[test]
fn a_grandchild_that_holds_the_pipe_does_not_hang_the_run() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("cmd").unwrap();
    let run = bench.run(&[], &shell("echo before; sleep 25 2>/dev/null & echo after")).unwrap();
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(run.text("/benchmark/stdout"), "before\nafter\n", "{run}");
    // The wait for the pipe is no part of the window.
    assert!(run.json["window"]["duration_s"].as_f64().unwrap() < 2.5, "{run}");
}

#[test]
fn a_command_sees_the_namespace_it_is_measured_in() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("cmd").unwrap();
    let run = bench.run(&[], &shell("ls /sys/class/net; ip -brief link")).unwrap();
    let said = run.text("/benchmark/stdout");
    assert_eq!(said.matches(INTERFACE).count(), 2, "{run}");
    let mut lines: Vec<&str> = said.lines().take(2).collect();
    lines.sort_unstable();
    assert_eq!(lines, ["lo", INTERFACE], "{run}");
    let unknown = captured(std::process::Command::new(testbed::paths::vmnet()).args([
        "run",
        INTERFACE,
        "--netns",
        "vmnet-none-such",
        "-d",
        "1s",
    ]))
    .unwrap();
    let said = String::from_utf8(unknown.stderr).unwrap();
    assert_eq!(unknown.status.code(), Some(1));
    assert!(said.contains("vmnet-none-such") && said.contains(bench.near.name()), "{said}");
}

#[test]
fn under_sudo_the_command_runs_as_the_person_and_the_files_are_theirs() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("cmd").unwrap();
    // It has room for whoever it is.
    fs::set_permissions(bench.directory(), fs::Permissions::from_mode(0o777)).unwrap();
    let json = bench.directory().join("new.json");
    let already_there = bench.directory().join("roots.json");
    fs::write(&already_there, "root's").unwrap();
    let as_sudo = |uid: &str, gid: &str, json: &Path| {
        let (mut vmnet, reports) = bench.command(INTERFACE, &["--json", json.to_str().unwrap()]);
        vmnet.args(["--", "sh", "-c", "id -u; id -g; id -G; echo $HOME; grep CapEff /proc/self/status"]);
        vmnet.env("SUDO_UID", uid).env("SUDO_GID", gid).env("HOME", "/root");
        Run::of(captured(&mut vmnet).unwrap(), &reports).unwrap()
    };
    // daemon: uid and gid 1 on every Debian, its home /usr/sbin.
    let run = as_sudo("1", "1", &json);
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(run.text("/benchmark/stdout"), "1\n1\n1\n/usr/sbin\nCapEff:\t0000000000000000\n", "{run}");
    for path in run.files.iter().chain([&json]) {
        let owner = fs::metadata(path).unwrap();
        assert_eq!((owner.uid(), owner.gid()), (1, 1), "{}", path.display());
    }
    let directory = fs::metadata(run.files[0].parent().unwrap()).unwrap();
    assert_eq!((directory.uid(), directory.gid()), (1, 1));
    // What they could not write is not written for them.
    let (mut vmnet, _) = bench.command(INTERFACE, &["-d", "1s", "--json", already_there.to_str().unwrap()]);
    let refused = captured(vmnet.env("SUDO_UID", "1").env("SUDO_GID", "1")).unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("for user 1, who called"), "{said}");
    assert_eq!(fs::read_to_string(&already_there).unwrap(), "root's");
    // Somebody without an entry among the users is somebody all the same.
    let run = as_sudo("54321", "54321", &bench.directory().join("other.json"));
    assert!(run.text("/benchmark/stdout").starts_with("54321\n54321\n54321\n/\n"), "{run}");
    // Root who calls root is root; who is half named, or as sudo never would, is nobody, and nothing is run as root for them.
    let run = as_sudo("0", "0", &bench.directory().join("root.json"));
    assert!(run.text("/benchmark/stdout").starts_with("0\n0\n"), "{run}");
    for (uid, gid) in [
        ("", ""),
        ("-1", "1"),
        ("4294967295", "1"),
        ("1", "4294967295"),
        ("99999999999", "1"),
        ("1; id", "1"),
        ("1", ""),
    ] {
        let (mut vmnet, _) = bench.command(INTERFACE, &["-d", "1s"]);
        let ran = bench.directory().join("ran");
        vmnet.args(["--", "touch"]).arg(&ran).env("SUDO_UID", uid).env("SUDO_GID", gid);
        let output = captured(&mut vmnet).unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{uid:?} {gid:?}\n{said}");
        assert!(said.contains("on whose behalf") && !ran.exists(), "{uid:?} {gid:?}\n{said}");
    }
}
