use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::*;
use crate::report::kit::document::{self, Document as _, DocumentError, Format};
use crate::report::run::{fixture, schema::RunReport};

fn now() -> Zoned {
    "2026-11-22T10:11:12+00:00[UTC]".parse().expect("a time")
}

fn prepare(base: &Path, interface: &str) -> OutputDir {
    OutputDir::prepare(base, interface, &now(), None).expect("a writable place")
}

fn names_in(path: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(path)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_run_lands_under_its_time_and_its_interface() {
    let base = tempfile::tempdir().expect("a place");
    let output = prepare(&base.path().join("deep/reports"), "ens4");
    assert_eq!(output.path(), base.path().join("deep/reports/20261122-101112-ens4"));
    assert_eq!(names_in(output.path()), Vec::<String>::new(), "the trial leaves nothing");
}

#[test]
fn every_file_that_is_returned_is_there_and_no_other() {
    let base = tempfile::tempdir().expect("a place");
    let output = prepare(base.path(), "ens4");
    let files = document::write(&output, &fixture::eventful(), &Format::USUAL).expect("room");
    let names: Vec<_> = files
        .iter()
        .filter_map(|path| path.file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    let charts = RunReport::CHARTS.iter().map(|chart| chart.file);
    let all: Vec<_> = ["report.html", "run.json"].into_iter().chain(charts).collect();
    assert_eq!(names, all);
    let mut sorted = names;
    sorted.sort();
    assert_eq!(names_in(output.path()), sorted);
    let json = fs::read_to_string(&files[1]).expect("readable");
    assert!(serde_json::from_str::<RunReport>(&json).is_ok());
}

#[test]
fn two_runs_in_one_second_do_not_meet() {
    let base = tempfile::tempdir().expect("a place");
    let first = prepare(base.path(), "ens4");
    let second = prepare(base.path(), "ens4");
    assert_ne!(first.path(), second.path());
    assert!(second.path().ends_with("20261122-101112-ens4-2"));
}

#[test]
fn a_link_that_lies_in_wait_is_not_followed() {
    let base = tempfile::tempdir().expect("a place");
    let elsewhere = tempfile::tempdir().expect("another place");
    symlink(elsewhere.path(), base.path().join("20261122-101112-ens4")).expect("a link");
    let output = prepare(base.path(), "ens4");
    assert!(output.path().ends_with("20261122-101112-ens4-2"));

    // Nor one that is put there later, nor a directory exchanged under our hands.
    let target = elsewhere.path().join("target");
    symlink(&target, output.path().join("run.json")).expect("a link");
    document::write(&output, &fixture::idle(), &Format::USUAL).expect("room");
    assert!(!target.exists());
    let moved = base.path().join("moved");
    fs::rename(output.path(), &moved).expect("a rename");
    symlink(elsewhere.path(), output.path()).expect("a link");
    document::write(&output, &fixture::idle(), &Format::USUAL).expect("room");
    assert_eq!(names_in(elsewhere.path()), Vec::<String>::new());
}

#[test]
fn hostile_names_stay_inside_the_base() {
    let base = tempfile::tempdir().expect("a place");
    for name in ["../../etc", "..", "", "/", "a/b", "a\nb\x1b[2J", "ü", &"x".repeat(5000)] {
        let output = prepare(base.path(), name);
        assert_eq!(output.path().parent(), Some(base.path()), "{name:?}");
        let last = output.path().file_name().and_then(|name| name.to_str()).expect("a name");
        assert!(last.is_ascii() && last.chars().all(|c| !c.is_control()), "{last:?}");
        assert!(!last.contains("-."), "no leading dot: {last:?}");
    }
    assert_eq!(names_in(base.path()).len(), 8);
}

#[test]
fn a_place_that_is_none_is_refused_before_the_traffic_with_the_kernels_answer() {
    let base = tempfile::tempdir().expect("a place");
    let file = base.path().join("file");
    fs::write(&file, "").expect("a file");
    let error = OutputDir::prepare(&file.join("reports"), "ens4", &now(), None).expect_err("not a directory");
    let said = error.to_string();
    assert!(
        said.contains("file/reports") && said.contains("Not a directory") && said.contains("-o DIR"),
        "{said}"
    );
}

fn somebody() -> Owner {
    Owner { uid: 12_345, gid: 54_321, groups: vec![54_321] }
}

#[test]
fn what_is_made_belongs_to_the_caller_and_what_was_there_does_not_change_hands() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can be somebody else");
        return;
    }
    let base = tempfile::tempdir().expect("a place");
    let refused = OutputDir::prepare(&base.path().join("a/b"), "ens4", &now(), Some(&somebody()));
    let said = refused.expect_err("the place is root's").to_string();
    assert!(said.contains("for user 12345") && said.contains("-o DIR"), "{said}");
    fs::set_permissions(base.path(), fs::Permissions::from_mode(0o777)).expect("it is ours");
    let output = OutputDir::prepare(&base.path().join("a/b"), "ens4", &now(), Some(&somebody()))
        .expect("a writable place");
    let files = document::write(&output, &fixture::idle(), &Format::USUAL).expect("room");
    let mut made = vec![base.path().join("a"), base.path().join("a/b"), output.path().to_owned()];
    made.extend(files);
    for path in made {
        let meta = fs::symlink_metadata(&path).expect("it is there");
        assert_eq!((meta.uid(), meta.gid()), (12_345, 54_321), "{}", path.display());
    }
    assert_eq!(fs::metadata(base.path()).expect("it is there").uid(), 0);
}

