//! Files of sections with keys, as systemd, NetworkManager and tuned have them.

use super::Source;

/// One assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    /// From 1.
    pub(super) line: u32,
    /// In brackets above it; empty before the first.
    pub(super) section: &'a str,
    pub(super) key: &'a str,
    pub(super) value: &'a str,
    /// The whole line.
    pub(super) text: &'a str,
}

/// All assignments, in order. Lines that are none are passed over.
pub(super) fn entries(source: &Source) -> Vec<Entry<'_>> {
    let mut section = "";
    let mut found = Vec::new();
    for (line, text) in source.lines() {
        let trimmed = text.trim();
        if trimmed.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.trim();
        } else if let Some((key, value)) = trimmed.split_once('=') {
            found.push(Entry { line, section, key: key.trim(), value: value.trim(), text });
        }
    }
    found
}
