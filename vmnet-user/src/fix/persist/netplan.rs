//! netplan: a file of its own, which netplan merges into the definition of the same id. A definition that is not there yet
//! would make netplan's renderer take the interface over, so none is begun.

use std::path::{Path, PathBuf};

use saphyr::{LoadableYamlNode as _, Yaml};

use super::settings::link_key;
use super::{FileChange, Identity, PersistError, Settings, name, owned, read};

/// As netplan orders them: of files with the same name the first counts; all are merged sorted by name.
const DIRECTORIES: &[&str] = &["run/netplan", "etc/netplan", "lib/netplan", "usr/lib/netplan"];
/// netplan warns of files that others can read.
const MODE: u32 = 0o600;

pub(super) fn plan(
    root: &Path,
    interface: &Identity,
    settings: &Settings,
) -> Result<FileChange, PersistError> {
    let path = root.join("etc/netplan").join(format!("90-vmnet-{}.yaml", name::for_file(&interface.name)));
    let definitions = definitions(root, &path)?;
    let mut ids: Vec<&str> = definitions
        .iter()
        .filter(|definition| definition.is_for(interface, &definitions))
        .map(|definition| definition.id.as_str())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let id = match ids.as_slice() {
        [id] => *id,
        [] => {
            return Err(PersistError::NotConfiguredHere {
                why: format!("netplan does not configure {:?} as an ethernet", interface.name),
                remedy: "use --persist networkd, which works beside netplan".to_owned(),
            });
        }
        several => {
            return Err(PersistError::NotConfiguredHere {
                why: format!(
                    "several netplan definitions match {:?}: {}",
                    interface.name,
                    several.join(", ")
                ),
                remedy: "use --persist networkd, which works beside netplan".to_owned(),
            });
        }
    };
    refuse_if_overruled(&definitions, id, &path, settings)?;
    let mut change = owned::merged(path, MODE, settings, |kept| render(id, kept))?;
    change.note =
        format!("netplan merges it into the definition {id:?}; `netplan generate` shows the result");
    Ok(change)
}

fn render(id: &str, settings: &Settings) -> String {
    let mut text = owned::header(settings);
    // A JSON string is a YAML string, whatever is in it.
    let id = serde_json::Value::from(id).to_string();
    text.push_str(&format!("network:\n  version: 2\n  ethernets:\n    {id}:\n"));
    for (key, on) in assignments(settings) {
        text.push_str(&format!("      {key}: {on}\n"));
    }
    text
}

fn assignments(settings: &Settings) -> Vec<(&'static str, bool)> {
    let mut all: Vec<(&'static str, bool)> = Vec::new();
    for change in &settings.features {
        if let Some(key) = link_key(&change.feature)
            && !all.iter().any(|(known, _)| *known == key.netplan)
        {
            all.push((key.netplan, change.on));
        }
    }
    all
}

/// What one file says of one ethernet.
struct Definition {
    file: PathBuf,
    id: String,
    set_name: Option<String>,
    matches: Option<Match>,
    /// Each key of the definition with its value as text.
    scalars: Vec<(String, String)>,
}

#[derive(Default)]
struct Match {
    name: Option<String>,
    mac: Option<String>,
    drivers: Vec<String>,
}

impl Definition {
    /// A definition may be spread over files: what matches is in one of them.
    fn is_for(&self, interface: &Identity, all: &[Self]) -> bool {
        let parts = || all.iter().filter(|part| part.id == self.id);
        if parts().any(|part| part.set_name.as_deref() == Some(&interface.name)) {
            return true;
        }
        match parts().find_map(|part| part.matches.as_ref()) {
            Some(matches) => matches.fits(interface),
            None => self.id == interface.name,
        }
    }
}

impl Match {
    fn fits(&self, interface: &Identity) -> bool {
        let mac = |wanted: &str| {
            [&interface.permanent_mac, &interface.mac]
                .into_iter()
                .flatten()
                .any(|mac| mac.eq_ignore_ascii_case(wanted))
        };
        let glob = |pattern: &str, text: &str| {
            glob::Pattern::new(pattern).map_or(pattern == text, |pattern| pattern.matches(text))
        };
        let driver = |wanted: &String| interface.driver.as_deref().is_some_and(|driver| glob(wanted, driver));
        self.mac.as_deref().is_none_or(mac)
            && self.name.as_deref().is_none_or(|name| glob(name, &interface.name))
            && (self.drivers.is_empty() || self.drivers.iter().any(driver))
    }
}

/// All ethernets of all files but ours, in the order in which netplan merges them.
fn definitions(root: &Path, ours: &Path) -> Result<Vec<Definition>, PersistError> {
    let mut all = Vec::new();
    for path in read::layered(root, DIRECTORIES, ".yaml")? {
        if path == ours {
            continue;
        }
        let text = read::existing(&path)?;
        let documents = Yaml::load_from_str(&text).map_err(|error| PersistError::Damaged {
            path: path.clone(),
            line: error.marker().line(),
            why: error.info().to_owned(),
        })?;
        let ethernets = documents.iter().filter_map(|document| {
            document.as_mapping_get("network")?.as_mapping_get("ethernets")?.as_mapping()
        });
        for (id, definition) in ethernets.flatten() {
            let Some(id) = id.as_str() else { continue };
            all.push(Definition {
                file: path.clone(),
                id: id.to_owned(),
                set_name: text_of(definition, "set-name"),
                matches: definition.as_mapping_get("match").map(match_of),
                scalars: scalars_of(definition),
            });
        }
    }
    Ok(all)
}

fn match_of(node: &Yaml<'_>) -> Match {
    let drivers = match node.as_mapping_get("driver") {
        Some(driver) => match (driver.as_str(), driver.as_sequence()) {
            (Some(one), _) => vec![one.to_owned()],
            (None, Some(several)) => {
                several.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect()
            }
            (None, None) => Vec::new(),
        },
        None => Vec::new(),
    };
    Match { name: text_of(node, "name"), mac: text_of(node, "macaddress"), drivers }
}

fn text_of(node: &Yaml<'_>, key: &str) -> Option<String> {
    node.as_mapping_get(key)?.as_str().map(str::to_owned)
}

fn scalars_of(node: &Yaml<'_>) -> Vec<(String, String)> {
    let Some(mapping) = node.as_mapping() else { return Vec::new() };
    mapping
        .iter()
        .filter_map(|(key, value)| {
            let text =
                value.as_bool().map(|on| on.to_string()).or_else(|| value.as_str().map(str::to_owned))?;
            Some((key.as_str()?.to_owned(), text))
        })
        .collect()
}

/// Of two files, the one whose name sorts later wins.
fn refuse_if_overruled(
    definitions: &[Definition],
    id: &str,
    ours: &Path,
    settings: &Settings,
) -> Result<(), PersistError> {
    let later =
        definitions.iter().filter(|other| other.id == id && other.file.file_name() > ours.file_name());
    for other in later {
        for (key, on) in assignments(settings) {
            let theirs =
                other.scalars.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str());
            // YAML 1.1, which netplan speaks, knows more words for it.
            let is_on =
                theirs.map(|word| matches!(word.to_ascii_lowercase().as_str(), "true" | "yes" | "on" | "y"));
            if is_on.is_some_and(|theirs| theirs != on) {
                return Err(PersistError::Overruled {
                    path: other.file.clone(),
                    what: format!("{key}: {}", theirs.unwrap_or_default()),
                    remedy: "take that line out".to_owned(),
                });
            }
        }
    }
    Ok(())
}
