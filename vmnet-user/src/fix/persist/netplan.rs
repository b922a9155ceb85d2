//! netplan: a file of its own, which netplan merges into the definition of the same id. A definition that is not there yet
//! would make netplan's renderer take the interface over, so none is begun.

use std::path::{Path, PathBuf};

use super::settings::link_key;
use super::{FileChange, Identity, PersistError, Settings, name, owned, read};
use crate::device::netplan::{self, Match};

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
        .map(|definition| definition.said.id.as_str())
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
    said: netplan::Definition,
}

impl Definition {
    /// A definition may be spread over files: what matches is in one of them.
    fn is_for(&self, interface: &Identity, all: &[Self]) -> bool {
        let parts = || all.iter().filter(|part| part.said.id == self.said.id);
        if parts().any(|part| part.said.set_name.as_deref() == Some(&interface.name)) {
            return true;
        }
        match parts().find_map(|part| part.said.matches.as_ref()) {
            Some(matches) => fits(matches, interface),
            None => self.said.id == interface.name,
        }
    }
}

fn fits(matches: &Match, interface: &Identity) -> bool {
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
    matches.mac.as_deref().is_none_or(mac)
        && matches.name.as_deref().is_none_or(|name| glob(name, &interface.name))
        && (matches.drivers.is_empty() || matches.drivers.iter().any(driver))
}

/// All ethernets of all files but ours, in the order in which netplan merges them.
fn definitions(root: &Path, ours: &Path) -> Result<Vec<Definition>, PersistError> {
    let mut all = Vec::new();
    for path in read::layered(root, DIRECTORIES, ".yaml")? {
        if path == ours {
            continue;
        }
        let text = read::existing(&path)?;
        let said = netplan::definitions(&text).map_err(|damage| PersistError::Damaged {
            path: path.clone(),
            line: damage.line,
            why: damage.why,
        })?;
        let ethernets = said.into_iter().filter(|definition| definition.section == "ethernets");
        all.extend(ethernets.map(|said| Definition { file: path.clone(), said }));
    }
    Ok(all)
}

/// Of two files, the one whose name sorts later wins.
fn refuse_if_overruled(
    definitions: &[Definition],
    id: &str,
    ours: &Path,
    settings: &Settings,
) -> Result<(), PersistError> {
    let later =
        definitions.iter().filter(|other| other.said.id == id && other.file.file_name() > ours.file_name());
    for other in later {
        for (key, on) in assignments(settings) {
            let theirs = other
                .said
                .scalars
                .iter()
                .find(|scalar| scalar.key == key)
                .map(|scalar| scalar.value.as_str());
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