/// A small disk, whose room is measured rather than guessed: what a run takes changes with every chart.
struct Disk {
    root: tempfile::TempDir,
}

impl Disk {
    /// Only for this thread, which has to have a mount namespace of its own. None where this may not be had.
    fn mount() -> Option<Self> {
        use nix::mount::{MsFlags, mount};
        use nix::sched::{CloneFlags, unshare};

        let private = unshare(CloneFlags::CLONE_NEWNS).and_then(|()| {
            mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
        });
        if let Err(errno) = private {
            println!("skipped: no mount namespace of our own ({errno})");
            return None;
        }
        let root = tempfile::tempdir().expect("a place");
        let mounted =
            mount(Some("tmpfs"), root.path(), Some("tmpfs"), MsFlags::empty(), Some("size=32m,mode=755"));
        if let Err(errno) = mounted {
            println!("skipped: no tmpfs ({errno})");
            return None;
        }
        Some(Self { root })
    }

    fn free_bytes(&self) -> u64 {
        let disk = nix::sys::statvfs::statvfs(self.root.path()).expect("it is mounted");
        disk.blocks_available() * disk.fragment_size()
    }

    /// Fills it up until no more than this is free.
    fn leave(&self, bytes: u64) {
        let ballast = self.root.path().join("ballast");
        let _ = fs::remove_file(&ballast);
        let surplus = self.free_bytes() - bytes;
        fs::write(ballast, vec![0; usize::try_from(surplus).expect("a small disk")]).expect("ballast");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        nix::mount::umount(self.root.path()).expect("it was mounted, and nothing holds it");
    }
}

#[test]
fn what_a_killed_run_left_stops_no_later_one() {
    let base = tempfile::tempdir().unwrap();
    // Names of vmnet's before they were drawn, too.
    let left = [".trial", ".run.json.unfinished", ".latest.unfinished", ".vmnet-0123456789abcdef.unfinished"];
    for name in left {
        fs::write(base.path().join(name), "half").unwrap();
    }
    let output = OutputDir::at(base.path(), None).unwrap();
    document::write(&output, &fixture::idle(), &Format::USUAL).unwrap();
    prepare(base.path(), "ens4").make_latest().unwrap();
    let hidden: Vec<String> =
        names_in(base.path()).into_iter().filter(|name| name.starts_with('.')).collect();
    let mut expected = left.map(str::to_owned);
    expected.sort();
    assert_eq!(hidden, expected, "and nothing of its own");
}

