//! What `vmnet run` makes of interfaces that go away, places that cannot be written, and names that mean harm.

#![expect(clippy::unwrap_used, reason = "a scenario's helpers fail as its tests do")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use aya::programs::loaded_programs;
use testbed::bench::{Bench, INTERFACE, Run, load, wait_for};
use testbed::command::{captured, output, words};
use testbed::{paths, skip, skip_unless};

/// A file system of a few kilobytes, or one that may only be read; gone with the value.
struct Mounted(PathBuf);

impl Mounted {
    fn tmpfs(at: PathBuf, options: &str) -> Self {
        fs::create_dir_all(&at).unwrap();
        output(Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&at)).unwrap();
        Self(at)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = captured(Command::new("umount").arg(&self.0));
    }
}

#[test]
fn an_unknown_interface_is_answered_with_those_there_are() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("luck").unwrap();
    let (mut vmnet, reports) = bench.command("vteh0", &["-d", "1s"]);
    let run = Run::of(captured(&mut vmnet).unwrap(), &reports).unwrap();
    assert_eq!(run.code, Some(1), "{run}");
    assert!(run.stderr.contains("no interface vteh0"), "{run}");
    assert!(
        run.stderr.contains("did you mean veth0?") && run.stderr.contains("there are: lo, veth0"),
        "{run}"
    );
    assert!(!reports.exists(), "nothing was to be made for it");
}

#[test]
fn an_interface_that_goes_away_leaves_a_report_of_what_was_seen() {
    skip_unless!(skip::root(), skip::vmnet());
    for (change, ended_by, said) in [
        (format!("link del {INTERFACE}"), "interface-gone", "gone"),
        (format!("link set {INTERFACE} netns {{far}}"), "interface-gone", "gone"),
        (format!("link set {INTERFACE} down name other0"), "interface-renamed", "other0"),
    ] {
        // While COMMAND goes on, and as its last act, before the next sample.
        for (interval, rest) in [("100ms", "; sleep 86396"), ("5s", "")] {
            let bench = Bench::new("luck").unwrap();
            let change = change.replace("{far}", bench.far.name());
            let load = load("-n 20M").join(" ");
            let script = format!("{load}; sleep 0.5; ip {change}{rest}");
            let run = bench.run(&["-i", interval, "--expect", "engaged"], &["sh", "-c", &script]).unwrap();
            println!("{change}, every {interval}: {:?} {}", run.code, run.text("/verdict/state"));
            if rest.is_empty() && ended_by == "interface-gone" {
                // Not one sample between the first and its end: there is nothing to tell but that.
                assert_eq!(run.code, Some(1), "{change}\n{run}");
                assert!(run.stderr.contains(said), "{change}\n{run}");
                continue;
            }
            assert_eq!(run.code, Some(0), "{change}\n{run}");
            assert_eq!(run.text("/window/ended_by"), ended_by, "{change}\n{run}");
            assert_eq!(run.text("/verdict/state"), "engaged", "{change}\n{run}");
            assert_ne!(run.text("/verdict/confidence"), "proven", "{change}\n{run}");
            assert!(run.stdout.contains("Cut short"), "{change}\n{run}");
            assert!(run.files.iter().any(|file| file.ends_with("throughput.svg")), "{change}\n{run}");
        }
    }
    let left = captured(&mut words("pgrep -f sleep.86396")).unwrap();
    assert!(left.stdout.is_empty(), "COMMAND was left behind");
}

#[test]
fn a_place_that_cannot_be_written_is_known_before_the_traffic() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("luck").unwrap();
    let file = bench.directory().join("file");
    fs::write(&file, "in the way").unwrap();
    let read_only = Mounted::tmpfs(bench.directory().join("ro"), "ro");
    let started = bench.directory().join("started");
    for place in [file.clone(), file.join("below"), read_only.0.join("reports")] {
        for option in ["-o", "--json"] {
            if option == "--json" && place == file {
                continue;
            }
            let mut vmnet = Command::new(paths::vmnet());
            vmnet
                .args(["run", INTERFACE, "--netns", bench.near.name(), "-o"])
                .arg(bench.directory().join("reports"));
            if option == "-o" {
                vmnet = Command::new(paths::vmnet());
                vmnet.args(["run", INTERFACE, "--netns", bench.near.name()]);
            }
            vmnet.arg(option).arg(&place).arg("--").arg("touch").arg(&started);
            let said = captured(&mut vmnet).unwrap();
            let text = String::from_utf8(said.stderr).unwrap();
            assert_eq!(said.status.code(), Some(1), "{option} {}: {text}", place.display());
            assert!(text.contains(place.to_str().unwrap()) && text.contains(option), "{text}");
            assert!(!started.exists(), "COMMAND was started all the same: {text}");
        }
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "in the way");
}

