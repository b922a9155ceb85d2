//! `csum-off`, `turned-off`, `host-no-uso`, `driver-no-uso`: why UDP super-packets are segmented by the CPU.

use super::host::{self, HostNeed};
use super::{Action, Cause, CauseId, Fix};
use crate::{
    breaks::{Family, switchable_checksums},
    fact::Why,
    features::FeatureSet,
    machine::Machine,
};

/// `NETIF_F_GSO_UDP_L4`.
const USO: &str = "tx-udp-segmentation";

const NOT_TOLD_APART: Why =
    Why::is("it is the first broken link, whose bytes are not told from those of others");

/// Whether no transmit checksum is made by the device though one could be. Before 6.11 programs that ask for UDP_SEGMENT get EIO then
/// (`udp_send_skb`).
#[must_use]
pub fn has_checksums_off(machine: &Machine) -> bool {
    machine.device.features.as_ref().is_ok_and(|set| are_off(set, &checksums(set)))
}

fn checksums(set: &FeatureSet) -> Vec<&str> {
    Family::ALL.into_iter().flat_map(|family| switchable_checksums(set, family)).collect()
}

fn are_off(set: &FeatureSet, checksums: &[&str]) -> bool {
    !checksums.is_empty() && checksums.iter().all(|name| set.active(name) == Some(false))
}

/// The first broken link, by the device's features. Empty where USO is on, or its features cannot be read.
#[must_use]
pub fn causes(machine: &Machine) -> Vec<Cause> {
    let device = &machine.device;
    let Some((set, uso)) = device.features.as_ref().ok().and_then(|set| Some((set, set.get(USO)?))) else {
        return Vec::new();
    };
    if uso.active {
        return Vec::new();
    }
    let checksums = checksums(set);
    let no_checksum = are_off(set, &checksums);
    let (id, title, detail, fix) = if uso.fixed() && machine.virtio.is_some() {
        (
            CauseId::HostNoUso,
            "the host does not offer USO".to_owned(),
            format!(
                "{USO} is off [fixed]: HOST_USO (bit 56) was not negotiated, or this kernel's driver does not know it"
            ),
            Fix::by_host(host::settings(HostNeed::Uso)),
        )
    } else if uso.fixed() {
        let what = device.driver.as_deref().or(device.kind.as_deref()).unwrap_or("this device");
        (
            CauseId::DriverNoUso,
            format!("{what} has no USO"),
            format!("{USO} is off [fixed]: the driver does not list it among what can be switched"),
            Fix::none(),
        )
    } else if no_checksum {
        let mut features: Vec<&str> = Vec::new();
        for name in checksums {
            if !features.contains(&name) {
                features.push(name);
            }
        }
        features.push(USO);
        (
            CauseId::CsumOff,
            "transmit checksumming is off, and USO depends on it".to_owned(),
            "before 6.11 a program that asks for UDP_SEGMENT on such a device gets EIO; since, the CPU segments".to_owned(),
            Fix::by_root(vec![Action::switch_on(&device.name, features)]),
        )
    } else {
        (
            CauseId::TurnedOff,
            format!("USO is turned off on {}", device.name),
            format!("{USO}: can be switched, and is off"),
            Fix::by_root(vec![Action::switch_on(&device.name, [USO])]),
        )
    };
    vec![Cause { id, share: Err(NOT_TOLD_APART), title, detail, fix }]
}
