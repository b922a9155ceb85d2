//! A cloud-config whose `bootcmd` runs at every boot. Of two files with a `bootcmd` cloud-init takes one, and user data
//! wins over files, so another one is a refusal.

use std::path::Path;

use saphyr::{LoadableYamlNode as _, Yaml};

use super::settings::on_off;
use super::{FileChange, Identity, PersistError, Settings, name, owned, read};

const SYNTAX: &str = "an argument of ethtool";
const MODE: u32 = 0o644;
/// Where it is read from, by whoever has it.
const CONFIGURATION: &str = "etc/cloud";
/// The user data of this instance, as cloud-init has merged them.
const USER_DATA: &str = "var/lib/cloud/instance/cloud-config.txt";

pub(super) fn plan(
    root: &Path,
    interface: &Identity,
    settings: &Settings,
) -> Result<FileChange, PersistError> {
    name::not_an_option(&interface.name, SYNTAX)?;
    if !root.join(CONFIGURATION).is_dir() {
        return Err(PersistError::NotConfiguredHere {
            why: format!("cloud-init is not set up here: there is no /{CONFIGURATION}"),
            remedy: "use --persist networkd or udev".to_owned(),
        });
    }
    let path =
        root.join("etc/cloud/cloud.cfg.d").join(format!("90_vmnet_{}.cfg", name::for_file(&interface.name)));
    let mut change = owned::merged(path.clone(), MODE, settings, |kept| render(&interface.name, kept))?;
    let mut others = read::layered(root, &["etc/cloud/cloud.cfg.d"], ".cfg")?;
    others.extend([root.join("etc/cloud/cloud.cfg"), root.join(USER_DATA)]);
    for other in others.iter().filter(|other| **other != path) {
        refuse_if_it_has_commands(other, &change.after)?;
    }
    change.note = "runs at every boot; the same text is user data for other machines".to_owned();
    Ok(change)
}

fn render(interface: &str, settings: &Settings) -> String {
    let mut text = format!("#cloud-config\n{}bootcmd:\n", owned::header(settings));
    let mut command = |words: Vec<String>| {
        // A JSON array of strings is a YAML one; cloud-init quotes each for the shell.
        text.push_str(&format!("  - {}\n", serde_json::Value::from(words)));
    };
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    if !settings.features.is_empty() {
        let mut ethtool = words(&["ethtool", "-K", interface]);
        for change in &settings.features {
            ethtool.extend([change.feature.clone(), on_off(change.on).to_owned()]);
        }
        command(ethtool);
    }
    if settings.limits().next().is_some() {
        let mut ip = words(&["ip", "link", "set", "dev", interface]);
        for (limit, value) in settings.limits() {
            ip.extend([limit.to_owned(), value.to_string()]);
        }
        command(ip);
    }
    text
}

fn refuse_if_it_has_commands(other: &Path, ours: &str) -> Result<(), PersistError> {
    let Some(text) = read::text(other)? else { return Ok(()) };
    let documents = Yaml::load_from_str(&text).map_err(|error| PersistError::Damaged {
        path: other.to_path_buf(),
        line: error.marker().line(),
        why: error.info().to_owned(),
    })?;
    if documents.iter().any(|document| document.as_mapping_get("bootcmd").is_some()) {
        let lines: Vec<&str> = ours.lines().filter(|line| line.starts_with("  - ")).map(str::trim).collect();
        return Err(PersistError::Overruled {
            path: other.to_path_buf(),
            what: "bootcmd".to_owned(),
            remedy: format!("add to that list: {}", lines.join(" ")),
        });
    }
    Ok(())
}
