//! The report of a run, from whatever was written of it: its recording, or its JSON.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{FILE, assemble::report, frames::MAGIC, read::read_file};
use crate::report::kit::budget::{MOST_BYTES, within_budget};
use crate::report::run::schema::{RunReport, SCHEMA};

/// What a run's directory is looked through for: the first that is there.
pub const IN_A_DIRECTORY: [&str; 2] = [FILE, "run.json"];

/// Why there is no run. Each message is whole: what was tried, what came of it, what to do.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The kernel said no.
    #[error("cannot read {}: {answer}; give a run's directory, its run.vmnet or its run.json", path.display())]
    Unreadable {
        /// What was to be read.
        path: PathBuf,
        /// The kernel's answer.
        answer: io::Error,
    },
    /// A directory without a run.
    #[error("{} holds neither run.vmnet nor run.json; give the directory that `vmnet run` names at its end", path.display())]
    NoRun {
        /// The directory.
        path: PathBuf,
    },
    /// No run has so much to say.
    #[error("{} is longer than {MOST_BYTES} bytes, which no run is; is it the right file?", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// What it says would take too much memory.
    #[error("{} has {what}, more than any run: it was not written by vmnet, or is damaged", path.display())]
    TooMuch {
        /// The file.
        path: PathBuf,
        /// What there is too much of.
        what: String,
    },
    /// JSON of a later vmnet.
    #[error("{} was written as {schema}, by a newer vmnet than this one, which reads {SCHEMA}; update vmnet", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// What it says that it is.
        schema: String,
    },
    /// JSON of something else.
    #[error("{} is {schema:?}, not a run ({SCHEMA}); only runs can be compared", path.display())]
    Otherwise {
        /// The file.
        path: PathBuf,
        /// What it says that it is.
        schema: String,
    },
    /// Not what it should be.
    #[error("{} cannot be understood as a run: {why}; give a run's directory, its run.vmnet or its run.json", path.display())]
    NotARun {
        /// The file.
        path: PathBuf,
        /// What stands in the way.
        why: String,
    },
}

/// A run, and the file that it was read from.
///
/// # Errors
/// Why it cannot be had.
pub fn load(path: &Path) -> Result<(RunReport, PathBuf), LoadError> {
    let file = if path.is_dir() { in_directory(path)? } else { path.to_owned() };
    // Told apart by what they hold, not by their names.
    if is_recording(&file)? {
        let not_a_run = |why: String| LoadError::NotARun { path: file.clone(), why };
        let run = read_file(&file).map_err(|error| not_a_run(error.to_string()))?;
        let report = report(&run).ok_or_else(|| not_a_run("it holds fewer than two samples".to_owned()))?;
        return Ok((report, file));
    }
    let report = from_json(&read(&file)?, &file)?;
    Ok((report, file))
}

/// A run's JSON, which anybody may have written. `file` is for the message.
pub(crate) fn from_json(bytes: &[u8], file: &Path) -> Result<RunReport, LoadError> {
    let not_a_run = |why: String| LoadError::NotARun { path: file.to_owned(), why };
    let starts_as_json = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    if !starts_as_json {
        let why = if bytes.is_empty() { "it is empty" } else { "it is neither a recording nor JSON" };
        return Err(not_a_run(why.to_owned()));
    }
    within_budget(bytes).map_err(|what| LoadError::TooMuch { path: file.to_owned(), what })?;
    let head: Head = serde_json::from_slice(bytes).map_err(|error| not_a_run(error.to_string()))?;
    let Some(schema) = head.schema else {
        return Err(not_a_run("its JSON does not say what it is (no schema)".to_owned()));
    };
    if schema != SCHEMA {
        let version =
            |schema: &str| schema.strip_prefix("vmnet.run/").and_then(|version| version.parse::<u32>().ok());
        let path = file.to_owned();
        return Err(if version(&schema) > version(SCHEMA) {
            LoadError::Newer { path, schema }
        } else {
            LoadError::Otherwise { path, schema }
        });
    }
    serde_json::from_slice(bytes).map_err(|error| not_a_run(error.to_string()))
}

fn in_directory(path: &Path) -> Result<PathBuf, LoadError> {
    let candidates = IN_A_DIRECTORY.iter().map(|name| path.join(name));
    candidates
        .into_iter()
        .find(|file| file.exists())
        .ok_or_else(|| LoadError::NoRun { path: path.to_owned() })
}

