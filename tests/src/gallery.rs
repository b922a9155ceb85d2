//! `reports/gallery`: a few real runs that the documentation shows, made by `cargo xtask gallery`.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use nix::fcntl::{RenameFlags, renameat2};

use crate::paths;

/// A run of the gallery: a directory with `report.html`, its charts, `run.json` and `run.vmnet`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhibit {
    /// Its directory.
    pub name: &'static str,
    /// The verdict that it shows.
    pub state: &'static str,
}

/// All runs.
pub const RUNS: [Exhibit; 4] = [
    Exhibit { name: "tso-on", state: "engaged" },
    Exhibit { name: "tso-off", state: "software" },
    Exhibit { name: "flip", state: "partial" },
    Exhibit { name: "host-no-tso", state: "software" },
];

/// The directory of the comparison: `compare.html` and its charts.
pub const COMPARISON: &str = "compare";
/// A run's page.
pub const REPORT_HTML: &str = "report.html";
/// A run's numbers.
pub const REPORT_JSON: &str = "run.json";
/// What all else is drawn from.
pub const RECORDING: &str = "run.vmnet";
/// The comparison's page.
pub const COMPARISON_HTML: &str = "compare.html";
/// Which two of [`RUNS`] it compares.
pub const COMPARED: [&str; 2] = ["tso-off", "tso-on"];

/// The directory of an experiment: `ab.html`, its charts and `ab.json`.
pub const EXPERIMENT: &str = "experiment";
/// The experiment's page.
pub const EXPERIMENT_HTML: &str = "ab.html";
/// What its page and its charts are drawn from.
pub const EXPERIMENT_JSON: &str = "ab.json";

/// Where it is.
pub fn directory() -> PathBuf {
    paths::workspace().join("reports/gallery")
}

/// A directory takes the place of another, which then is where the first was. In one step: nobody finds neither, or half of
/// both. Where there is no other, it is moved.
pub fn exchange(new: &Path, place: &Path) -> Result<()> {
    if !place.exists() {
        return Ok(fs::rename(new, place)?);
    }
    let here = nix::fcntl::AT_FDCWD;
    Ok(renameat2(here, new, here, place, RenameFlags::RENAME_EXCHANGE)?)
}

/// All files below `directory` whose name ends so, in order.
pub fn files(directory: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for file in all_files(directory)? {
        if file.extension() == Some(OsStr::new(extension)) {
            found.push(file);
        }
    }
    Ok(found)
}

/// What in these files tells of the machine that made them: a sentence each. A gallery has to have none.
pub fn traces(directory: &Path) -> Result<Vec<String>> {
    let names = names_of_this_machine();
    let mut found = Vec::new();
    for file in all_files(directory)? {
        let bytes = fs::read(&file).with_context(|| file.display().to_string())?;
        for name in names.iter().filter(|name| contains_word(&bytes, name.as_bytes())) {
            found.push(format!("{} contains \"{name}\"", file.display()));
        }
    }
    Ok(found)
}

const SHORTEST_NAME: usize = 4;

/// Its name, and places that only it has.
fn names_of_this_machine() -> BTreeSet<String> {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let user = ["USER", "SUDO_USER"].map(|name| std::env::var(name).unwrap_or_default());
    let home = std::env::var("HOME").unwrap_or_default();
    let workspace = paths::workspace().display().to_string();
    [host, home, workspace, std::env::temp_dir().display().to_string()]
        .into_iter()
        .chain(user)
        .map(|name| name.trim().to_owned())
        // So short a name tells nothing, and turns up by chance in what is compressed.
        .filter(|name| name.len() >= SHORTEST_NAME)
        // Names that any machine has, a guest of the testbed too.
        .filter(|name| !["root", "localhost", "debian"].contains(&name.as_str()))
        .chain(["/home/".to_owned(), "vmnet-vm-".to_owned()])
        .collect()
}

/// Whether the word is there by itself: `box` is not in `boxes` nor in `inbox`.
fn contains_word(bytes: &[u8], word: &[u8]) -> bool {
    let part_of_a_word = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    bytes.windows(word.len()).enumerate().any(|(at, window)| {
        window == word
            && !(word[0].is_ascii_alphanumeric()
                && part_of_a_word(at.checked_sub(1).and_then(|at| bytes.get(at))))
            && !(word[word.len() - 1].is_ascii_alphanumeric() && part_of_a_word(bytes.get(at + word.len())))
    })
}

fn all_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries =
        fs::read_dir(directory).with_context(|| format!("{} could not be read", directory.display()))?;
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(all_files(&entry.path())?);
        } else {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_as_a_word_and_not_within_another() {
        assert!(contains_word(b"on box: 3", b"box"));
        assert!(contains_word(b"box", b"box"));
        assert!(!contains_word(b"boxes inbox", b"box"));
        assert!(contains_word(b"\"/home/someone\"", b"/home/"));
    }

    #[test]
    fn two_directories_change_places_and_a_first_one_is_moved() {
        let directory = tempfile::tempdir().unwrap();
        let [new, place] = ["new", "place"].map(|name| directory.path().join(name));
        for made in ["first", "second"] {
            fs::create_dir_all(&new).unwrap();
            fs::write(new.join("file"), made).unwrap();
            exchange(&new, &place).unwrap();
            assert_eq!(fs::read_to_string(place.join("file")).unwrap(), made);
        }
        assert_eq!(fs::read_to_string(new.join("file")).unwrap(), "first");
    }

    #[test]
    fn a_file_that_names_its_place_is_told() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("run")).unwrap();
        fs::write(directory.path().join("run/a.json"), "{\"kernel\": \"6.1\"}").unwrap();
        assert_eq!(traces(directory.path()).unwrap(), Vec::<String>::new());
        let place = paths::workspace().join("reports");
        fs::write(directory.path().join("run/b.json"), format!("{{\"from\": \"{}\"}}", place.display()))
            .unwrap();
        let found = traces(directory.path()).unwrap();
        assert!(found.iter().any(|trace| trace.contains("b.json")), "{found:?}");
    }
}
