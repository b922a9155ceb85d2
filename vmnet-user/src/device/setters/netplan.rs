//! netplan's YAML, and what is like it (cloud-init's network-config version 2): lines below an interface's own key.

use super::{Files, Source, Target, matching, yes_or_no};
use crate::model::machine::Setter;

/// The earlier hides the later's files of the same name.
const DIRECTORIES: [&str; 3] = ["/run/netplan", "/etc/netplan", "/lib/netplan"];
const KEYS: [&str; 4] = [
    "tcp-segmentation-offload",
    "tcp6-segmentation-offload",
    "generic-segmentation-offload",
    "transmit-checksum-offload",
];
/// The keys above an interface's.
const SECTIONS: [&str; 9] =
    ["ethernets", "vlans", "bonds", "bridges", "tunnels", "wifis", "modems", "vrfs", "dummy-devices"];

pub(super) fn find(files: &Files<'_>, target: &Target) -> Vec<Setter> {
    let paths = files.list_overriding(&DIRECTORIES, ".yaml");
    paths.iter().filter_map(|path| files.read(path)).flat_map(|source| settings(&source, target)).collect()
}

/// A line of a block mapping.
struct Line<'a> {
    number: u32,
    indent: usize,
    key: &'a str,
    value: &'a str,
    text: &'a str,
}

fn settings(source: &Source, target: &Target) -> Vec<Setter> {
    let lines: Vec<Line<'_>> = source.lines().filter_map(|(number, text)| line(number, text)).collect();
    let mut found = Vec::new();
    let mut rest = lines.as_slice();
    while let Some((section, after)) = rest.split_first() {
        rest = after;
        if !SECTIONS.contains(&section.key) {
            continue;
        }
        let mut inside = below(after, section.indent);
        rest = after.get(inside.len()..).unwrap_or_default();
        while let Some((interface, after)) = inside.split_first() {
            let own = below(after, interface.indent);
            inside = after.get(own.len()..).unwrap_or_default();
            if !is_for(interface, own, target) {
                continue;
            }
            found.extend(
                own.iter()
                    .filter(|line| KEYS.contains(&line.key))
                    .filter_map(|line| Some(source.setter(line.number, line.text, !yes_or_no(line.value)?))),
            );
        }
    }
    found
}

/// The lines that are indented more than their head.
fn below<'a, 'b>(lines: &'b [Line<'a>], indent: usize) -> &'b [Line<'a>] {
    let end = lines.iter().position(|line| line.indent <= indent).unwrap_or(lines.len());
    lines.get(..end).unwrap_or_default()
}

fn line(number: u32, text: &str) -> Option<Line<'_>> {
    let content = text.trim_start_matches(' ');
    if content.starts_with('#') {
        return None;
    }
    let (key, value) = content.split_once(':')?;
    let value = value.split(" #").next().unwrap_or_default().trim();
    Some(Line { number, indent: text.len() - content.len(), key: unquoted(key), value, text })
}

/// By its id, unless it says by `match` which it means.
fn is_for(interface: &Line<'_>, own: &[Line<'_>], target: &Target) -> bool {
    let Some(at) = own.iter().position(|line| line.key == "match") else {
        return matching::names(&[interface.key], target);
    };
    let Some((head, after)) = own.get(at..).and_then(<[_]>::split_first) else { return true };
    let conditions = below(after, head.indent);
    // Names are matched before `set-name` gives another; `{…}` on one line is not taken apart.
    let renamed =
        own.iter().any(|line| line.key == "set-name" && matching::names(&[unquoted(line.value)], target));
    conditions.iter().all(|line| match line.key {
        "name" => renamed || matching::names(&[unquoted(line.value)], target),
        "macaddress" => matching::macs(&[unquoted(line.value)], target),
        "driver" if !line.value.is_empty() => {
            matching::glob(unquoted(line.value), target.driver.as_deref().unwrap_or_default())
        }
        _ => true,
    })
}

fn unquoted(text: &str) -> &str {
    text.trim().trim_matches(['"', '\''])
}
