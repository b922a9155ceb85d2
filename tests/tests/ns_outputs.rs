//! Where results go, and what is run on the way: pipes, full devices, leftovers of killed runs, and a caller's PATH that lies in wait.

#![expect(clippy::unwrap_used, reason = "a scenario's helpers fail as its tests do")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::stat::Mode;
use testbed::command::captured;
use testbed::netns::Netns;
use testbed::{paths, skip, skip_unless};

fn vmnet(words: &[&str]) -> Command {
    let mut command = Command::new(paths::vmnet());
    command.args(words);
    command
}

/// Exit code, and what was said on standard error.
fn said(command: &mut Command) -> (Option<i32>, String) {
    let output = captured(command).unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn each_kind_of_place_has_its_rule_and_none_waits() {
    skip_unless!(skip::vmnet());
    let place = tempfile::tempdir().unwrap();
    let pipe = place.path().join("pipe");
    nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    let pipe = pipe.to_str().unwrap();
    let begun = Instant::now();
    for (place, code, words) in [
        ("/dev/full", 1, "writing /dev/full: No space left"),
        (pipe, 1, "start the reader first"),
        (place.path().to_str().unwrap(), 1, "Is a directory"),
        ("/dev/null", 0, ""),
    ] {
        let (exit, text) = said(&mut vmnet(&["list", "--json", place]));
        assert_eq!(exit, Some(code), "{place}: {text}");
        assert!(text.contains(words), "{place}: {text}");
    }
    for place in ["/dev/full", "/dev/null", pipe] {
        let run = paths::workspace().join("reports/gallery/tso-on");
        let (exit, text) = said(vmnet(&["compare", "-o", place]).arg(&run).arg(&run));
        assert_eq!(exit, Some(1), "{place}: {text}");
        assert!(text.contains("Not a directory") && text.contains("-o DIR"), "{place}: {text}");
    }
    // What goes to standard output is the answer: lost, it is no success.
    for words in [&["list"][..], &["list", "--json", "-"], &["explain", "TSO"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = vmnet(words);
        let output = command.stdout(full).stderr(std::process::Stdio::piped()).spawn().unwrap();
        let output = output.wait_with_output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{words:?}: {text}");
        assert!(text.contains("No space left"), "{words:?}: {text}");
    }
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[test]
fn standard_output_by_its_name_is_written_to_and_not_replaced() {
    skip_unless!(skip::vmnet());
    let output = captured(&mut vmnet(&["list", "--json", "/dev/stdout", "--plain"])).unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains("\"vmnet.list/1\""), "{text}");
}

#[test]
fn what_a_killed_run_left_beside_a_result_stops_no_later_one() {
    skip_unless!(skip::vmnet());
    let place = tempfile::tempdir().unwrap();
    for left in [".trial", ".result.json.unfinished", ".compare.json.unfinished", ".latest.unfinished"] {
        fs::write(place.path().join(left), "half").unwrap();
    }
    let result = place.path().join("result.json");
    let (exit, text) = said(vmnet(&["list", "--json"]).arg(&result));
    assert_eq!(exit, Some(0), "{text}");
    let run = paths::workspace().join("reports/gallery/tso-on/run.vmnet");
    let (exit, text) = said(vmnet(&["report", "-o"]).arg(place.path()).arg(&run));
    assert_eq!(exit, Some(0), "{text}");
    let mut hidden: Vec<String> = fs::read_dir(place.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with('.'))
        .collect();
    hidden.sort();
    assert_eq!(
        hidden,
        [".compare.json.unfinished", ".latest.unfinished", ".result.json.unfinished", ".trial"]
    );
}

#[test]
fn the_callers_path_leads_root_to_no_program_of_theirs() {
    skip_unless!(skip::root(), skip::vmnet());
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let witness = place.path().join("was-run");
    for program in ["nmcli", "udevadm", "systemd-detect-virt", "getent", "id"] {
        let path = place.path().join(program);
        fs::write(&path, format!("#!/bin/sh\necho {program} >>{}\n", witness.display())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let namespace = Netns::new("path").unwrap();
    let run = |words: &[&str]| {
        let mut command = vmnet(words);
        command.env("PATH", place.path()).env("SUDO_UID", "54321").env("SUDO_GID", "54321");
        captured(&mut command).unwrap();
    };
    run(&["fix", "lo", "--persist", "networkd", "--dry-run"]);
    run(&["list", "--json", "/dev/null"]);
    run(&["explain", "TSO"]);
    let reports = place.path().join("reports");
    let reports = reports.to_str().unwrap();
    run(&["run", "lo", "--netns", namespace.name(), "-d", "100ms", "-o", reports, "--", "/bin/true"]);
    run(&["load", "client", "no-such-host.invalid"]);
    assert_eq!(fs::read_to_string(&witness).ok(), None);
}

#[test]
fn a_private_check_has_no_address() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("ip"));
    let namespace = Netns::new("private").unwrap();
    namespace.exec("ip link add veth0 address 02:11:22:33:44:55 type veth peer name veth1").unwrap();
    namespace.exec("ip link set veth0 up").unwrap();
    namespace.exec("ip link set veth1 up").unwrap();
    let json = |words: &[&str]| {
        let mut command = vmnet(words);
        let output = captured(command.args(["--netns", namespace.name(), "--json", "-"])).unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let open = json(&["check", "veth0"]);
    assert!(open.contains("02:11:22:33:44:55"), "or this would show nothing: {open}");
    let private = json(&["check", "veth0", "--private"]);
    assert!(private.contains("vmnet.check/1") && private.contains("veth0"), "{private}");
    assert!(!private.contains("02:11:22:33:44:55") && !private.contains("192.0.2."), "{private}");
}
