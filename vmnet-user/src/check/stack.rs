//! The interface and the devices below it, level by level: what passes a vlan, bond or tunnel whole may be segmented below.

use std::path::Path;

use crate::{
    device::{
        driver,
        links::{Link, LinkError, LinkReader},
    },
    model::{
        checked::CountsBy,
        driver_semantics::{CountedAs, DriverRow},
    },
};

/// A vlan on a bond of two NICs has three levels; a loop is not to be feared, but costs nothing to exclude.
const MOST_LEVELS: usize = 4;

/// Kinds of software devices that count skbs, beside those that have a row of their own. A bond shows the sum of what the devices below say.
const KINDS_THAT_COUNT_SKBS: [&str; 11] =
    ["bridge", "dummy", "geneve", "gretap", "ifb", "ipvlan", "macvlan", "netdevsim", "tun", "vlan", "vxlan"];

/// Devices that a packet passes one of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Level {
    pub(super) devices: Vec<Device>,
    pub(super) counts_by: CountsBy,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Device {
    pub(super) name: String,
    pub(super) ifindex: u32,
}

impl Level {
    /// `ens4`, or `ens4 and ens5`.
    pub(super) fn name(&self) -> String {
        let names: Vec<&str> = self.devices.iter().map(|device| device.name.as_str()).collect();
        names.join(" and ")
    }
}

/// The interface itself comes first. A device that cannot be read any more is left out.
pub(super) fn levels(link: &Link, links: &mut LinkReader) -> Result<Vec<Level>, LinkError> {
    let mut level = vec![link.clone()];
    let mut found: Vec<Vec<Link>> = Vec::new();
    while !level.is_empty() && found.len() < MOST_LEVELS {
        let mut below: Vec<Link> = Vec::new();
        for name in level.iter().flat_map(|link| names_below(Path::new("/sys/class/net"), &link.name)) {
            match links.link(&name) {
                Ok(link) if below.iter().all(|known| known.ifindex != link.ifindex) => below.push(link),
                Ok(_) | Err(LinkError::NotFound { .. } | LinkError::Gone { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        found.push(std::mem::replace(&mut level, below));
    }
    let mut levels: Vec<Level> = Vec::new();
    for devices in found.iter().rev() {
        let by_itself =
            devices.iter().all(|link| counts_skbs(link.kind.as_deref(), link.loopback, &link.name));
        let is_a_sum = devices.iter().all(|link| link.kind.as_deref() == Some("bond"));
        let below_counts_skbs = levels.last().is_some_and(|below| below.counts_by == CountsBy::Skb);
        levels.push(Level {
            devices: devices
                .iter()
                .map(|link| Device { name: link.name.clone(), ifindex: link.ifindex })
                .collect(),
            counts_by: if devices.iter().any(|link| counts_late(&link.name)) {
                CountsBy::Late
            } else if by_itself || (is_a_sum && below_counts_skbs) {
                CountsBy::Skb
            } else {
                CountsBy::Unknown
            },
        });
    }
    levels.reverse();
    Ok(levels)
}

fn counts_skbs(kind: Option<&str>, loopback: bool, name: &str) -> bool {
    let has_a_row = |driver: &str| matches!(DriverRow::of(driver), DriverRow::Known(semantics) if semantics.packets == CountedAs::Skbs);
    match kind {
        Some(kind) => has_a_row(kind) || KINDS_THAT_COUNT_SKBS.contains(&kind),
        None => loopback || driver::driver_name(name).is_some_and(|driver| has_a_row(&driver)),
    }
}

/// virtio-net without transmit interrupts: the parameter is read when the driver is loaded, and cannot be written later.
fn counts_late(name: &str) -> bool {
    driver::driver_name(name).as_deref() == Some("virtio_net")
        && std::fs::read_to_string("/sys/module/virtio_net/parameters/napi_tx")
            .is_ok_and(|value| value.trim() == "N")
}

/// The kernel shows each as `lower_NAME`. Names cannot hold a slash.
fn names_below(class_net: &Path, name: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(class_net.join(name)) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| Some(entry.file_name().to_str()?.strip_prefix("lower_")?.to_owned()))
        .collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_below_are_those_that_sysfs_calls_lower() {
        let sys = tempfile::tempdir().unwrap();
        for entry in ["lower_ens5", "lower_ens4", "upper_br0", "queues"] {
            std::fs::create_dir_all(sys.path().join("bond0").join(entry)).unwrap();
        }
        assert_eq!(names_below(sys.path(), "bond0"), ["ens4", "ens5"]);
        assert_eq!(names_below(sys.path(), "gone"), Vec::<String>::new());
    }

    #[test]
    fn what_a_driver_counts_is_known_or_said_to_be_unknown() {
        assert!(counts_skbs(Some("veth"), false, "veth0"));
        assert!(counts_skbs(None, true, "lo"));
        assert!(!counts_skbs(Some("wireguard"), false, "wg0"));
        assert!(!counts_skbs(None, false, "no such interface"));
    }
}