#[test]
fn a_full_disk_is_an_error_that_names_what_is_complete() {
    // A thread of its own, so that the mount is seen by nobody else and goes with it.
    let ran = std::thread::spawn(|| {
        let Some(disk) = Disk::mount() else { return };
        let mut report = fixture::idle();
        let first = prepare(disk.root.path(), "ens4");
        let empty = disk.free_bytes();
        document::write(&first, &report, &Format::USUAL).expect("a short run has room");
        let takes = empty - disk.free_bytes();

        // Not even the first file fits.
        disk.leave(64 * 1024);
        report.verdict.summary = "x".repeat(100_000);
        let error = document::write(&first, &report, &Format::USUAL).expect_err("no room");
        let said = error.to_string();
        assert!(said.contains("run.json") && said.contains("No space left"), "{said}");
        assert!(said.contains("no file of this report was written"), "{said}");
        assert!(!names_in(first.path()).iter().any(|name| name.starts_with('.')), "nothing unfinished stays");

        // The disk fills up between the trial and the last file.
        let second = prepare(disk.root.path(), "ens5");
        disk.leave(takes - 8 * 1024);
        match document::write(&second, &fixture::idle(), &Format::USUAL) {
            Err(DocumentError::Files(FilesError::Write { path, written, .. })) => {
                assert!(!written.is_empty() && !written.contains(&path), "{path:?} {written:?}");
                let mut complete: Vec<_> = written
                    .iter()
                    .filter_map(|path| path.file_name())
                    .map(|name| name.to_string_lossy().into_owned())
                    .collect();
                complete.sort();
                assert_eq!(names_in(second.path()), complete);
                let json = fs::read_to_string(second.path().join("run.json")).expect("the first file");
                assert!(serde_json::from_str::<RunReport>(&json).is_ok());
            }
            other => panic!("expected a full disk, not {other:?}"),
        }
        drop((first, second));
    })
    .join();
    if let Err(panic) = ran {
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn a_file_longer_than_any_report_is_refused_before_it_is_begun() {
    let base = tempfile::tempdir().unwrap();
    let output = OutputDir::at(base.path(), None).unwrap();
    let long = "x".repeat(MOST_FILE_BYTES + 1);
    let mut files = output.files();
    files.write("a", "fine").unwrap();
    let said = files.write("b", &long).unwrap_err().to_string();
    assert!(said.contains("would have 67108865 bytes, more than any report"), "{said}");
    assert!(base.path().join("a").exists() && !base.path().join("b").exists());
}

fn link_of(base: &Path) -> Option<String> {
    fs::read_link(base.join(LATEST)).ok().map(|target| target.to_string_lossy().into_owned())
}

#[test]
fn the_latest_run_is_found_under_that_name() {
    let base = tempfile::tempdir().unwrap();
    assert_eq!(latest(base.path()), None);
    for expected in ["20261122-101112-ens4", "20261122-101112-ens4-2"] {
        prepare(base.path(), "ens4").make_latest().unwrap();
        assert_eq!(link_of(base.path()).as_deref(), Some(expected));
        assert_eq!(latest(base.path()), Some(base.path().join(expected)));
    }
    assert_eq!(names_in(base.path()), ["20261122-101112-ens4", "20261122-101112-ens4-2", LATEST]);
    fs::remove_dir(base.path().join("20261122-101112-ens4-2")).unwrap();
    assert_eq!(latest(base.path()), None, "it leads nowhere");
    // A directory that the person named is not one of many.
    let named = base.path().join("named");
    OutputDir::at(&named, None).unwrap().make_latest().unwrap();
    assert_eq!(link_of(base.path()).as_deref(), Some("20261122-101112-ens4-2"));
}

#[test]
fn what_somebody_else_calls_latest_stays() {
    for target in ["/etc", "..", "20261122", "elsewhere/20261122-101112-ens4"] {
        let base = tempfile::tempdir().unwrap();
        symlink(target, base.path().join(LATEST)).unwrap();
        let error = prepare(base.path(), "ens4").make_latest().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists, "{target}");
        assert_eq!(link_of(base.path()).as_deref(), Some(target));
    }
    let base = tempfile::tempdir().unwrap();
    fs::create_dir(base.path().join(LATEST)).unwrap();
    assert!(prepare(base.path(), "ens4").make_latest().is_err());
    let base = tempfile::tempdir().unwrap();
    fs::write(base.path().join(LATEST), "mine").unwrap();
    assert!(prepare(base.path(), "ens4").make_latest().is_err());
    assert_eq!(fs::read_to_string(base.path().join(LATEST)).unwrap(), "mine");
}

#[test]
fn a_link_made_meanwhile_leads_nobody_astray_and_belongs_to_the_caller() {
    let base = tempfile::tempdir().unwrap();
    let elsewhere = base.path().join("elsewhere");
    fs::write(&elsewhere, "untouched").unwrap();
    let runs = base.path().join("runs");
    let output = prepare(&runs, "ens4");
    output.make_latest().unwrap();
    assert_eq!(link_of(&runs).as_deref(), Some("20261122-101112-ens4"));
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "untouched");
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    fs::set_permissions(base.path(), fs::Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(&runs, fs::Permissions::from_mode(0o777)).unwrap();
    OutputDir::prepare(&runs, "ens5", &now(), Some(&somebody())).unwrap().make_latest().unwrap();
    let meta = fs::symlink_metadata(runs.join(LATEST)).unwrap();
    assert_eq!((meta.uid(), meta.gid()), (12_345, 54_321));
}

#[test]
fn the_newest_runs_are_those_that_hold_something_the_oldest_first() {
    let base = tempfile::tempdir().unwrap();
    assert_eq!(newest(&base.path().join("none"), 2, &["run.json"]), Vec::<PathBuf>::new());
    for name in [
        "20261122-101112-ens4-10",
        "20261122-101112-ens4-9",
        "20261122-101112-ens4",
        "20261123-000000-ens4-ab",
        "gallery",
        "20261122x101112-ens4",
        "20261122-101112-",
    ] {
        fs::create_dir(base.path().join(name)).unwrap();
        fs::write(base.path().join(name).join("run.json"), "{}").unwrap();
    }
    fs::create_dir(base.path().join("20261124-101112-empty")).unwrap();
    symlink("20261122-101112-ens4", base.path().join("20261125-101112-link")).unwrap();
    let names = |count| -> Vec<String> {
        let found = newest(base.path(), count, &["run.vmnet", "run.json"]);
        found.iter().filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect()
    };
    assert_eq!(names(2), ["20261122-101112-ens4-10", "20261123-000000-ens4-ab"]);
    assert_eq!(names(9).len(), 4);
    assert_eq!(names(9)[..2], ["20261122-101112-ens4", "20261122-101112-ens4-9"]);
}
