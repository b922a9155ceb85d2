//! What an operation leaves behind: processes, files, journals.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::operation::RESULT;

/// In the environment of an operation and of all that it starts.
pub(super) const MARK: &str = "VMNET_SOAK";

/// Who is told to end may take a moment.
const GONE_WITHIN: Duration = Duration::from_secs(10);

/// The directories of one operation, below one that the soak made.
#[derive(Debug)]
pub(super) struct Place(pub(super) PathBuf);

impl Place {
    /// Makes them. `tmp` is what it is told to take for `/tmp`.
    pub(super) fn new(path: PathBuf) -> std::io::Result<Self> {
        for directory in ["tmp", "state", "work"] {
            fs::create_dir_all(path.join(directory))?;
        }
        Ok(Self(path))
    }

    pub(super) fn tmp(&self) -> PathBuf {
        self.0.join("tmp")
    }

    /// `VMNET_STATE_DIR`.
    pub(super) fn state(&self) -> PathBuf {
        self.0.join("state")
    }

    /// Where it is started.
    pub(super) fn work(&self) -> PathBuf {
        self.0.join("work")
    }

    /// Where its reports go.
    pub(super) fn output(&self) -> PathBuf {
        self.work().join("out")
    }

    pub(super) fn journals(&self) -> Vec<PathBuf> {
        let is_journal = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "journal");
        entries(&self.state()).into_iter().filter(is_journal).collect()
    }

    /// Files that nobody asked for. Who was killed may leave what it was writing under an unfinished name, and nothing else.
    pub(super) fn stray(&self, was_killed: bool) -> Vec<String> {
        let is_lock = |path: &PathBuf| path.file_name().is_some_and(|name| name == "lock");
        let in_state = entries(&self.state()).into_iter().filter(|path| !is_lock(path));
        let in_work = entries(&self.work())
            .into_iter()
            .filter(|path| !path.ends_with("out") && !path.ends_with(RESULT));
        let reports = entries(&self.output()).into_iter().filter(|path| !path.ends_with("latest"));
        let (directories, others): (Vec<_>, Vec<_>) = reports.partition(|path| path.is_dir());
        let unfinished =
            directories.iter().flat_map(|directory| entries(directory)).filter(|path| is_unfinished(path));
        let stray = in_state.chain(in_work).chain(entries(&self.tmp())).chain(others).chain(unfinished);
        stray
            .filter(|path| !(was_killed && is_unfinished(path)))
            .map(|path| format!("{} is left", path.strip_prefix(&self.0).unwrap_or(&path).display()))
            .collect()
    }
}

fn is_unfinished(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    name.starts_with('.') || name.contains("unfinished")
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// Processes with this mark that do not go by themselves. They are told, and killed.
pub(super) fn processes(mark: &str) -> Vec<String> {
    let started = Instant::now();
    loop {
        let left = with_mark(mark);
        if left.is_empty() || started.elapsed() > GONE_WITHIN {
            return left.iter().map(|process| killed(process)).collect();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn killed(process: &str) -> String {
    if let Some(pid) = process.split(' ').next().and_then(|pid| pid.parse().ok()) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
    format!("a process is left: {process}")
}

/// `42 (vmnet load client …)`.
fn with_mark(mark: &str) -> Vec<String> {
    let wanted = format!("{MARK}={mark}");
    let has_mark = |process: &PathBuf| {
        let environment = fs::read(process.join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
    };
    let is_process =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.as_bytes().iter().all(u8::is_ascii_digit));
    let marked = entries(Path::new("/proc")).into_iter().filter(|path| is_process(path) && has_mark(path));
    marked
        .map(|process| {
            let line = fs::read(process.join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            format!("{} ({})", process.file_name().unwrap_or_default().to_string_lossy(), line.trim())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::soak::group::Group;

    #[test]
    fn a_process_that_stays_is_found_by_its_mark_and_by_no_other() {
        let mark = format!("test-{}", std::process::id());
        let mut command = Command::new("sleep");
        let running = Group::start_silent(command.arg("86395").env(MARK, &mark)).unwrap();
        assert!(with_mark("another").is_empty());
        let found = with_mark(&mark);
        assert!(found.len() == 1 && found[0].contains("sleep 86395"), "{found:?}");
        drop(running);
        assert!(processes(&mark).is_empty());
    }

    #[test]
    fn a_file_that_nobody_asked_for_is_found_wherever_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::new(directory.path().join("1")).unwrap();
        let run = place.output().join("20261129-100000-veth0");
        fs::create_dir_all(&run).unwrap();
        for asked_for in [run.join("run.json"), place.state().join("lock"), place.work().join(RESULT)] {
            fs::write(asked_for, "").unwrap();
        }
        assert!(place.stray(false).is_empty(), "{:?}", place.stray(false));
        for stray in [place.tmp().join("a"), place.work().join("core"), place.state().join("b.journal")] {
            fs::write(&stray, "").unwrap();
            assert_eq!(place.stray(true).len(), 1, "{}", stray.display());
            fs::remove_file(stray).unwrap();
        }
        fs::write(run.join(".run.json.new"), "").unwrap();
        assert_eq!((place.stray(false).len(), place.stray(true).len()), (1, 0));
    }
}
