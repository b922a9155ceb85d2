//! A udev rule. A renamed interface comes by a second time, as `move`, under the name it has now.

use std::path::Path;

use super::settings::on_off;
use super::{FileChange, Identity, PersistError, Settings, name, owned};

const SYNTAX: &str = "a udev rule";
const MODE: u32 = 0o644;

pub(super) fn plan(
    root: &Path,
    interface: &Identity,
    settings: &Settings,
) -> Result<FileChange, PersistError> {
    let name = name::as_argument(&interface.name, SYNTAX)?;
    // udev does not look along a PATH.
    let ethtool = program(root, "ethtool");
    let ip = program(root, "ip");
    if !settings.features.is_empty() && ethtool.is_none() {
        return Err(PersistError::ProgramMissing { program: "ethtool" });
    }
    if settings.limits().next().is_some() && ip.is_none() {
        return Err(PersistError::ProgramMissing { program: "ip" });
    }
    let (ethtool, ip) = (ethtool.unwrap_or_default(), ip.unwrap_or_default());
    let path = root.join("etc/udev/rules.d").join(format!("90-vmnet-{}.rules", name::for_file(name)));
    let mut change = owned::merged(path, MODE, settings, |kept| render(name, &ethtool, &ip, kept))?;
    change.note = "applies whenever the interface appears or gets this name".to_owned();
    Ok(change)
}

fn render(name: &str, ethtool: &str, ip: &str, settings: &Settings) -> String {
    let mut rule = format!("ACTION==\"add|move\", SUBSYSTEM==\"net\", KERNEL==\"{name}\"");
    if !settings.features.is_empty() {
        let features: Vec<String> = settings
            .features
            .iter()
            .map(|change| format!("{} {}", change.feature, on_off(change.on)))
            .collect();
        rule.push_str(&format!(", RUN+=\"{ethtool} -K {name} {}\"", features.join(" ")));
    }
    let limits: Vec<String> = settings.limits().map(|(limit, value)| format!("{limit} {value}")).collect();
    if !limits.is_empty() {
        rule.push_str(&format!(", RUN+=\"{ip} link set dev {name} {}\"", limits.join(" ")));
    }
    format!("{}{rule}\n", owned::header(settings))
}

/// A program of this machine.
pub(super) fn program(root: &Path, name: &str) -> Option<String> {
    ["usr/sbin", "sbin", "usr/bin", "bin"]
        .into_iter()
        .map(|directory| format!("{directory}/{name}"))
        .find(|path| root.join(path).is_file())
        .map(|path| format!("/{path}"))
}
