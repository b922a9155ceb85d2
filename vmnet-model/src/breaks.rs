//! What keeps one family's TSO off, in the order of the chain offered → negotiated → hw → wanted → active. What is broken
//! first is the cause; what is broken behind it is hidden until that is fixed.

use serde::{Deserialize, Serialize};

use super::features::{Feature, FeatureSet};
use super::machine::{Device, Machine, Relation};

/// `tx-tcp-segmentation`.
pub const TSO4: &str = "tx-tcp-segmentation";
/// `tx-tcp6-segmentation`.
pub const TSO6: &str = "tx-tcp6-segmentation";
/// `tx-tcp-ecn-segmentation`.
pub const TSO_ECN: &str = "tx-tcp-ecn-segmentation";
/// `tx-generic-segmentation`.
pub const GSO: &str = "tx-generic-segmentation";
/// `tx-scatter-gather`.
pub const SCATTER_GATHER: &str = "tx-scatter-gather";
/// `tx-checksum-ip-generic`, which virtio-net has.
pub const CSUM_GENERIC: &str = "tx-checksum-ip-generic";
const CSUM4: &str = "tx-checksum-ipv4";
const CSUM6: &str = "tx-checksum-ipv6";

/// IPv4 or IPv6: they are offered, switched and refused apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// TCP over IPv4.
    Ipv4,
    /// TCP over IPv6.
    Ipv6,
}

impl Family {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Ipv4, Self::Ipv6];

    /// For people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
        }
    }

    /// The kernel's name of its TSO feature.
    #[must_use]
    pub const fn feature(self) -> &'static str {
        match self {
            Self::Ipv4 => TSO4,
            Self::Ipv6 => TSO6,
        }
    }

    /// virtio's name of its TSO bit.
    #[must_use]
    pub const fn virtio_bit(self) -> &'static str {
        match self {
            Self::Ipv4 => "HOST_TSO4",
            Self::Ipv6 => "HOST_TSO6",
        }
    }

    const fn checksums(self) -> [&'static str; 2] {
        match self {
            Self::Ipv4 => [CSUM_GENERIC, CSUM4],
            Self::Ipv6 => [CSUM_GENERIC, CSUM6],
        }
    }
}

/// One broken link, for one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// The host does not take partial checksums, so the driver considers no TSO at all (`virtnet_probe`).
    NoChecksumOffered,
    /// The host does not take this family's super-packets.
    NotOffered,
    /// The driver has no TSO, and is not virtio's.
    DriverHasNone,
    /// `virtio_net` was loaded with `csum=N`.
    ParameterCsum,
    /// `virtio_net` was loaded with `gso=N`.
    ParameterGso,
    /// Can be switched, and is not asked for.
    NotWanted,
    /// Wanted, but transmit checksumming is off, and TSO with it (`netdev_fix_features`).
    ChecksumOff,
    /// Wanted, but scatter-gather is off, and TSO with it.
    ScatterGatherOff,
    /// Wanted, but the device below does not give it to those above it (`vlan_features`).
    Below,
    /// Wanted and not active, and nothing that is known to drop it is off.
    Dropped,
}

/// The broken links of one family's TSO on a device, the first first. Empty where it is active. None where its features are
/// not known, or this kernel knows no such feature.
#[must_use]
pub fn breaks(machine: &Machine, family: Family) -> Option<Vec<Break>> {
    breaks_of(&machine.device, machine, family)
}

/// As [`breaks`], of a device above or below the interface.
#[must_use]
pub fn breaks_of(device: &Device, machine: &Machine, family: Family) -> Option<Vec<Break>> {
    let features = device.features.as_ref().ok()?;
    let tso = features.get(family.feature())?;
    if tso.active {
        return Some(Vec::new());
    }
    if tso.fixed() {
        return Some(vec![never_had(device, machine, family)]);
    }
    let ours = device.ifindex == machine.device.ifindex;
    let parameter_off = |name| ours && is_off(machine.module_parameters.get(name));
    let mut broken = Vec::new();
    if !tso.wanted {
        broken.push(if parameter_off("gso") { Break::ParameterGso } else { Break::NotWanted });
    }
    let checksum = checksums(features, family);
    // A device has them, on or off; what somebody pasted may leave them out, and tells nothing of them then.
    let is_without = !checksum.is_empty() && !checksum.iter().any(|feature| feature.active);
    if is_without {
        broken.push(match checksum.iter().find(|feature| feature.wanted) {
            Some(_) if is_stacked(device) => Break::Below,
            Some(_) => Break::Dropped,
            None if parameter_off("csum") => Break::ParameterCsum,
            None => Break::ChecksumOff,
        });
    } else if let Some(gather) = features.get(SCATTER_GATHER).filter(|feature| !feature.active) {
        broken.push(if gather.wanted && is_stacked(device) { Break::Below } else { Break::ScatterGatherOff });
    }
    if broken.is_empty() {
        broken.push(if is_stacked(device) { Break::Below } else { Break::Dropped });
    }
    // A parameter at load time comes before what was switched later.
    broken.sort_by_key(|found| !matches!(found, Break::ParameterCsum | Break::ParameterGso));
    Some(broken)
}

/// The transmit checksum features that would do for a family, as far as the kernel knows them.
fn checksums(features: &FeatureSet, family: Family) -> Vec<&Feature> {
    family.checksums().iter().filter_map(|name| features.get(name)).collect()
}

/// The checksum features that can be switched on for a family; the generic one alone where there is one.
#[must_use]
pub fn switchable_checksums(features: &FeatureSet, family: Family) -> Vec<&str> {
    let mut names: Vec<&str> = checksums(features, family)
        .into_iter()
        .filter(|feature| !feature.fixed())
        .map(|feature| feature.name.as_str())
        .collect();
    names.truncate(1);
    names
}

fn never_had(device: &Device, machine: &Machine, family: Family) -> Break {
    if device.driver.as_deref() != Some("virtio_net") || device.ifindex != machine.device.ifindex {
        return Break::DriverHasNone;
    }
    match machine.virtio.as_ref() {
        Some(Ok(virtio)) if virtio.negotiated("CSUM") == Some(false) => Break::NoChecksumOffered,
        Some(Ok(virtio))
            if virtio.negotiated(family.virtio_bit()) == Some(true)
                || virtio.negotiated("GSO") == Some(true) =>
        {
            Break::DriverHasNone
        }
        _ => Break::NotOffered,
    }
}

/// Devices that get their features from the one below.
fn is_stacked(device: &Device) -> bool {
    matches!(device.kind.as_deref(), Some("vlan" | "macvlan" | "ipvlan" | "bond" | "team" | "bridge"))
}

/// As the kernel writes a bool parameter.
fn is_off(value: Option<&String>) -> bool {
    value.is_some_and(|value| matches!(value.trim(), "N" | "n" | "0"))
}

/// The devices above the interface, nearest first.
pub fn above(machine: &Machine) -> impl Iterator<Item = &Device> {
    machine.stack.iter().filter(|stacked| stacked.relation == Relation::Above).map(|stacked| &stacked.device)
}
