//! tuned's active profiles, with those that they include and the scripts that they run.

use std::path::Path;

use super::{Files, Source, Target, affects_segmentation, command_lines, matching, yes_or_no};
use crate::device::ini::{Dialect, Entry, read};
use crate::model::machine::Setter;

/// Where profiles are, the earlier before the later; the second and fourth since tuned 2.23.
const DIRECTORIES: [&str; 4] =
    ["/etc/tuned", "/etc/tuned/profiles", "/usr/lib/tuned", "/usr/lib/tuned/profiles"];
/// Profiles that include each other are not followed for ever.
const MOST_PROFILES: usize = 16;

pub(super) fn find(files: &Files<'_>, target: &Target) -> Vec<Setter> {
    let mut found = Vec::new();
    let Some(active) = files.read(Path::new("/etc/tuned/active_profile")) else { return found };
    let mut names: Vec<String> = active.text.split_whitespace().map(str::to_owned).collect();
    let mut done = 0;
    while let Some(name) = names.get(done).cloned() {
        done += 1;
        // A name with a slash would lead elsewhere.
        if done > MOST_PROFILES || name.contains('/') {
            break;
        }
        let Some((directory, source)) = DIRECTORIES.iter().find_map(|directory| {
            let directory = Path::new(directory).join(&name);
            Some((directory.clone(), files.read(&directory.join("tuned.conf"))?))
        }) else {
            continue;
        };
        let entries = read(&source.text, Dialect::KeyFile).entries;
        let included = entries.iter().filter(|entry| entry.section == "main" && entry.key == "include");
        for include in
            included.flat_map(|entry| entry.value.split([',', ' '])).filter(|name| !name.is_empty())
        {
            if !names.iter().any(|name| name == include) {
                names.push(include.to_owned());
            }
        }
        found.extend(features(&source, &entries, target));
        let scripts = entries.iter().filter(|entry| entry.key == "script");
        for script in scripts.filter_map(|entry| entry.value.strip_prefix("${i:PROFILE_DIR}/")) {
            if !script.split('/').any(|part| part == "..")
                && let Some(script) = files.read(&directory.join(script))
            {
                found.extend(command_lines::in_script(&script, target));
            }
        }
    }
    found
}

/// `features=tso off, gso off` of the sections of type net whose `devices` allow for the interface.
fn features(source: &Source, entries: &[Entry], target: &Target) -> Vec<Setter> {
    let key_of = |section: &str, key: &str| {
        entries
            .iter()
            .find(|entry| entry.section == section && entry.key == key)
            .map(|entry| entry.value.as_str())
    };
    let mut found = Vec::new();
    for entry in entries.iter().filter(|entry| entry.key == "features") {
        let is_net = key_of(&entry.section, "type").unwrap_or(&entry.section) == "net";
        let allowed = key_of(&entry.section, "devices").is_none_or(|devices| {
            let patterns: Vec<&str> =
                devices.split([',', ' ']).filter(|pattern| !pattern.is_empty()).collect();
            // `!eth0` takes one out of all.
            patterns.iter().any(|pattern| pattern.starts_with('!')) || matching::names(&patterns, target)
        });
        let words: Vec<&str> = entry.value.split([',', ' ', '\t']).filter(|word| !word.is_empty()).collect();
        let switched = words.chunks(2).filter_map(|pair| match pair {
            [feature, value] if affects_segmentation(feature) => yes_or_no(value),
            _ => None,
        });
        if let Some(turns_off) = switched.map(|on| !on).reduce(|one, other| one || other)
            && is_net
            && allowed
        {
            found.push(source.setter_of(entry, turns_off));
        }
    }
    found
}
