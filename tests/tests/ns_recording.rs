//! The recording of a run: written as it goes, read back by anybody, whatever became of the run.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a scenario's helpers fail as its tests do")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use testbed::bench::{Bench, INTERFACE, Run, Running, load, wait_for};
use testbed::command::{captured, output};
use testbed::{paths, report, skip, skip_unless};

fn recording(run: &Run) -> &Path {
    run.files.iter().find(|path| path.ends_with("run.vmnet")).expect("every run leaves its recording")
}

/// `vmnet report`, as somebody who may do nothing on this machine, into a directory of theirs.
struct Drawn {
    code: Option<i32>,
    words: String,
    files: Vec<PathBuf>,
    _place: tempfile::TempDir,
}

fn draw(recording: &Path, options: &[&str]) -> Drawn {
    let place = tempfile::tempdir().unwrap();
    let copy = place.path().join("copy.vmnet");
    fs::copy(recording, &copy).unwrap();
    let binary = place.path().join("vmnet");
    fs::copy(paths::vmnet(), &binary).unwrap();
    output(Command::new("chmod").args(["-R", "a+rwX"]).arg(place.path())).unwrap();
    let out = place.path().join("out");
    let mut vmnet = Command::new("setpriv");
    vmnet.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"]).arg(&binary);
    vmnet.arg("report").arg(&copy).arg("-o").arg(&out).args(options).current_dir(place.path());
    let said = captured(&mut vmnet).unwrap();
    let files = fs::read_dir(&out).into_iter().flatten().map(|file| file.unwrap().path()).collect();
    let words = format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    Drawn { code: said.status.code(), words, files, _place: place }
}

impl Drawn {
    fn json(&self) -> Value {
        let file = self.files.iter().find(|path| path.ends_with("run.json")).expect("run.json");
        report::document(&fs::read(file).unwrap()).unwrap()
    }
}

#[test]
fn the_report_of_the_recording_is_the_report_of_the_run_to_the_byte() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("rec").unwrap();
    for tso in ["on", "off"] {
        bench.near.exec(&format!("ethtool -K {INTERFACE} tso {tso}")).unwrap();
        for mode in ["auto", "counters"] {
            let run = bench.run(&["--mode", mode, "-i", "200ms"], &load("-n 200M")).unwrap();
            assert_eq!(run.code, Some(0), "{run}");
            let drawn = draw(recording(&run), &["--format", "html,svg,json,csv"]);
            assert_eq!(drawn.code, Some(0), "{}", drawn.words);
            assert!(!drawn.words.contains("NOTE"), "{}", drawn.words);
            let mut compared = 0;
            for file in &drawn.files {
                let name = file.file_name().unwrap();
                let Some(of_run) = run.files.iter().find(|path| path.file_name() == Some(name)) else {
                    assert_eq!(name, "samples.csv");
                    continue;
                };
                assert_eq!(fs::read(file).unwrap(), fs::read(of_run).unwrap(), "{name:?}, tso {tso}, {mode}");
                compared += 1;
            }
            // All that the run left but its recording.
            assert_eq!(compared, run.files.len() - 1, "{:?}", run.files);
        }
    }
}

#[test]
fn a_run_that_is_killed_leaves_a_recording_up_to_its_last_sample() {
    skip_unless!(skip::root(), skip::vmnet());
    let bench = Bench::new("rec").unwrap();
    let mut started = bench.start(&["-i", "100ms", "-d", "60s"], &load("-t 60s")).unwrap();
    started.wait_until_it_measures().unwrap();
    let lines = |said: &str| said.lines().filter(|line| line.trim_start().contains("s  ")).count();
    let before = lines(&started.said());
    wait_for("a few intervals", || Ok(lines(&started.said()) >= before + 5)).unwrap();
    output(Command::new("kill").args(["-KILL", &started.pid().to_string()])).unwrap();
    let run = started.end().unwrap();
    assert_eq!(run.code, None, "{run}");
    assert_eq!(run.files.len(), 1, "nothing but the recording: {run}");
    let drawn = draw(recording(&run), &[]);
    assert_eq!(drawn.code, Some(0), "{}", drawn.words);
    assert!(drawn.words.contains("NOTE") && drawn.words.contains("without the run's end"), "{}", drawn.words);
    let json = drawn.json();
    assert_eq!(json["window"]["ended_by"], "not-recorded");
    assert!(json["throughput"]["samples"].as_array().unwrap().len() >= 5, "{}", drawn.words);
    // It ended in the middle of traffic: what was on its way is slack, and nothing is proven that is not.
    assert_eq!(json["verdict"]["state"], "engaged", "{}", drawn.words);
    assert_eq!(json["audit"]["drained"], false);
    assert!(json["unmeasured"]["benchmark.exit_code"].is_string());
    assert!(drawn.files.iter().any(|path| path.ends_with("report.html")));
}

