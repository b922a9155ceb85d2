//! The two ini dialects, read strictly and changed line by line, so that everything else stays as it is.

use std::path::Path;

use super::PersistError;

/// Whose rules hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// systemd.syntax(7): `#` and `;` begin comments, a `\` at the end continues the line.
    Systemd,
    /// GKeyFile, as NetworkManager's keyfiles are: `#` begins comments, nothing continues.
    KeyFile,
}

/// One assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) section: String,
    pub(super) key: String,
    pub(super) value: String,
    /// From 0.
    first_line: usize,
    /// Exclusive.
    end_line: usize,
}

/// All assignments, in order. `path` is for the message.
pub(super) fn entries(text: &str, dialect: Dialect, path: &Path) -> Result<Vec<Entry>, PersistError> {
    let damaged = |line: usize, why: &str| PersistError::Damaged {
        path: path.to_path_buf(),
        line: line + 1,
        why: why.to_owned(),
    };
    let mut entries = Vec::new();
    let mut section: Option<String> = None;
    let mut lines = text.lines().enumerate();
    while let Some((first_line, line)) = lines.next() {
        if line.contains('\0') {
            return Err(damaged(first_line, "a NUL byte: half-written"));
        }
        let line = line.trim();
        if line.is_empty() || is_comment(line, dialect) {
            continue;
        }
        if let Some(header) = line.strip_prefix('[') {
            let name =
                header.strip_suffix(']').ok_or_else(|| damaged(first_line, "a section without its ]"))?;
            section = Some(name.to_owned());
            continue;
        }
        let (key, value) =
            line.split_once('=').ok_or_else(|| damaged(first_line, "neither a section nor key=value"))?;
        let section = section.clone().ok_or_else(|| damaged(first_line, "a key before any section"))?;
        let (mut value, mut end_line) = (value.trim().to_owned(), first_line + 1);
        while dialect == Dialect::Systemd && value.ends_with('\\') {
            let (next, continued) = lines
                .next()
                .ok_or_else(|| damaged(first_line, "ends in the middle of a line that goes on"))?;
            end_line = next + 1;
            if !is_comment(continued.trim(), dialect) {
                value.pop();
                value = format!("{} {}", value.trim_end(), continued.trim());
            }
        }
        entries.push(Entry { section, key: key.trim().to_owned(), value, first_line, end_line });
    }
    Ok(entries)
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

fn is_comment(line: &str, dialect: Dialect) -> bool {
    line.starts_with('#') || (dialect == Dialect::Systemd && line.starts_with(';'))
}
