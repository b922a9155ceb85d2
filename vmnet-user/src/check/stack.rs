//! The interface and the devices below it, level by level: what passes a vlan, bond or tunnel whole may be segmented below.

use std::path::Path;

use crate::{
    device::{
        driver,
        links::{Link, LinkError, LinkReader},
        stack,
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

/// What a tunnel puts in front at most, without options: IPv6, UDP, GENEVE or VXLAN, and the Ethernet header of what is inside.
const MOST_ENCAPSULATION_BYTES: u32 = 40 + 8 + 8 + 14;

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
    pub(super) mtu_bytes: u32,
    pub(super) is_tunnel: bool,
}

impl Level {
    pub(super) fn is_tunnel(&self) -> bool {
        self.devices.iter().any(|device| device.is_tunnel)
    }

    /// `ens4`, or `ens4 and ens5`.
    pub(super) fn name(&self) -> String {
        let names: Vec<&str> = self.devices.iter().map(|device| device.name.as_str()).collect();
        names.join(" and ")
    }
}

/// The interface itself comes first. A device that cannot be read any more is left out.
pub(super) fn levels(link: &Link, links: &mut LinkReader) -> Result<Vec<Level>, LinkError> {
    let all = links.all()?;
    let routed_to = |link: &Link| {
        let by = all.iter().find(|known| known.ifindex == link.ifindex)?.routed_to_ifindex?;
        Some(all.iter().find(|known| known.ifindex == by)?.name.clone())
    };
    let mut level = vec![link.clone()];
    let mut found: Vec<Vec<Link>> = Vec::new();
    while !level.is_empty() && found.len() < MOST_LEVELS {
        let mut below: Vec<Link> = Vec::new();
        let names_of = |link: &Link| {
            names_below(Path::new("/sys/class/net"), &link.name).into_iter().chain(routed_to(link))
        };
        for name in level.iter().flat_map(names_of) {
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
                .map(|link| Device {
                    name: link.name.clone(),
                    ifindex: link.ifindex,
                    mtu_bytes: link.mtu,
                    is_tunnel: stack::is_tunnel(link),
                })
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

/// The longest IP packet that fits through all of them, bytes. A tunnel's own MTU may be more than what fits into packets of the device below, as
/// where it is bound to none: TCP learns that from the first that does not (`skb_tunnel_check_pmtu`).
pub(super) fn mtu_bytes(levels: &[Level]) -> u32 {
    levels.iter().rev().fold(u32::MAX, |fits_below, level| {
        let of_device = |device: &Device| match device.is_tunnel {
            true => device.mtu_bytes.min(fits_below.saturating_sub(MOST_ENCAPSULATION_BYTES)),
            false => device.mtu_bytes,
        };
        level.devices.iter().map(of_device).min().unwrap_or(fits_below)
    })
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
    fn what_a_tunnel_is_asked_with_fits_into_packets_of_the_device_below() {
        let level = |mtu_bytes, is_tunnel| Level {
            devices: vec![Device { name: String::new(), ifindex: 1, mtu_bytes, is_tunnel }],
            counts_by: CountsBy::Skb,
        };
        assert_eq!(mtu_bytes(&[level(1500, false), level(1400, false)]), 1500);
        assert_eq!(mtu_bytes(&[level(1500, true), level(1500, false)]), 1430);
        assert_eq!(mtu_bytes(&[level(1200, true), level(1500, false)]), 1200);
        assert_eq!(mtu_bytes(&[level(1500, true)]), 1500);
        assert_eq!(mtu_bytes(&[level(9000, true), level(9000, true), level(1500, false)]), 1360);
    }

    #[test]
    fn what_a_driver_counts_is_known_or_said_to_be_unknown() {
        assert!(counts_skbs(Some("veth"), false, "veth0"));
        assert!(counts_skbs(None, true, "lo"));
        assert!(!counts_skbs(Some("wireguard"), false, "wg0"));
        assert!(!counts_skbs(None, false, "no such interface"));
    }
}