/// Whether a file begins as a run's recording does.
///
/// # Errors
/// It cannot be read.
pub fn is_recording(path: &Path) -> Result<bool, LoadError> {
    let mut first = Vec::new();
    let file = File::open(path).and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut first));
    file.map_err(|answer| LoadError::Unreadable { path: path.to_owned(), answer })?;
    Ok(first == MAGIC)
}

fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    let unreadable = |answer| LoadError::Unreadable { path: path.to_owned(), answer };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= MOST_BYTES) {
        Ok(bytes)
    } else {
        Err(LoadError::TooLong { path: path.to_owned() })
    }
}

/// The part of every report that says what it is.
#[derive(Deserialize)]
struct Head {
    schema: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ending::RunEnding;
    use crate::recording::testing;
    use crate::report::run::{fixture, json};

    fn written(text: &str) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("run.json"), text).unwrap();
        directory
    }

    #[test]
    fn a_file_and_its_directory_give_the_same_run() {
        let directory = written(&json::to_text(&fixture::software()).unwrap());
        let file = directory.path().join("run.json");
        let (report, from) = load(directory.path()).unwrap();
        assert_eq!((report.interface.name.as_str(), &from), ("ens4", &file));
        assert_eq!(load(&file).unwrap().0.throughput.samples, report.throughput.samples);
    }

    #[test]
    fn a_recording_is_known_by_its_first_bytes_and_comes_before_json() {
        let directory = written("{}");
        let recording = directory.path().join("run.vmnet");
        std::fs::write(&recording, testing::recording(3, 1, 1, Some(&testing::end()))).unwrap();
        let (report, from) = load(directory.path()).unwrap();
        assert_eq!((report.window.ended_by, &from), (RunEnding::Command, &recording));
        let renamed = directory.path().join("evidence");
        std::fs::rename(&recording, &renamed).unwrap();
        assert_eq!(load(&renamed).unwrap().0.window.ended_by, RunEnding::Command);
        std::fs::write(&renamed, b"\x89VMNET\r\n and no more").unwrap();
        assert!(load(&renamed).unwrap_err().to_string().contains("damaged at byte"));
    }

    #[test]
    fn what_is_not_a_run_is_refused_in_words_that_help() {
        let said = |text: &str| load(written(text).path()).unwrap_err().to_string();
        assert!(said("").contains("it is empty"));
        assert!(said("\x7fELF").contains("neither a recording nor JSON"));
        assert!(said("{").contains("cannot be understood as a run: EOF"));
        assert!(said("{}").contains("does not say what it is"));
        assert!(said(r#"{"schema": 7}"#).contains("cannot be understood"));
        assert!(said(r#"{"schema": "vmnet.run/1"}"#).contains("missing field"));
        assert!(said(r#"{"schema": "vmnet.run/2"}"#).contains("newer vmnet"));
        assert!(said(r#"{"schema": "vmnet.check/1"}"#).contains("only runs can be compared"));
        assert!(said(r#"{"schema": "vmnet.run/0"}"#).contains("only runs can be compared"));
        assert!(said(&"[".repeat(100_000)).contains("neither a recording nor JSON"));
        assert!(said(&format!("{{\"a\":{}", "[".repeat(100_000))).contains("cannot be understood"));
    }

    #[test]
    fn json_that_would_take_more_memory_than_a_run_is_refused_before_it_is_parsed() {
        let whole = json::to_text(&fixture::software()).unwrap();
        let with_queues =
            |queues: &str| whole.replacen("\"queues\": [", &format!("\"queues\": [{queues}"), 1);
        let said = |text: &str| load(written(text).path()).unwrap_err().to_string();
        assert!(said(&with_queues(&"{},".repeat(600_000))).contains("values, more than any run"));
        let long = format!("{{\"schema\": \"{SCHEMA}\", \"a\": \"{}\"}}", "\\\"[{,".repeat(3 << 20));
        assert!(said(&long).contains("bytes of text, more than any run"));
        assert!(within_budget(whole.as_bytes()).is_ok());
    }

    #[test]
    fn what_is_not_there_is_named() {
        let empty = tempfile::tempdir().unwrap();
        assert!(load(empty.path()).unwrap_err().to_string().contains("neither run.vmnet nor run.json"));
        let missing = load(Path::new("/nowhere/run.json")).unwrap_err().to_string();
        assert!(missing.starts_with("cannot read /nowhere/run.json: No such file"), "{missing}");
    }
}