#[test]
fn a_disk_that_fills_up_costs_the_report_and_not_the_verdict() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("luck").unwrap();
    let tiny = Mounted::tmpfs(bench.directory().join("tiny"), "size=128k");
    let reports = tiny.0.join("reports");
    let fill = format!(
        "{}; sleep 0.5; dd if=/dev/zero of={}/fill bs=1k 2>&1; true",
        load("-n 20M").join(" "),
        tiny.0.display()
    );
    let mut vmnet = Command::new(paths::vmnet());
    vmnet
        .args(["run", INTERFACE, "--netns", bench.near.name(), "-o"])
        .arg(&reports)
        .args(["-i", "100ms", "--", "sh", "-c", &fill]);
    let run = Run::of(captured(&mut vmnet).unwrap(), &reports).unwrap();
    assert_eq!(run.code, Some(1), "{run}");
    assert!(run.stdout.contains("✓ YES"), "{run}");
    assert!(run.stderr.contains("No space left") && run.stderr.contains(reports.to_str().unwrap()), "{run}");
    // What was recorded before there was no more room is there.
    let recording = run.files.iter().find(|path| path.ends_with("run.vmnet")).unwrap();
    let mut report = Command::new(paths::vmnet());
    report.args(["report", "-v"]).arg(recording).arg("-o").arg(bench.directory().join("drawn"));
    let said = captured(&mut report).unwrap();
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert_eq!(said.status.code(), Some(0), "{said:?}");
    assert!(text.contains("without the run's end") && text.contains("of bulk"), "{text}");
}

#[test]
fn names_that_mean_harm_do_none() {
    skip_unless!(skip::root(), skip::vmnet());
    for name in ["a;b$(x)", "<b>&'\"", "öß-名", "exactly15bytes_", "-d", "a\x1b[2Jb"] {
        let bench = Bench::with_interface("luck", name);
        // Not every iproute2 lets every legal name pass.
        let Ok(bench) = bench else {
            println!("{name:?} cannot be made here");
            continue;
        };
        let (mut vmnet, reports) = bench.command("--", &[]);
        // The name comes after `--` only where it would be taken for an option.
        if !name.starts_with('-') {
            (vmnet, _) = bench.command(name, &[]);
        }
        let reports = if name.starts_with('-') { reports } else { vmnet_reports(&vmnet) };
        if name.starts_with('-') {
            // `vmnet run -- -d` would be a COMMAND without an interface: usage, said so.
            let said = captured(&mut vmnet).unwrap();
            assert_eq!(said.status.code(), Some(2), "{said:?}");
            continue;
        }
        vmnet.arg("--").args(["sh", "-c", &load("-n 20M").join(" "), "\x1b]0;title\x07<i>&"]);
        let run = Run::of(captured(&mut vmnet).unwrap(), &reports).unwrap();
        assert_eq!(run.code, Some(0), "{run}");
        assert_eq!(run.text("/interface/name"), name, "{run}");
        assert_eq!(run.text("/verdict/state"), "engaged", "{run}");
        assert!(run.words().chars().all(|c| c == '\n' || !c.is_control()), "{:?}", run.words());
        let drawings: Vec<_> =
            run.files.iter().filter(|path| path.extension().is_some_and(|kind| kind == "svg")).collect();
        // Those with nothing to show are left out.
        assert!(drawings.len() >= 4, "{run}");
        for path in drawings {
            let svg = fs::read_to_string(path).unwrap();
            let drawing = roxmltree::Document::parse(&svg).unwrap();
            assert!(
                drawing.descendants().all(|node| !node.has_tag_name("b") && !node.has_tag_name("i")),
                "{svg}"
            );
            assert!(path.parent().unwrap().file_name().unwrap().to_str().unwrap().is_ascii());
        }
    }
    // A neighbour's name is data too.
    let bench = Bench::new("luck").unwrap();
    let mut neighbour = bench.near.command("ip");
    neighbour.args(["link", "add", "x\x1b[2J", "type", "veth", "peer", "name", "y"]);
    output(&mut neighbour).unwrap();
    let (mut vmnet, _) = bench.command("absent", &[]);
    let said = String::from_utf8(captured(&mut vmnet).unwrap().stderr).unwrap();
    assert!(
        said.contains("there are") && said.contains("x\u{fffd}[2J") && !said.contains('\x1b'),
        "{said:?}"
    );
    for name in ["../../etc", "..", "", "a b"] {
        let said = captured(Command::new(paths::vmnet()).args(["run", INTERFACE, "--netns", name])).unwrap();
        assert_eq!(said.status.code(), Some(1), "{name:?} {said:?}");
    }
}

fn vmnet_reports(vmnet: &Command) -> PathBuf {
    let arguments: Vec<_> = vmnet.get_args().collect();
    let at = arguments.iter().position(|argument| *argument == "-o").unwrap();
    PathBuf::from(arguments[at + 1])
}

#[test]
fn nothing_is_left_behind() {
    skip_unless!(skip::root(), skip::vmnet());
    let before = programs();
    let name = {
        let bench = Bench::new("luck").unwrap();
        let run = bench.run(&[], &load("-n 20M")).unwrap();
        assert_eq!(run.code, Some(0), "{run}");
        bench.near.name().to_owned()
    };
    // The kernel frees programs a moment after their last user; and somebody else may be at it on this machine.
    wait_for("the programs to be gone", || Ok(programs().is_subset(&before))).unwrap();
    assert!(!output(&mut words("ip netns list")).unwrap().contains(&name));
}

/// Our programs on this machine.
fn programs() -> BTreeSet<u32> {
    loaded_programs()
        .filter_map(Result::ok)
        .filter(|program| program.name_as_str().is_some_and(|name| name.starts_with("net_dev_")))
        .map(|program| program.id())
        .collect()
}