#[test]
fn what_cannot_be_read_is_said_with_the_place_where_it_ends() {
    skip_unless!(skip::vmnet());
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("run.vmnet");
    let said = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        let mut vmnet = Command::new(paths::vmnet());
        let said = captured(vmnet.arg("report").arg(&file).current_dir(place.path())).unwrap();
        assert_eq!(said.status.code(), Some(1));
        assert!(!place.path().join("run.report").exists(), "nothing was to be made for it");
        String::from_utf8(said.stderr).unwrap()
    };
    assert!(said(b"{}").contains("not a recording of vmnet"));
    assert!(said(b"\x89VMNET\r\n\x01\x00\x00\x00").contains("ends before its first frame"));
    assert!(said(b"\x89VMNET\r\n\x09\x00\x00\x00\x00\x00\x00\x00").contains("at byte 8"));
    let mut missing = Command::new(paths::vmnet());
    let missing = captured(missing.args(["report", "/nowhere/run.vmnet"])).unwrap();
    assert!(String::from_utf8_lossy(&missing.stderr).contains("No such file"), "{missing:?}");
}

/// A recording of 99 kB that has 2,000 samples of 4,096 queues each; the fuzzer begins with it.
fn bomb() -> PathBuf {
    paths::workspace().join("fuzz/seeds/recording/many-queues.vmnet")
}

/// `vmnet` with 200 MB of address space, and what it wrote into `out`.
fn within_200_mb(arguments: &[&str], out: &Path) -> (Option<i32>, String, u64) {
    let mut vmnet = Command::new("sh");
    vmnet
        .args(["-c", "ulimit -v 204800; exec \"$0\" \"$@\""])
        .arg(paths::vmnet())
        .args(arguments)
        .arg("-o")
        .arg(out);
    let said = captured(&mut vmnet).unwrap();
    let words = format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    let found =
        output(Command::new("find").arg(out).args(["-type", "f", "-printf", "%s\\n"])).unwrap_or_default();
    (said.status.code(), words, found.lines().map(|size| size.parse::<u64>().unwrap()).sum())
}

#[test]
fn a_small_recording_of_many_samples_and_queues_is_reported_within_bounds() {
    skip_unless!(skip::vmnet());
    let place = tempfile::tempdir().unwrap();
    let bomb = bomb();
    let bomb = bomb.to_str().unwrap();
    let out = place.path().join("report");
    let (code, words, bytes) = within_200_mb(&["report", bomb, "--format", "html,svg,json,csv"], &out);
    println!("the report has {bytes} bytes");
    assert_eq!(code, Some(0), "{words}");
    assert!(bytes < 32_000_000, "{bytes}");
    let drawn = out.join("run.json");
    for other in [bomb, drawn.to_str().unwrap()] {
        let out = place.path().join("compare");
        let (code, words, bytes) = within_200_mb(&["compare", bomb, other], &out);
        assert_eq!(code, Some(0), "{words}");
        assert!(bytes < 32_000_000, "{bytes}");
    }
}

