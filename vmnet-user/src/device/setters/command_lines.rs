//! Lines that run `ethtool -K`: udev rules, ifupdown, units, boot and dispatcher scripts, cloud-init's user data.

use super::{Files, Source, Target, affects_segmentation, matching, yes_or_no};
use crate::model::machine::Setter;

const UDEV_DIRECTORIES: [&str; 4] =
    ["/etc/udev/rules.d", "/run/udev/rules.d", "/usr/local/lib/udev/rules.d", "/usr/lib/udev/rules.d"];
const IFUPDOWN_DIRECTORY: &str = "/etc/network/interfaces.d";
/// Directories and endings of files with commands in them.
const SCRIPTS: [(&str, &str); 15] = [
    ("/etc/network/if-up.d", ""),
    ("/etc/network/if-pre-up.d", ""),
    ("/etc/networkd-dispatcher/routable.d", ""),
    ("/etc/networkd-dispatcher/configured.d", ""),
    ("/etc/networkd-dispatcher/carrier.d", ""),
    ("/etc/NetworkManager/dispatcher.d", ""),
    ("/etc/NetworkManager/dispatcher.d/pre-up.d", ""),
    ("/etc/systemd/system", ".service"),
    ("/usr/local/sbin", ".sh"),
    ("/usr/local/bin", ".sh"),
    ("/etc/cloud/cloud.cfg.d", ".cfg"),
    ("/var/lib/cloud/scripts/per-boot", ""),
    ("/var/lib/cloud/instance/scripts", ""),
    ("/etc/cron.d", ""),
    ("/etc/sysconfig/network-scripts", ""),
];
const SINGLE_SCRIPTS: [&str; 4] =
    ["/etc/rc.local", "/etc/cloud/cloud.cfg", "/var/lib/cloud/instance/user-data.txt", "/etc/crontab"];

pub(super) fn find(files: &Files<'_>, target: &Target) -> Vec<Setter> {
    let mut found = Vec::new();
    for path in files.list_overriding(&UDEV_DIRECTORIES, ".rules") {
        let rules = files.read(&path);
        found.extend(rules.iter().flat_map(|rules| in_rules(rules, target)));
    }
    let interfaces = files.list(IFUPDOWN_DIRECTORY, "");
    for path in ["/etc/network/interfaces".into()].iter().chain(&interfaces) {
        let interfaces = files.read(path);
        found.extend(interfaces.iter().flat_map(|interfaces| in_interfaces(interfaces, target)));
    }
    let listed = SCRIPTS.iter().flat_map(|(directory, ending)| files.list(directory, ending));
    for path in listed.chain(SINGLE_SCRIPTS.iter().map(Into::into)) {
        let script = files.read(&path);
        found.extend(script.iter().flat_map(|script| in_script(script, target)));
    }
    found
}

/// Every line that switches one of the offloads for a device that could be the interface.
pub(super) fn in_script(script: &Source, target: &Target) -> Vec<Setter> {
    let switches = |(line, text)| Some(script.setter(line, text, ethtool_turns_off(text, target)?));
    script.lines().filter_map(switches).collect()
}

/// The same in udev rules, without those whose `KERNEL==` or `NAME==` is another's.
fn in_rules(rules: &Source, target: &Target) -> Vec<Setter> {
    let names_another = |text: &str| {
        ["KERNEL==\"", "NAME==\"", "ENV{INTERFACE}==\""].iter().any(|key| {
            let value = text.split_once(key).and_then(|(_, rest)| rest.split('"').next());
            value.is_some_and(|patterns| !matching::names(&patterns.split('|').collect::<Vec<_>>(), target))
        })
    };
    let lines = rules.lines().filter(|(_, text)| !names_another(text));
    lines
        .filter_map(|(line, text)| Some(rules.setter(line, text, ethtool_turns_off(text, target)?)))
        .collect()
}

/// ifupdown: `offload-tso off` below `iface ens4 …`, and commands.
fn in_interfaces(interfaces: &Source, target: &Target) -> Vec<Setter> {
    let mut own = false;
    let mut found = Vec::new();
    for (line, text) in interfaces.lines() {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            ["iface", name, ..] => own = matching::names(&[name], target),
            ["auto" | "allow-hotplug" | "mapping" | "source" | "source-directory", ..] => own = false,
            [key, value] if own => {
                if let (Some(feature), Some(on)) = (key.strip_prefix("offload-"), yes_or_no(value))
                    && affects_segmentation(feature)
                {
                    found.push(interfaces.setter(line, text, !on));
                }
            }
            _ => {}
        }
        if let Some(turns_off) = ethtool_turns_off(text, target) {
            found.push(interfaces.setter(line, text, turns_off));
        }
    }
    found
}

/// Whether a line's `ethtool -K DEVICE feature on|off …` turns one of the offloads off; None where it switches none, or for another device.
fn ethtool_turns_off(line: &str, target: &Target) -> Option<bool> {
    if line.trim_start().starts_with('#') || !line.contains("ethtool") {
        return None;
    }
    let mut words = line
        .split(|letter: char| letter.is_whitespace() || matches!(letter, '"' | '\'' | ',' | ';' | '[' | ']'))
        .filter(|word| !word.is_empty());
    words.find(|word| word.ends_with("ethtool"))?;
    words.find(|word| matches!(*word, "-K" | "--features" | "--offload"))?;
    if !matching::script_device(words.next()?, target) {
        return None;
    }
    let words: Vec<&str> = words.collect();
    let switched = words.windows(2).filter_map(|pair| match pair {
        [feature, value] if affects_segmentation(feature) => yes_or_no(value),
        _ => None,
    });
    switched.map(|on| !on).reduce(|one, other| one || other)
}
