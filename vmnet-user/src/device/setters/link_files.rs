//! systemd's `.link` files (`systemd.link(5)`), with their drop-ins.

use std::path::Path;

use super::{Files, Source, Target, matching, yes_or_no};
use crate::device::ini::{Dialect, Entry, read};
use crate::model::machine::Setter;

/// The earlier hides the later's files of the same name.
const DIRECTORIES: [&str; 4] = [
    "/etc/systemd/network",
    "/run/systemd/network",
    "/usr/local/lib/systemd/network",
    "/usr/lib/systemd/network",
];
const KEYS: [&str; 4] = [
    "TCPSegmentationOffload",
    "TCP6SegmentationOffload",
    "GenericSegmentationOffload",
    "TransmitChecksumOffload",
];

/// udev applies the first file alone whose `[Match]` fits; what comes after it is not shown.
pub(super) fn find(files: &Files<'_>, target: &Target) -> Vec<Setter> {
    let mut found = Vec::new();
    for path in files.list_overriding(&DIRECTORIES, ".link") {
        let Some(source) = files.read(&path) else { continue };
        let drop_ins = drop_ins(files, &path);
        let sources: Vec<&Source> = [&source].into_iter().chain(&drop_ins).collect();
        let all: Vec<(&Source, Entry)> = sources
            .iter()
            .flat_map(|source| {
                read(&source.text, Dialect::Systemd).entries.into_iter().map(move |entry| (*source, entry))
            })
            .collect();
        let conditions: Vec<&Entry> =
            all.iter().map(|(_, entry)| entry).filter(|entry| entry.section == "Match").collect();
        let fit = fits(&conditions, target);
        if fit != Fit::No {
            found.extend(all.iter().filter_map(|(source, entry)| setting(source, entry)));
        }
        if fit == Fit::Yes {
            break;
        }
    }
    found
}

fn drop_ins(files: &Files<'_>, path: &Path) -> Vec<Source> {
    let Some(name) = path.file_name().map(|name| name.to_string_lossy()) else { return Vec::new() };
    let directories: Vec<String> =
        DIRECTORIES.iter().map(|directory| format!("{directory}/{name}.d")).collect();
    let directories: Vec<&str> = directories.iter().map(String::as_str).collect();
    files.list_overriding(&directories, ".conf").iter().filter_map(|path| files.read(path)).collect()
}

fn setting(source: &Source, entry: &Entry) -> Option<Setter> {
    if entry.section != "Link" || !KEYS.contains(&entry.key.as_str()) {
        return None;
    }
    Some(source.setter_of(entry, !yes_or_no(&entry.value)?))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fit {
    Yes,
    /// It has conditions that are not judged here (`Path=`, `Property=`, `Host=`, a name that it no longer has).
    Perhaps,
    No,
}

/// All conditions must hold. A file without any is not used at all.
fn fits(conditions: &[&Entry], target: &Target) -> Fit {
    let mut fit = Fit::Yes;
    if conditions.is_empty() {
        return Fit::No;
    }
    for entry in conditions.iter().filter(|entry| !entry.value.is_empty()) {
        let (negated, list) = match entry.value.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, entry.value.as_str()),
        };
        let patterns: Vec<&str> = list.split_whitespace().collect();
        let any = |text: &str| patterns.iter().any(|pattern| matching::glob(pattern, text));
        let holds = match entry.key.as_str() {
            "MACAddress" | "PermanentMACAddress" => matching::macs(&patterns, target),
            // The kernel's own first name is forgotten by now, so a pattern for such names may have meant it.
            "OriginalName" if !matching::names(&patterns, target) && any("eth0") != negated => {
                fit = Fit::Perhaps;
                continue;
            }
            "OriginalName" => matching::names(&patterns, target),
            "Driver" => any(target.driver.as_deref().unwrap_or_default()),
            "Kind" => any(target.kind.as_deref().unwrap_or_default()),
            _ => {
                fit = Fit::Perhaps;
                continue;
            }
        };
        if holds == negated {
            return Fit::No;
        }
    }
    fit
}
