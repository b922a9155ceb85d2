//! What fixes several causes.

use super::{Action, Fix};
use crate::{
    breaks::{Family, GSO, SCATTER_GATHER, switchable_checksums},
    machine::{Device, Machine},
};

/// What `ethtool -K IFACE tso off` switches off beside the TSO of both families (`NETIF_F_ALL_TSO`).
const TSO_BESIDE: [&str; 3] =
    ["tx-tcp-ecn-segmentation", "tx-tcp-accecn-segmentation", "tx-tcp-mangleid-segmentation"];

/// Everything that TSO depends on and that can be switched on this device, in the order in which it depends on each other. None of it where all is on
/// by now.
pub(super) fn switch_all_on(device: &Device) -> Vec<Action> {
    let mut features: Vec<&str> = Vec::new();
    if let Ok(set) = &device.features {
        for family in Family::ALL {
            for name in switchable_checksums(set, family) {
                if !features.contains(&name) {
                    features.push(name);
                }
            }
        }
        let rest = [SCATTER_GATHER, GSO, Family::Ipv4.feature(), Family::Ipv6.feature()]
            .into_iter()
            .chain(TSO_BESIDE);
        features.extend(rest.filter(|name| set.get(name).is_some_and(|feature| !feature.fixed())));
        let asked = |name: &&str| set.get(name).is_some_and(|feature| !feature.active || !feature.wanted);
        features.retain(asked);
    }
    if features.is_empty() { Vec::new() } else { vec![Action::switch_on(&device.name, features)] }
}

/// A driver fixes what it passes on when it probes.
pub(super) fn reload(machine: &Machine) -> Fix {
    let gso_off = ["gso", "csum"].iter().filter(|name| {
        machine.module_parameters.get(**name).is_some_and(|value| matches!(value.trim(), "N" | "n" | "0"))
    });
    let mut commands: Vec<String> = gso_off
        .map(|name| {
            format!(
                "remove {name}=N from the options of virtio_net (/etc/modprobe.d, the kernel's command line)"
            )
        })
        .collect();
    commands.push(
        "load the driver again with its offloads on (a restart, or rmmod and modprobe from a console): what it passes on to \
         devices above is fixed when it probes"
            .to_owned(),
    );
    Fix::by_hand(&commands)
}

/// A bond or team (`bond_compute_features`), or a bridge.
pub(super) fn takes_after_ports(device: &Device) -> bool {
    matches!(device.kind.as_deref(), Some("bond" | "team" | "bridge"))
}
