//! NetworkManager's connections (`ethtool.feature-tso`).

use super::{Files, Source, Target, affects_segmentation, matching, yes_or_no};
use crate::device::ini::{Dialect, Entry, read};
use crate::model::machine::Setter;

/// The first are readable by root alone.
const DIRECTORIES: [&str; 3] = [
    "/etc/NetworkManager/system-connections",
    "/run/NetworkManager/system-connections",
    "/usr/lib/NetworkManager/system-connections",
];

pub(super) fn find(files: &Files<'_>, target: &Target) -> Vec<Setter> {
    let paths = files.list_overriding(&DIRECTORIES, "");
    paths.iter().filter_map(|path| files.read(path)).flat_map(|source| settings(&source, target)).collect()
}

fn settings(source: &Source, target: &Target) -> Vec<Setter> {
    let entries = read(&source.text, Dialect::KeyFile).entries;
    if !entries.iter().all(|entry| allows(entry, target)) {
        return Vec::new();
    }
    let feature = |entry: &Entry| {
        let name = entry.key.strip_prefix("feature-").filter(|_| entry.section == "ethtool")?;
        let turns_off = !yes_or_no(&entry.value)?;
        affects_segmentation(name).then(|| source.setter_of(entry, turns_off))
    };
    entries.iter().filter_map(feature).collect()
}

/// Whether a key leaves the connection open to the interface.
fn allows(entry: &Entry, target: &Target) -> bool {
    match (entry.section.as_str(), entry.key.as_str()) {
        ("connection", "interface-name") => matching::names(&[entry.value.as_str()], target),
        ("ethernet" | "802-3-ethernet", "mac-address") => matching::macs(&[entry.value.as_str()], target),
        _ => true,
    }
}