#[test]
fn json_that_would_take_too_much_memory_is_refused_within_bounds() {
    skip_unless!(skip::vmnet());
    let place = tempfile::tempdir().unwrap();
    let hostile = place.path().join("run.json");
    let head = "{\"schema\": \"vmnet.run/1\", \"throughput\": {\"samples\": [{\"queues\": [";
    for (text, said) in [
        (format!("{head}{}", "{},".repeat(9_000_000)), "values, more than any run"),
        (format!("{head}\"{}\"", "x".repeat(30_000_000)), "bytes of text, more than any run"),
        (format!("{head}{}", " ".repeat(40_000_000)), "longer than 33554432 bytes"),
    ] {
        fs::write(&hostile, text).unwrap();
        let hostile = hostile.to_str().unwrap();
        let (code, words, _) = within_200_mb(&["compare", hostile, hostile], &place.path().join("out"));
        assert_eq!(code, Some(1), "{words}");
        assert!(words.contains(said), "{words}");
    }
    let experiment = place.path().join("ab.json");
    fs::write(&experiment, format!("{{\"schema\": \"vmnet.ab/1\", \"trials\": [{}", "{},".repeat(9_000_000)))
        .unwrap();
    let (code, words, _) =
        within_200_mb(&["report", experiment.to_str().unwrap()], &place.path().join("out"));
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("values, more than any experiment"), "{words}");
}

/// Lines of `/proc/PID/status`.
fn status(pid: u32, names: &[&str]) -> Vec<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let is_wanted = |line: &&str| names.iter().any(|name| line.starts_with(name));
    status.lines().filter(is_wanted).map(|line| line.replace('\t', " ")).collect()
}

#[test]
fn who_only_reads_files_has_no_privilege_and_under_sudo_is_the_person() {
    skip_unless!(skip::root(), skip::vmnet(), skip::program("mkfifo"));
    let place = tempfile::tempdir().unwrap();
    // It waits for somebody to write.
    let fifo = place.path().join("run.vmnet");
    output(Command::new("mkfifo").arg(&fifo)).unwrap();
    output(Command::new("chmod").args(["0755"]).arg(place.path())).unwrap();
    output(Command::new("chmod").args(["0644"]).arg(&fifo)).unwrap();
    for (person, uid) in [(None, "0"), (Some("1"), "1")] {
        for arguments in [&["report"][..], &["compare"]] {
            let mut vmnet = Command::new(paths::vmnet());
            vmnet.args(arguments).arg(&fifo);
            if arguments == ["compare"] {
                vmnet.arg(&fifo);
            }
            if let Some(person) = person {
                vmnet.env("SUDO_UID", person).env("SUDO_GID", person);
            }
            let reads = Running(vmnet.spawn().unwrap());
            let wanted = [
                format!("Uid: {uid} {uid} {uid} {uid}"),
                format!("Gid: {uid} {uid} {uid} {uid}"),
                "CapPrm: 0000000000000000".to_owned(),
                "CapEff: 0000000000000000".to_owned(),
                "NoNewPrivs: 1".to_owned(),
            ];
            let names = ["Uid:", "Gid:", "CapPrm:", "CapEff:", "NoNewPrivs:"];
            wait_for("it to give up its privileges", || Ok(status(reads.0.id(), &names) == wanted)).unwrap();
        }
    }
    // Where the person may not write, root's right is not lent.
    let theirs = place.path().join("theirs");
    fs::create_dir(&theirs).unwrap();
    fs::copy(bomb(), theirs.join("run.vmnet")).unwrap();
    let report = |out: &Path| {
        let mut vmnet = Command::new(paths::vmnet());
        vmnet.arg("report").arg(&theirs).arg("-o").arg(out).env("SUDO_UID", "1").env("SUDO_GID", "1");
        captured(&mut vmnet).unwrap().status.code()
    };
    let roots = place.path().join("roots");
    assert_eq!((report(&roots), roots.exists()), (Some(1), false));
    output(Command::new("chown").args(["-R", "1:1"]).arg(&theirs)).unwrap();
    output(Command::new("chmod").args(["0700"]).arg(&theirs)).unwrap();
    assert_eq!(report(&theirs.join("out")), Some(0));
}
