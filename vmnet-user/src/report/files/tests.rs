use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use super::*;
use crate::report::fixture;

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
    let files = output.write(&fixture::software()).expect("room");
    let names: Vec<_> = files
        .iter()
        .filter_map(|path| path.file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    let all: Vec<&str> = ["run.json"].into_iter().chain(CHARTS.iter().map(|chart| chart.file)).collect();
    assert_eq!(names, all);
    let mut sorted = names;
    sorted.sort();
    assert_eq!(names_in(output.path()), sorted);
    let json = fs::read_to_string(&files[0]).expect("readable");
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
    output.write(&fixture::idle()).expect("room");
    assert!(!target.exists());
    symlink(&target, output.path().join(".sizes.svg.unfinished")).expect("a link");
    let error = output.write(&fixture::idle()).expect_err("a name that should be free is not");
    assert!(error.to_string().contains("sizes.svg: File exists"), "{error}");
    assert!(!target.exists());
    let moved = base.path().join("moved");
    fs::rename(output.path(), &moved).expect("a rename");
    symlink(elsewhere.path(), output.path()).expect("a link");
    output.write(&fixture::idle()).expect("room");
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

#[test]
fn what_is_made_belongs_to_the_caller_and_what_was_there_does_not_change_hands() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can give files away");
        return;
    }
    let base = tempfile::tempdir().expect("a place");
    let owner = Owner { uid: 12_345, gid: 54_321 };
    let output =
        OutputDir::prepare(&base.path().join("a/b"), "ens4", &now(), Some(owner)).expect("a writable place");
    let files = output.write(&fixture::idle()).expect("room");
    let mut made = vec![base.path().join("a"), base.path().join("a/b"), output.path().to_owned()];
    made.extend(files);
    for path in made {
        let meta = fs::symlink_metadata(&path).expect("it is there");
        assert_eq!((meta.uid(), meta.gid()), (12_345, 54_321), "{}", path.display());
    }
    assert_eq!(fs::metadata(base.path()).expect("it is there").uid(), 0);
}

#[test]
fn a_full_disk_is_an_error_that_names_what_is_complete() {
    use nix::mount::{MsFlags, mount};
    use nix::sched::{CloneFlags, unshare};

    // A thread of its own, so that the mount is seen by nobody else and goes with it.
    let ran = std::thread::spawn(|| {
        let private = unshare(CloneFlags::CLONE_NEWNS).and_then(|()| {
            mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
        });
        if let Err(errno) = private {
            println!("skipped: no mount namespace of our own ({errno})");
            return;
        }
        let base = tempfile::tempdir().expect("a place");
        let mounted =
            mount(Some("tmpfs"), base.path(), Some("tmpfs"), MsFlags::empty(), Some("size=240k,mode=755"));
        if let Err(errno) = mounted {
            println!("skipped: no tmpfs ({errno})");
            return;
        }
        let first = prepare(base.path(), "ens4");
        let mut report = fixture::idle();
        first.write(&report).expect("a short run has room");

        report.verdict.summary = "x".repeat(400_000);
        let error = first.write(&report).expect_err("no room");
        let said = error.to_string();
        assert!(said.contains("run.json") && said.contains("No space left"), "{said}");
        assert!(said.contains("no file of this report was written"), "{said}");
        assert!(!names_in(first.path()).iter().any(|name| name.starts_with('.')), "nothing unfinished stays");

        // The disk fills up between the trial and the second file.
        let second = prepare(base.path(), "ens5");
        fs::write(base.path().join("ballast"), vec![0; 60_000]).expect("ballast");
        match second.write(&fixture::software()) {
            Err(FilesError::Write { written, .. }) => {
                for path in written {
                    assert!(path.exists(), "{}", path.display());
                }
            }
            other => panic!("expected a full disk, not {other:?}"),
        }
        drop((first, second));
        nix::mount::umount(base.path()).expect("it was mounted");
    })
    .join();
    if let Err(panic) = ran {
        std::panic::resume_unwind(panic);
    }
}
