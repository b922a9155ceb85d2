//! NetworkManager: the `[ethtool]` section of the profile in force (nm-settings-keyfile(5)). The rest of the keyfile stays
//! byte for byte.

use std::path::{Path, PathBuf};

use super::ini::{self, Dialect, Entry};
use super::{FileChange, Identity, PersistError, Settings, read};

const PROFILES: &str = "etc/NetworkManager/system-connections";
/// Profiles that NetworkManager or a generator made for this boot: they win over /etc and are gone with it.
const VOLATILE: &str = "run/NetworkManager/system-connections";
const SECTION: &str = "ethtool";
/// NetworkManager ignores keyfiles that others can read.
const MODE: u32 = 0o600;

pub(super) fn plan(
    root: &Path,
    interface: &Identity,
    settings: &Settings,
) -> Result<FileChange, PersistError> {
    let path = profile(root, interface)?;
    let before = read::existing(&path)?;
    let mut after = before.clone();
    for change in &settings.features {
        let Some(key) = key(&change.feature) else { continue };
        let value = change.on.to_string();
        after = ini::set(&after, Dialect::KeyFile, &path, SECTION, &key, &value)?;
        // An ethtool alias beside it would be applied too, and may be what switched the feature off.
        let entries = ini::entries(&after, Dialect::KeyFile, &path)?;
        if let Some(alias) = alias(&change.feature)
            && ini::value(&entries, SECTION, alias).is_some_and(|theirs| theirs != value)
        {
            after = ini::set(&after, Dialect::KeyFile, &path, SECTION, alias, &value)?;
        }
    }
    let below_root = Path::new("/").join(path.strip_prefix(root).unwrap_or(&path));
    Ok(FileChange {
        note: "the profile that NetworkManager has for this interface".to_owned(),
        reload: ["nmcli", "connection", "load", &below_root.to_string_lossy()].map(str::to_owned).into(),
        path,
        before: Some(before),
        after,
        mode: MODE,
    })
}

/// The one that is active, where NetworkManager says so, else the only one that names the interface.
fn profile(root: &Path, interface: &Identity) -> Result<PathBuf, PersistError> {
    let is_it = |entries: &[Entry]| match &interface.nm_profile_uuid {
        Some(uuid) => ini::value(entries, "connection", "uuid") == Some(uuid),
        None => ini::value(entries, "connection", "interface-name")
            .is_some_and(|name| unescaped(name) == interface.name),
    };
    let find = |directory: &str| -> Result<Vec<PathBuf>, PersistError> {
        let mut found = Vec::new();
        for path in read::layered(root, &[directory], "")? {
            if path.is_dir() {
                continue;
            }
            let entries = ini::entries(&read::existing(&path)?, Dialect::KeyFile, &path)?;
            if is_it(&entries) {
                found.push(path);
            }
        }
        Ok(found)
    };
    if let [volatile, ..] = find(VOLATILE)?.as_slice() {
        let made_by_netplan =
            volatile.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"netplan-"));
        return Err(PersistError::NotConfiguredHere {
            why: format!("the profile in force, {}, does not outlive this boot", volatile.display()),
            remedy: if made_by_netplan {
                "netplan made it: use --persist netplan".to_owned()
            } else {
                "save it first (`nmcli connection modify` with any setting does), or use --persist networkd"
                    .to_owned()
            },
        });
    }
    match find(PROFILES)?.as_slice() {
        [path] => Ok(path.clone()),
        [] => Err(PersistError::NotConfiguredHere {
            why: format!("NetworkManager has no saved profile for {:?}", interface.name),
            remedy: "use --persist networkd or udev".to_owned(),
        }),
        several => Err(PersistError::NotConfiguredHere {
            why: format!(
                "{} NetworkManager profiles are for {:?}, and NetworkManager does not say which is active",
                several.len(),
                interface.name
            ),
            remedy: "activate one (`nmcli connection up`) and try again".to_owned(),
        }),
    }
}

/// The keyfile's key for a feature of the kernel's (libnm's `NM_ETHTOOL_OPTNAME_FEATURE_*`, 1.42). Some are known by
/// ethtool's alias only.
pub(super) fn key(feature: &str) -> Option<String> {
    match feature {
        "tx-generic-segmentation" => Some("feature-gso".to_owned()),
        "rx-gro" => Some("feature-gro".to_owned()),
        known if KNOWN.contains(&known) => Some(format!("feature-{known}")),
        _ => None,
    }
}

const KNOWN: &[&str] = &[
    "tx-checksum-fcoe-crc",
    "tx-checksum-ip-generic",
    "tx-checksum-ipv4",
    "tx-checksum-ipv6",
    "tx-checksum-sctp",
    "tx-gre-csum-segmentation",
    "tx-gre-segmentation",
    "tx-gso-list",
    "tx-gso-partial",
    "tx-gso-robust",
    "tx-ipxip4-segmentation",
    "tx-ipxip6-segmentation",
    "tx-scatter-gather",
    "tx-scatter-gather-fraglist",
    "tx-sctp-segmentation",
    "tx-tcp-ecn-segmentation",
    "tx-tcp-mangleid-segmentation",
    "tx-tcp-segmentation",
    "tx-tcp6-segmentation",
    "tx-udp-segmentation",
    "tx-udp_tnl-csum-segmentation",
    "tx-udp_tnl-segmentation",
];

/// The alias that stands for the feature among others.
fn alias(feature: &str) -> Option<&'static str> {
    match feature {
        tcp if tcp.starts_with("tx-tcp") => Some("feature-tso"),
        "tx-scatter-gather" | "tx-scatter-gather-fraglist" => Some("feature-sg"),
        checksum if checksum.starts_with("tx-checksum-") => Some("feature-tx"),
        _ => None,
    }
}

/// GKeyFile's escapes, as far as a name of an interface can need them.
fn unescaped(value: &str) -> String {
    value.replace("\\s", " ").replace("\\\\", "\\")
}
