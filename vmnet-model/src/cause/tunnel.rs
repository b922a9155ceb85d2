//! `tunnel`: packets inside packets.

use super::{Cause, CauseId, Evidence, Fix, Found, host, host::HostNeed};
use crate::{
    breaks::above,
    machine::{Device, Machine, Relation},
    reasons::ReasonId,
};

/// Super-packets in a tunnel, on a device that cannot segment inside one.
pub(super) fn segmented_inside(evidence: &Evidence<'_>) -> Vec<Found> {
    let machine = evidence.machine;
    let mut found = Vec::new();
    if let Some(bytes) =
        evidence.refused(&[ReasonId::TunnelMissing, ReasonId::Tunnel]).filter(|bytes| *bytes != 0)
    {
        found.push(Found {
            cause: encapsulated(machine, &machine.device, needed_above(machine)),
            bytes: Some(bytes),
        });
    }
    if evidence.traffic.is_none()
        && let Some(needed) = segmentation_inside(machine.device.kind.as_deref())
    {
        let mut below = machine.stack.iter().filter(|at| at.relation == Relation::Below);
        let lacks = |device: &Device| {
            let feature = device.features.as_ref().ok().and_then(|set| set.get(needed.first()?));
            feature.is_some_and(|feature| !feature.active)
        };
        found.extend(
            below
                .find(|at| lacks(&at.device))
                .map(|at| Found { cause: encapsulated(machine, &at.device, needed), bytes: None }),
        );
    }
    found
}

/// With and without a checksum of the outer packet.
const UDP: [&str; 2] = ["tx-udp_tnl-segmentation", "tx-udp_tnl-csum-segmentation"];

/// The features that the device below a tunnel needs, the plain one first. None where it is no tunnel of these kinds.
#[must_use]
pub fn segmentation_inside(kind: Option<&str>) -> Option<&'static [&'static str]> {
    match kind? {
        "vxlan" | "geneve" => Some(&UDP),
        "gre" | "gretap" | "erspan" | "ip6gre" | "ip6gretap" => {
            Some(&["tx-gre-segmentation", "tx-gre-csum-segmentation"])
        }
        "ipip" | "sit" => Some(&["tx-ipxip4-segmentation"]),
        "ip6tnl" => Some(&["tx-ipxip6-segmentation"]),
        _ => None,
    }
}

/// What the tunnels that are bound to the device need; that of UDP where none is, as most tunnels are.
fn needed_above(machine: &Machine) -> &'static [&'static str] {
    let mut needed = above(machine).filter_map(|device| segmentation_inside(device.kind.as_deref()));
    needed.next().unwrap_or(&UDP)
}

/// On `device`, which the tunnel goes through.
fn encapsulated(machine: &Machine, device: &Device, needed: &[&'static str]) -> Cause {
    let set = device.features.as_ref().ok();
    let switchable: Vec<&str> = needed
        .iter()
        .copied()
        .filter(|name| {
            set.and_then(|set| set.get(name)).is_some_and(|feature| !feature.fixed() && !feature.active)
        })
        .collect();
    let is_udp = needed.first() == UDP.first();
    let no_host_has_it = machine.virtio.is_some() && !is_udp;
    let fix = if switchable.is_empty() && no_host_has_it {
        Fix::none()
    } else if switchable.is_empty() {
        Fix::by_host(host::settings(HostNeed::Tunnel))
    } else {
        Fix::by_root(vec![super::Action::switch_on(&device.name, switchable)])
    };
    Cause {
        id: CauseId::Tunnel,
        share: super::NO_SHARE,
        title: "packets inside a tunnel are segmented: the device cannot segment inside it".to_owned(),
        detail: format!(
            "encapsulated super-packets need {} on {}, which is off{}",
            needed.first().unwrap_or(&"segmentation"),
            device.name,
            if no_host_has_it {
                ": virtio has segmentation inside UDP tunnels alone (VXLAN, GENEVE)"
            } else {
                ""
            }
        ),
        fix,
    }
}
