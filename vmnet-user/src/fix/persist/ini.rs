//! The two ini dialects, read strictly and changed line by line, so that everything else stays as it is.

use std::path::Path;

use super::PersistError;
use crate::device::ini::read;
pub(super) use crate::device::ini::{Dialect, Entry};

/// All assignments, in order. `path` is for the message.
pub(super) fn entries(text: &str, dialect: Dialect, path: &Path) -> Result<Vec<Entry>, PersistError> {
    let ini = read(text, dialect);
    match ini.damage {
        None => Ok(ini.entries),
        Some((line, why)) => {
            Err(PersistError::Damaged { path: path.to_path_buf(), line: line + 1, why: why.to_owned() })
        }
    }
}

/// The text with `key=value` in `section`: in place of the last assignment of that key, else behind the last of that
/// section, else in a new section at the end.
pub(super) fn set(
    text: &str,
    dialect: Dialect,
    path: &Path,
    section: &str,
    key: &str,
    value: &str,
) -> Result<String, PersistError> {
    let entries = entries(text, dialect, path)?;
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    let assignment = format!("{key}={value}\n");
    if let Some(entry) = entries.iter().rfind(|entry| entry.section == section && entry.key == key) {
        if entry.value != value {
            lines.splice(entry.first_line..entry.end_line, [assignment.as_str()]);
        }
        return Ok(lines.concat());
    }
    let header = format!("[{section}]");
    let after = match entries.iter().rfind(|entry| entry.section == section) {
        Some(entry) => Some(entry.end_line),
        None => lines.iter().rposition(|line| line.trim() == header).map(|line| line + 1),
    };
    let unended = !text.is_empty() && !text.ends_with('\n');
    let Some(after) = after else {
        let gap = match (text.is_empty(), unended) {
            (true, _) => "",
            (false, true) => "\n\n",
            (false, false) => "\n",
        };
        return Ok(format!("{text}{gap}{header}\n{assignment}"));
    };
    if after == lines.len() && unended {
        return Ok(format!("{text}\n{assignment}"));
    }
    lines.insert(after, &assignment);
    Ok(lines.concat())
}

/// The last value of a key, which is the one that counts.
pub(super) fn value<'e>(entries: &'e [Entry], section: &str, key: &str) -> Option<&'e str> {
    entries
        .iter()
        .rfind(|entry| entry.section == section && entry.key == key)
        .map(|entry| entry.value.as_str())
}
