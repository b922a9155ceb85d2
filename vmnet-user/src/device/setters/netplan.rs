//! netplan's files: the keys below an interface's own.

use super::{Files, Source, Target, matching, yes_or_no};
use crate::device::netplan::{Definition, Match, definitions};
use crate::model::machine::Setter;

/// The earlier hides the later's files of the same name.
const DIRECTORIES: [&str; 3] = ["/run/netplan", "/etc/netplan", "/lib/netplan"];
const KEYS: [&str; 4] = [
    "tcp-segmentation-offload",
    "tcp6-segmentation-offload",
    "generic-segmentation-offload",
    "transmit-checksum-offload",
];

pub(super) fn find(files: &Files<'_>, target: &Target) -> Vec<Setter> {
    let mut found = Vec::new();
    for source in files.list_overriding(&DIRECTORIES, ".yaml").iter().filter_map(|path| files.read(path)) {
        match definitions(&source.text) {
            Ok(all) => found.extend(all.iter().flat_map(|definition| settings(&source, definition, target))),
            Err(damage) => files.cannot_read(&source, &format!("line {}: {}", damage.line, damage.why)),
        }
    }
    found
}

fn settings(source: &Source, definition: &Definition, target: &Target) -> Vec<Setter> {
    if !is_for(definition, target) {
        return Vec::new();
    }
    let switching = definition.scalars.iter().filter(|scalar| KEYS.contains(&scalar.key.as_str()));
    switching
        .filter_map(|scalar| Some(source.setter_in_yaml(scalar.line, !yes_or_no(&scalar.value)?)))
        .collect()
}

/// By its id, unless it says by `match` which it means.
fn is_for(definition: &Definition, target: &Target) -> bool {
    let is_called = |name: &String| matching::names(&[name], target);
    let Some(Match { name, mac, drivers }) = &definition.matches else { return is_called(&definition.id) };
    // Names are matched before `set-name` gives another.
    let is_renamed = definition.set_name.as_ref().is_some_and(is_called);
    let driver = target.driver.as_deref().unwrap_or_default();
    (is_renamed || name.as_ref().is_none_or(is_called))
        && mac.as_ref().is_none_or(|mac| matching::macs(&[mac], target))
        && (drivers.is_empty() || drivers.iter().any(|wanted| matching::glob(wanted, driver)))
}
